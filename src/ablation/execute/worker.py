"""Trains one trial; this is all that the harness runs in a worker."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused
from ablation.execute import progress_file
from ablation.records.outcome import EpochRecord, RunResult

if TYPE_CHECKING:
    from ablation.task import Prepared, Train


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One trial as it is sent to a worker."""

    train: Train
    """The task's way to train."""
    resolve_device: Callable[[str], str]
    """The task's way to find a device."""
    config: Any
    """The arm's run configuration."""
    seed: int
    """Every random stream of the run derives from it."""
    data: Prepared
    device: str
    """``auto``, ``cpu`` or ``cuda``."""
    progress: Path | None = None
    """The trial's progress file; None keeps none."""


def run_trial(job: Job) -> tuple[list[EpochRecord], RunResult, float, str]:
    """Trains one trial; this is what a crew is given.

    Raises:
        Refused: If user code raises. Wrapped in `Refused`, because an arbitrary exception may not
            be picklable.

    Returns:
        The records of the epochs, the result, the time of the start (seconds since the epoch) and
        the device that was used.
    """
    used = job.resolve_device(job.device)
    began = time.time()
    records: list[EpochRecord] = []
    progress_file.begin(job.progress, began, used)
    try:
        running = job.train(job.config, job.seed, job.data, device=used)
        result = _exhaust(running, records, job.progress)
    except Refused:
        raise
    except Exception as error:
        raise Refused(
            f"it raised {type(error).__name__}: {str(error).strip()}",
            "Fix it and run the same command again; finished trials are kept.",
        ) from error
    return records, result, began, used


def _exhaust(
    run: Generator[EpochRecord, None, RunResult], into: list[EpochRecord], progress: Path | None
) -> RunResult:
    """Appends everything that the generator yields, and returns what it returns."""
    while True:
        try:
            into.append(next(run))
            progress_file.append(progress, into[-1])
        except StopIteration as stop:
            result: RunResult = stop.value
            return result
