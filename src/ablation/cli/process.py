"""Keeps the user's surroundings out of the product, and errors to two lines."""

from __future__ import annotations

import codecs
import os
import signal
import sys
import traceback

from ablation.errors import Refused
from ablation.records import addresses

INTERRUPTED = 130
"""Exit code after Ctrl-C, the convention of shells."""

PLAIN = {
    "≤": "<=", "≥": ">=", "−": "-", "–": "-", "—": "-", "·": "-", "…": "...", "×": "x", "±": "+/-",
    "→": "->", "━": "=", "╸": "=", "╺": "-", "α": "alpha", "’": "'",
}  # fmt: skip
"""Our non-ASCII signs in ASCII, for terminals that cannot show them."""


def prepare() -> None:
    """Makes any terminal take any text, matplotlib draw without settings, and requests short."""
    codecs.register_error("ablation", _in_plain_signs)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="ablation")
    # A backend that is not installed would end every process that imports matplotlib.
    os.environ["MPLBACKEND"] = "agg"
    os.environ["MATPLOTLIBRC"] = os.devnull
    for name, value in addresses.LIMITS.items():
        os.environ.setdefault(name, value)


def _in_plain_signs(error: UnicodeError) -> tuple[str | bytes, int]:
    """Returns signs that an encoding lacks as ASCII, as far as they have a form there."""
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    text = "".join(PLAIN.get(sign, sign) for sign in signs)
    return text.encode("ascii", "backslashreplace").decode(), error.end


def say(refused: Refused) -> None:
    """Prints a refusal as two lines without secrets."""
    from ablation.records import causes

    lines = f"{causes.line(refused.rule)}\n{causes.line(refused.way_out)}\n"
    sys.stderr.write(lines)


def misused(error: Exception) -> Refused | None:
    """Returns the refusal of wrong arguments; None for any other error."""
    # Typer brings its own copy of click, whose exceptions have no public name.
    said = getattr(error, "format_message", None)
    if said is None:
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "ablation"
    text = str(said()).replace("Value error, ", "").replace("\\x0a", " ")
    return Refused(text, f"See: {command.replace('python -m ', '')} --help")


def refused_by_system(error: OSError | MemoryError) -> Refused:
    """Returns the refusal of an error of the system that nothing else has explained."""
    from ablation.records import causes

    return causes.refusal(error, "The system refused what was to be done")


def say_fault() -> None:
    """Prints the traceback of a bug in this package, without secrets."""
    from ablation.records import causes

    sys.stderr.write(causes.hidden(traceback.format_exc()))


_asked: list[int] = []
"""Numbers of the signals that asked this process to stop."""


def stop_when_asked() -> None:
    """Makes TERM, HUP and QUIT act like Ctrl-C: workers and servers are ended, runs are closed.

    Replaces the handler of Ctrl-C, too, by one that keeps it for :func:`stop_if_asked`.
    """
    _asked.clear()

    def interrupt(number: int, _: object) -> None:
        _asked.append(number)
        raise KeyboardInterrupt

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        which = getattr(signal, name, None)
        if which is not None and signal.getsignal(which) != signal.SIG_IGN:  # as nohup has it
            signal.signal(which, interrupt)


def stop_if_asked() -> None:
    """Raises KeyboardInterrupt if a signal asked for it and nobody has heard.

    Python drops an exception that is raised while it runs a finalizer or a callback of a weak
    reference, and some libraries catch all exceptions of an import. A study must not go on then.
    """
    if _asked:
        raise KeyboardInterrupt
