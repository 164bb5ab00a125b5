"""Trains one trial; the only code of the harness that runs in a worker."""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.execute import progress_file
from ablation.execute.alone import alone, threads_of_process
from ablation.records.failure import Failure, raised_by
from ablation.records.outcome import EpochRecord, RunResult

if TYPE_CHECKING:
    from ablation.task import Prepared, Train, Travel


THREADS = "ablation.threads"
"""Tag: threads of the worker's computations when the trial began; a task may set its own."""
CHANGED = "ablation.changed"
"""Tag: process-wide settings that the trial changed for good; its worker trained nothing after."""


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
    travel: Travel | None = None
    """How the trial gets to a worker on another machine."""
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Name to hash of each user-defined source and input, as the plan has them; may be empty."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """The message that a worker sends back about a trial."""

    ending: RunResult | Failure
    records: list[EpochRecord]
    began: float
    """Seconds since the epoch."""
    device: str
    """The device that was used; as it was asked for, if none could be resolved."""
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Tags for the run that only its worker knows."""


def run_trial(job: Job) -> Ran:
    """Trains one trial in a worker and returns its result, or the failure that it raised."""
    began, device = time.time(), job.device
    records: list[EpochRecord] = []
    ending: RunResult | Failure
    threads = threads_of_process()
    with _crash_file(job.progress), alone(job.seed) as stuck:
        try:
            device = job.resolve_device(device)
            progress_file.begin(job.progress, began, device)
            running = job.train(job.config, job.seed, job.data, device=device, folder=job.folder)
            ending = _exhaust(running, records, job.progress)
        except (Exception, SystemExit) as error:
            ending = raised_by(error)
    facts = {THREADS: threads} | ({CHANGED: ", ".join(stuck)} if stuck else {})
    return Ran(ending=ending, records=records, began=began, device=device, facts=facts)


def _exhaust(
    run: Generator[EpochRecord, None, RunResult], into: list[EpochRecord], progress: Path | None
) -> RunResult:
    """Appends every record that the generator yields, and returns its result.

    Raises:
        TypeError: If it returns anything else.
    """
    while True:
        try:
            into.append(next(run))
            progress_file.append(progress, into[-1])
        except StopIteration as stop:
            if not isinstance(stop.value, RunResult):
                raise TypeError(f"the training returned {stop.value!r}, no result") from None
            return stop.value


def crash_file(progress: Path) -> Path:
    """Returns the path of the traceback that a worker leaves if a signal ends it."""
    return progress.with_suffix(".crash")


@contextlib.contextmanager
def _crash_file(progress: Path | None) -> Iterator[None]:
    """Makes a signal that ends this worker in the block leave a traceback beside the progress."""
    # Only where the process is the harness's own: any other may have a fault handler already.
    file = None
    if progress is not None and multiprocessing.parent_process() is not None:
        with contextlib.suppress(OSError):
            file = crash_file(progress).open("w", encoding="utf-8")
    if file is None:
        yield
        return
    with file:
        faulthandler.enable(file, all_threads=False)
        if hasattr(faulthandler, "register"):  # shows where a training hung that took too long
            faulthandler.register(signal.SIGTERM, file, all_threads=False, chain=True)
        try:
            yield
        finally:
            faulthandler.disable()
            if hasattr(faulthandler, "unregister"):
                faulthandler.unregister(signal.SIGTERM)
    Path(file.name).unlink(missing_ok=True)
