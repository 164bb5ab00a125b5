"""Folders that options name."""

from __future__ import annotations

import contextlib
import os
from itertools import takewhile
from pathlib import Path

from ablation.records.whole import writable

LONGEST = 4000
"""Bytes of a path; systems take 4,096 or a few less."""


def folder_of(text: str | Path) -> Path:
    """Returns the path that an option gives; it may not exist yet.

    Raises:
        ValueError: If no folder can have it. An empty text is no folder, though Python takes it
            for the working folder.
    """
    given = os.fspath(text)
    if not given.strip() or "\0" in given or len(os.fsencode(given)) > LONGEST:
        raise ValueError(f"{given[:60]!r} names no folder")
    if os.path.lexists(given) and not os.path.isdir(given):  # noqa: PTH112 - raises nothing
        raise ValueError(f"{given!r} is no folder")
    return Path(given)


def refuse_places(reports: Path) -> None:
    """Refuses a folder of reports that cannot be written, before anything is trained.

    Raises:
        Refused: If it cannot be made, or its disk takes no file.
    """
    made = list(takewhile(lambda path: not path.exists(), (reports, *reports.parents)))
    with writable(reports):
        probe = reports / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    with contextlib.suppress(OSError):  # a run that is refused after this leaves none behind
        for folder in made:
            folder.rmdir()
