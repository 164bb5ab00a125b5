"""The one table of the ways in which a trial fails, and what follows from each."""

from __future__ import annotations

import dataclasses
import re
import traceback
from pathlib import Path
from typing import Literal, NamedTuple

from ablation.errors import Refused

Kind = Literal["outcome", "raised", "lost"]


class Rule(NamedTuple):
    """The consequences of one of the three ways in which a trial fails."""

    status: str
    """MLflow status of its run."""
    tag: str
    """Tag of its run that says why."""
    is_outcome: bool
    """Whether the trial is done: judged as failed, and never trained again under the same key."""
    tries: int
    """Trainings in one start, after which the trial is given up until the next start."""


FAILURES: dict[Kind, Rule] = {
    # The training itself failed, as it would again: it diverged, or exceeded a declared limit.
    "outcome": Rule("FAILED", "ablation.reason", True, 1),
    # Code raised an exception, called sys.exit or returned no result: to be fixed by the user.
    "raised": Rule("FAILED", "ablation.raised", False, 1),
    # The worker died: a signal, os._exit, the system's memory, --timeout.
    "lost": Rule("KILLED", "ablation.lost", False, 3),
}
"""Way of failing to its rule."""

ALIKE = 3
"""Trials of one arm that raise at one place, after which the rest of the arm is put aside."""

PRINTED = "It had printed:\n"
"""Heads what is quoted of a training's output."""
LAST = 2000
"""Characters of its output that are quoted."""

OURS = str(Path(__file__).resolve().parents[1])
"""Folder of this package."""
LIBRARIES = ("site-packages", "dist-packages", "/lib/python")
"""Parts of the paths of installed packages and of the standard library."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A training that ended without a result."""

    kind: Literal["raised", "lost"]
    what: str
    """Such as ``KeyError: 'depth'`` or ``killed by SIGSEGV``."""
    place: str = ""
    """``file:line`` of the user's code; empty if unknown."""
    trace: str = ""
    """The traceback."""

    @property
    def rule(self) -> Rule:
        """The failure's entry in :data:`FAILURES`."""
        return FAILURES[self.kind]

    def after(self, printed: str) -> Failure:
        """Returns the failure with the end of what the training had printed in its traceback."""
        if not printed:
            return self
        return dataclasses.replace(self, trace=f"{self.trace}{PRINTED}{printed[-LAST:]}")

    def __str__(self) -> str:
        return f"{self.what} at {self.place}" if self.place else self.what


def raised_by(error: BaseException) -> Failure:
    """Returns the failure that an exception is.

    The place is the last line of the user's own code, else the last line of all.
    """
    # A refusal often wraps what user-defined code raised; its line is what helps.
    cause = error.__cause__ if isinstance(error, Refused) and error.__cause__ else error
    frames = traceback.extract_tb(cause.__traceback__)
    own = [frame for frame in frames if _is_own(frame.filename)] or list(frames)
    text = error.rule if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
    return Failure(
        kind="raised",
        what=" ".join(text.split())[:400],
        place=f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "",
        trace="".join(traceback.format_exception(error)),
    )


def lost(what: str, trace: str = "") -> Failure:
    """Returns the failure of a training whose worker died.

    Args:
        what: How it died.
        trace: The traceback that Python's fault handler wrote, if any; the innermost call first.

    >>> str(lost("killed by SIGSEGV", 'File "/home/me/mine.py", line 7 in forward'))
    'killed by SIGSEGV at mine.py:7'
    """
    lines = re.findall(r'File "(.+?)", line (\d+)', trace)
    own = [(file, line) for file, line in lines if _is_own(file)] or lines
    place = f"{Path(own[0][0]).name}:{own[0][1]}" if own else ""
    return Failure(kind="lost", what=what, place=place, trace=trace)


def _is_own(file: str) -> bool:
    return not file.startswith((OURS, "<")) and not any(part in file for part in LIBRARIES)
