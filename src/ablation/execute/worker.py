"""Trains one trial; the only code of the harness that runs in a worker."""

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
    """A trial in the form that is sent to a worker."""

    train: Train
    """The task's training function."""
    resolve_device: Callable[[str], str]
    """The task's function that resolves a device name."""
    config: Any
    """The arm's run configuration."""
    seed: int
    """Every random stream of the run derives from it."""
    data: Prepared
    device: str
    """``auto``, ``cpu`` or ``cuda``."""
    progress: Path | None = None
    """Path of the trial's progress file; None for no file."""
    folder: Path | None = None
    """Path of a folder for this trial alone; None for none."""


def run_trial(job: Job) -> tuple[list[EpochRecord], RunResult, float, str]:
    """Trains one trial in a worker.

    Returns:
        The records of the epochs, the result, the start time in seconds since the epoch, and the
        device that was used.

    Raises:
        Refused: If the task's or user-defined code raises an error. The error is wrapped in
            `Refused`, because an arbitrary exception may not be picklable.
    """
    used = job.resolve_device(job.device)
    began = time.time()
    records: list[EpochRecord] = []
    progress_file.begin(job.progress, began, used)
    try:
        running = job.train(job.config, job.seed, job.data, device=used, folder=job.folder)
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
    """Appends every record that the generator yields, and returns its result."""
    while True:
        try:
            into.append(next(run))
            progress_file.append(progress, into[-1])
        except StopIteration as stop:
            result: RunResult = stop.value
            return result
