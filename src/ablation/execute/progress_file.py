"""A trial's progress file: what a worker appends while it trains, and the conductor reads.

JSON, one object a line: first when and where the training began, then each epoch's record. A line
without its end is still being written, or was cut off, and is not read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from ablation.train import EpochRecord, RunResult

Record = TypeVar("Record", "EpochRecord", "RunResult")


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """What a progress file holds so far."""

    began: float
    """Seconds since the epoch, UTC."""
    device: str
    records: tuple[EpochRecord, ...]


def plain(record: Record) -> Record:
    """Returns a copy that can be read where PyTorch is not loaded, as in the conductor.

    Unpickling the record itself would import `ablation.train`: some seconds and 200 MB.
    """
    fields = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    return cast(Record, SimpleNamespace(**fields))


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
    records = tuple(cast("EpochRecord", SimpleNamespace(**each)) for each in epochs)
    return Progress(first["began"], first["device"], records)


def _write(path: Path | None, mode: str, content: dict[str, object]) -> None:
    # A machine without that folder, or a full disk, costs the view of the curve and not the run.
    with contextlib.suppress(OSError):
        if path is not None:
            with path.open(mode, encoding="utf-8") as file:
                file.write(json.dumps(content) + "\n")
