"""Trains one trial of a search in a worker; test is never evaluated, hopeless trials end early."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Generator, Sequence
from typing import Literal

from ablation.errors import Refused
from ablation.execute.alone import alone
from ablation.execute.worker import Job
from ablation.records.outcome import EpochRecord, RunResult
from ablation.records.told import State, Told


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A trial of a search in the form that is sent to a worker."""

    job: Job
    metric: str
    direction: Literal[1, -1]
    pruner: str
    told: Sequence[Told]
    """The trials that this one may know of, in order of their numbers."""
    epochs: int | None
    """The last epoch, after which nothing is asked of the training; None if it is unknown."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """The end of a trial of a search, as the worker reports it."""

    state: State
    curve: dict[int, float]
    value: float | None
    reason: str
    seconds: float
    records: Sequence[EpochRecord]
    began: float
    device: str


def try_point(attempt: Attempt) -> Tried:
    """Trains one trial of a search.

    Raises:
        Refused: If the task's or user-defined code raises an error.
    """
    job = attempt.job
    used, began = job.resolve_device(job.device), time.time()
    records: list[EpochRecord] = []
    clock = time.perf_counter()
    try:
        with alone(job.seed):
            running = job.train(job.config, job.seed, job.data, device=used, folder=job.folder)
            state, reason = _follow(running, attempt, records)
    except Refused:
        raise
    except (Exception, SystemExit) as error:
        raise Refused(
            f"it raised {type(error).__name__}: {str(error).strip()}",
            "Fix it and run the same command again; finished trials are kept.",
        ) from error
    curve = curve_of(records, attempt.metric)
    best = max(curve.values(), key=lambda value: attempt.direction * value, default=None)
    return Tried(
        state=state if best is not None else "FAIL",
        curve=curve,
        value=None if state == "FAIL" else best,
        reason=reason or ("" if best is not None else "no value on validation"),
        seconds=time.perf_counter() - clock,
        records=records,
        began=began,
        device=used,
    )


def curve_of(records: Sequence[EpochRecord], metric: str) -> dict[int, float]:
    """Returns epoch to the metric on validation, where it is finite."""
    values = {each.epoch: each.metrics.get(f"validation/{metric}") for each in records}
    return {
        at: value for at, value in values.items() if value is not None and math.isfinite(value)
    }


def _follow(
    running: Generator[EpochRecord, None, RunResult], attempt: Attempt, records: list[EpochRecord]
) -> tuple[State, str]:
    """Takes epochs from a training until it ends, is hopeless, or has only test left to do."""
    from ablation.search import Pruning

    pruning = Pruning(attempt.pruner, attempt.told, attempt.direction)
    try:
        while True:
            record = next(running)
            records.append(record)
            value = record.metrics.get(f"validation/{attempt.metric}")
            if value is None or not math.isfinite(value):
                continue
            if record.epoch == attempt.epochs:
                return "COMPLETE", ""  # what is left is test
            if pruning.should_stop(record.epoch, value):
                return "PRUNED", ""
    except StopIteration as stop:
        result: RunResult = stop.value
        return ("COMPLETE", "") if result.status == "FINISHED" else ("FAIL", result.reason or "")
    finally:
        running.close()
