"""A trial's progress file: a worker appends to it while it trains, and the conductor reads it.

One JSON object per line: first the time and device of the training's start, then the record of
each epoch. An incomplete last line is ignored.
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
    """The content of a progress file."""

    began: float
    """Seconds since the epoch, UTC."""
    device: str
    records: tuple[EpochRecord, ...]


def begin(path: Path | None, began: float, device: str) -> None:
    """Starts a new progress file; does nothing if the path is None."""
    _write(path, "w", {"began": began, "device": device})


def append(path: Path | None, record: EpochRecord) -> None:
    """Appends the record of an epoch; does nothing if the path is None."""
    _write(path, "a", dataclasses.asdict(record))


def read(path: Path) -> Progress | None:
    """Returns the content of a progress file, or None if the training has not begun.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "trial.jsonl"
    ...     begin(path, 0.0, "cpu")
    ...     append(path, EpochRecord(epoch=1, seconds=2.0, metrics={"train/loss": 0.5}))
    ...     read(path).records[0].metrics
    {'train/loss': 0.5}
    """
    try:
        *lines, _ = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return None
    whole: list[Any] = []
    with contextlib.suppress(ValueError):  # stops at a torn line, left by a full disk
        for line in lines:
            whole.append(json.loads(line))
    if not whole:
        return None
    first, *epochs = whole
    records = tuple(EpochRecord(**each) for each in epochs)
    return Progress(first["began"], first["device"], records)


def _write(path: Path | None, mode: str, content: dict[str, object]) -> None:
    # A missing folder or a full disk must not fail the run; only the live curve is lost.
    with contextlib.suppress(OSError):
        if path is not None:
            with path.open(mode, encoding="utf-8") as file:
                file.write(json.dumps(content) + "\n")
