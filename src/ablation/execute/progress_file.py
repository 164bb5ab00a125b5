"""A trial's progress file: what a worker appends while it trains, and the conductor reads.

JSON, one object a line: first when and where the training began, then each epoch's record. A line
without its end is still being written, or was cut off, and is not read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

from ablation.records.outcome import EpochRecord


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """What a progress file holds so far."""

    began: float
    """Seconds since the epoch, UTC."""
    device: str
    records: tuple[EpochRecord, ...]


def begin(path: Path | None, began: float, device: str) -> None:
    """Starts the file anew; no path, no file."""
    _write(path, "w", {"began": began, "device": device})


def append(path: Path | None, record: EpochRecord) -> None:
    """Adds an epoch."""
    _write(path, "a", dataclasses.asdict(record))


def read(path: Path) -> Progress | None:
    """Returns what the file holds, None where the training has not begun."""
    try:
        *lines, _ = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return None
    whole: list[Any] = []
    with contextlib.suppress(ValueError):  # after a full disk a line may be torn, and ends it
        for line in lines:
            whole.append(json.loads(line))
    if not whole:
        return None
    first, *epochs = whole
    records = tuple(EpochRecord(**each) for each in epochs)
    return Progress(first["began"], first["device"], records)


def _write(path: Path | None, mode: str, content: dict[str, object]) -> None:
    # A machine without that folder, or a full disk, costs the view of the curve and not the run.
    with contextlib.suppress(OSError):
        if path is not None:
            with path.open(mode, encoding="utf-8") as file:
                file.write(json.dumps(content) + "\n")
