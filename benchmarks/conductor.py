"""Measures how busy a conductor keeps its workers: the time of a study, over that of its trials.

    python benchmarks/conductor.py [--trials 10000] [--workers 16] [--record ADDRESS]

Stand-ins sleep for a second in each of the workers, and every trial is recorded with 40
parameters, 96 points and the scores of 2,000 test examples. Ideal is the time of the sleep alone:
trials over workers, rounded up. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablation import tracking
from ablation.execute import ExecutorCrew, session, walk
from ablation.execute.garbage import loading, seldom
from ablation.execute.pool import pool
from ablation.records.metric import METRICS
from ablation.records.outcome import EpochRecord, RunResult
from ablation.records.paths import flatten
from ablation.records.places import Places, places
from ablation.study.plan import Plan, make_plan
from ablation.study.spec import Study
from ablation.task import Guess, Identity, Task

ARMS = 10
EPOCHS = 22
SECONDS = 1.0
CURVES = ("train/loss", "validation/accuracy", "validation/macro_f1", "validation/loss")
PARAMETERS = 40
BITS = bytes(250)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sleep:
    """The configuration of a trial that sleeps."""

    arm: int = 0
    options: Sequence[int] = tuple(range(PARAMETERS))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nothing:
    """Data that no file holds."""

    name: str = "nothing"
    source: str = "nowhere"
    fingerprint: str = "0123456789ab"
    rows: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"test": 8 * len(BITS)})

    def test_commonest(self) -> bytes:
        """Returns no scores."""
        return b""

    def parameters(self) -> Mapping[str, Any]:
        """Returns as many parameters as a text classifier's run has."""
        return {f"data.{place}": place for place in range(PARAMETERS - 5)}


def sleep(
    config: Sleep, seed: int, data: Nothing, *, device: str, folder: Path | None
) -> Generator[EpochRecord, None, RunResult]:
    """Sleeps, and returns a result of the usual size."""
    time.sleep(SECONDS)
    for epoch in range(1, EPOCHS + 1):
        metrics = dict.fromkeys(CURVES, 1 / (epoch + seed))
        yield EpochRecord(epoch=epoch, seconds=epoch / EPOCHS, metrics=metrics)
    names = [f"{split}/{name}" for split in ("validation", "test") for name in METRICS]
    return RunResult(
        status="FINISHED", epoch=EPOCHS, seconds=SECONDS, metrics=dict.fromkeys(names, seed / 7),
        correct=BITS, weights_hash=f"{seed:064x}", logits_hash=f"{seed:064x}",
    )  # fmt: skip


TASK = Task(
    config=Sleep(),
    metrics=METRICS,
    guess=lambda metric, data: Guess(0.5, 0.001),
    data_paths=frozenset(),
    redirect=lambda config, _: config,
    prepare=lambda configs, _: [Nothing()] * len(configs),
    identify=lambda config: Identity({p: repr(v) for p, v in flatten(config).items()}, (), 0),
    check=lambda pairs: None,
    train=sleep,
    device=str,
    seconds=lambda config, data: SECONDS,
    table=lambda configs: ("", list),
)


def plan_of(trials: int) -> Plan:
    """Returns a study of ten arms with at least the given number of trials."""
    study = Study(
        name="conductor", question="How busy are its workers?", task=TASK, config=Sleep(),
        factor="arm", levels=tuple(range(ARMS)), baseline=0, seeds=max(1, trials // ARMS),
    )  # fmt: skip
    return make_plan(study, Path("nowhere"))


def measure(plan: Plan, where: Places, workers: int) -> dict[str, float]:
    """Runs a study whose workers are warm, and returns its times in seconds."""
    trials = len(plan.trials)
    with pool(workers) as executor, contextlib.ExitStack() as record:
        for warm in [executor.submit(time.sleep, 0.2) for _ in range(2 * workers)]:
            warm.result()
        record.enter_context(seldom())
        with loading():  # as the command does
            opened = record.enter_context(session(plan, where))
        began = time.perf_counter()
        for ended in walk(opened, ExecutorCrew(executor, at_once=workers), device="cpu"):
            assert isinstance(ended, tracking.Finished), ended
        trained, unsent = time.perf_counter() - began, opened.sender.unsent
        opened.sender.drain()
        wall = time.perf_counter() - began
    ideal = math.ceil(trials / workers) * SECONDS
    return {"trials": trials, "workers": workers, "ideal_s": ideal, "trained_s": trained,
            "wall_s": wall, "unsent_at_the_end": unsent, "ratio_trained": trained / ideal,
            "ratio": wall / ideal}  # fmt: skip


def profiled(call: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Returns what a call returns, with the processor time that it took per trial."""
    began = time.process_time()
    found = call()
    return {**found, "cpu_ms": 1000 * (time.process_time() - began) / found["trials"]}


def main() -> None:
    """Prints the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--record", help="MLflow's tracking URI; an SQLite file if unset")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        where = places(Path(folder))
        if asked.record:
            where = dataclasses.replace(where, tracking=asked.record, artifacts=None)
        with tracking.settled(where.tracking):
            plan = plan_of(asked.trials)
            found = profiled(lambda: measure(plan, where, asked.workers))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
