"""Calls the user's function in a worker, and turns what it says into records."""

from __future__ import annotations

import dataclasses
import math
import shutil
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from ablation.records.failure import LAST, PRINTED
from ablation.records.metric import Metric
from ablation.records.outcome import EpochRecord, RunResult
from ablation.task.function import log
from ablation.task.function.config import receive
from ablation.task.function.returned import chosen_epoch, curves, finals, hash_in, scores
from ablation.task.function.target import Target, load

OUT_OF_MEMORY = "OutOfMemoryError"
"""Name of PyTorch's exception where a GPU's memory is exhausted; PyTorch is not imported here."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The third argument of a function that takes one."""

    device: str
    """``cpu`` or ``cuda``; of several GPUs a worker sees its own alone."""
    folder: Path
    """Scratch of this trial: empty at a new start, as it was left if the trial is resumed, and
    removed when the trial has ended."""
    threads: int
    """Threads to compute with."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A function with all that is the same in its trials, in the place of prepared data."""

    target: Target
    metric: Metric
    threads: int
    name: str
    """Name of the data, or of the function."""
    source: str
    fingerprint: str
    """12 hex digits over the data's name; the content of the inputs is part of the identity."""
    inputs: tuple[str, ...] = ()
    """Files and folders that the function reads."""
    version: str = ""
    """Text that is part of each trial's identity."""
    data_field: str | None = None
    """Dotted path of the configuration's field that names the data."""

    @property
    def rows(self) -> Mapping[str, int]:
        """Nothing: the function alone knows its data."""
        return {}

    def test_commonest(self) -> bytes:
        """Returns nothing: what a failed run scores is one number for all examples."""
        return b""

    def parameters(self) -> Mapping[str, Any]:
        """Returns what is recorded of the function with each run."""
        return {"run": f"{self.target.module}:{self.target.name}"}


def call(
    config: bytes, seed: int, data: Call, *, device: str, folder: Path | None
) -> Generator[EpochRecord, None, RunResult]:
    """Runs the function once; yields a record per epoch and returns the result.

    What it prints goes to a log beside the folder. Where the metric is not finite, or a GPU's
    memory is exhausted, that is an outcome: FAILED(nan_metric), FAILED(oom).

    Args:
        config: The configuration, as :func:`ablation.task.function.config.send` returned it.
        seed: The seed.
        data: The function.
        device: ``cpu`` or ``cuda``.
        folder: Scratch of the trial.

    Raises:
        Exception: Whatever the function raises; TypeError or ValueError if what it yields or
            returns is no mapping of numbers with the metric in it.
    """
    began, epoch = time.perf_counter(), 0
    path = None if folder is None else log.path_of(folder)
    try:
        with log.captured(path):
            steps = _steps(config, seed, data, device, folder)
            while True:
                try:
                    yielded = next(steps)
                except StopIteration as stop:
                    returned = stop.value
                    break
                epoch += 1
                spent = time.perf_counter() - began
                yield EpochRecord(epoch=epoch, seconds=spent, metrics=curves(yielded))
        result = _result(returned, data.metric)
    except Exception as error:
        if type(error).__name__ != OUT_OF_MEMORY:
            if said := log.read(path).decode("utf-8", "replace")[-LAST:]:
                error.add_note(f"{PRINTED}{said}")
            raise
        result = RunResult(status="FAILED", reason="oom", epoch=1, seconds=0.0)
    spent = time.perf_counter() - began
    if result.status == "FAILED":
        result = dataclasses.replace(result, epoch=max(epoch, 1))
    result = dataclasses.replace(result, seconds=spent, log=log.read(path))
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
        log.path_of(folder).unlink(missing_ok=True)
    return result


def _steps(
    config: bytes, seed: int, data: Call, device: str, folder: Path | None
) -> Generator[Any, None, Any]:
    """Runs the function, a generator or not; yields its mappings and returns its result."""
    run = load(data.target)
    _set_threads(data.threads)
    arguments = [receive(config), seed]
    if data.target.takes_context:
        place = Path.cwd() if folder is None else folder
        place.mkdir(parents=True, exist_ok=True)
        arguments.append(Context(device=device, folder=place, threads=data.threads))
    returned = run(*arguments)
    if isinstance(returned, Generator):
        returned = yield from returned
    return returned


def _result(returned: Any, metric: Metric) -> RunResult:
    """Returns the function's value as a result, without the time it took."""
    numbers = finals(returned, metric)
    value = numbers[f"test/{metric.name}"]
    if not math.isfinite(value):
        return RunResult(status="FAILED", reason="nan_metric", epoch=1, seconds=0.0)
    return RunResult(
        status="FINISHED",
        epoch=chosen_epoch(returned),
        seconds=0.0,
        metrics=numbers,
        weights_hash=hash_in(returned, "weights_hash"),
        logits_hash=hash_in(returned, "logits_hash"),
        correct=scores(returned, metric, value),
    )


def _set_threads(threads: int) -> None:
    """Makes PyTorch, where the function has imported it, compute with so many threads."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
