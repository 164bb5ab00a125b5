"""Measures the cost of everything except training, in milliseconds per trial, and its growth.

    python benchmarks/overhead.py [--trials 200 2000]

Each study runs with a stand-in for training that returns 100 metric points immediately, and is
recorded as usual in MLflow and Optuna, on SQLite in a new folder. So only the conductor's own
work is measured. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from ablation import tracking
from ablation.execute import ExecutorCrew, session, walk
from ablation.execute.garbage import loading, seldom
from ablation.execute.worker import Ran
from ablation.records.outcome import EpochRecord, RunResult
from ablation.records.places import places
from ablation.study.plan import make_plan
from ablation.study.spec import Study
from ablation.task.text.config import DataConfig, RunConfig

ARMS = 10
EPOCHS = 24
CURVES = ("train/loss", "validation/accuracy", "validation/macro_f1", "validation/loss")
EDGE = 200
"""Number of trials at the beginning and at the end that are compared."""
MOST_MS, MOST_GROWTH = 50.0, 1.3
"""Most milliseconds per trial, and the largest ratio of end to beginning."""


class StandIn(Executor):
    """Replaces the workers, and returns a result without training."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Returns a finished future."""
        future: Future[Any] = Future()
        records = [
            EpochRecord(epoch=e, seconds=0.01 * e, metrics=dict.fromkeys(CURVES, 1 / e))
            for e in range(1, EPOCHS + 1)
        ]
        result = RunResult(
            status="FINISHED",
            epoch=EPOCHS,
            seconds=0.01 * EPOCHS,
            metrics={
                f"{split}/{metric}": random.random()
                for split in ("validation", "test")
                for metric in ("accuracy", "macro_f1", "loss")
            },
            weights_hash=f"{random.getrandbits(256):064x}",
            logits_hash=f"{random.getrandbits(256):064x}",
            correct=bytes(64),
        )
        ran = Ran(ending=result, records=records, began=time.time(), device="cpu")
        future.set_result(ran)
        return future


def study(source: Path, trials: int) -> Study:
    """Returns a study of ten arms with the given number of trials."""
    return Study(
        name="overhead",
        question="What does everything but training cost?",
        factor="model.dropout",
        levels=[arm / 20 for arm in range(ARMS)],
        baseline=0.0,
        seeds=trials // ARMS,
        config=RunConfig(data=DataConfig(source=str(source))),
    )


def floor(folder: Path, repeats: int = 50) -> float:
    """Returns the median milliseconds that MLflow alone needs to record such a run.

    That is one run, one batch of 20 parameters and 100 points, and its end: a measure of this
    machine's current speed.
    """
    from mlflow.entities import Metric, Param

    client = tracking.connect(f"sqlite:///{folder / 'bare.db'}", record=True)
    experiment = client.create_experiment("bare")
    points = [Metric(name, 1 / (1 + e), e, e) for e in range(EPOCHS) for name in CURVES]
    parameters = [Param(f"parameter_{i}", str(i)) for i in range(20)]
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        run_id = client.create_run(experiment).info.run_id
        client.log_batch(run_id, metrics=points, params=parameters)
        client.set_terminated(run_id)
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def measure(trials: int, folder: Path) -> dict[str, float]:
    """Runs a study with the given number of trials in an empty folder; returns its times."""
    toys = folder / "toys.csv"
    rows = [f"text {row} of {word},{word}" for row in range(40) for word in ("blue", "red")]
    toys.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    plan = make_plan(study(toys, trials), folder / "cache")
    wall, cpu = [], []
    began = time.perf_counter()
    with contextlib.ExitStack() as record:
        record.enter_context(seldom())
        with loading():  # as the command does
            opened = record.enter_context(session(plan, places(folder)))
        opening = time.perf_counter() - began
        wall.append(time.perf_counter())
        cpu.append(time.process_time())
        for _ in walk(opened, ExecutorCrew(StandIn(), at_once=2), device="cpu"):
            wall.append(time.perf_counter())
            cpu.append(time.process_time())
    began = time.perf_counter()
    with session(plan, places(folder)) as opened:
        reopening = time.perf_counter() - began
        assert not opened.missing
    assert len(wall) == trials + 1
    edge = min(EDGE, trials // 2)
    return {
        "trials": trials,
        "floor_ms": floor(folder),
        "ms": 1000 * (wall[-1] - wall[0]) / trials,
        "cpu_ms": 1000 * (cpu[-1] - cpu[0]) / trials,
        "first_ms": 1000 * (wall[edge] - wall[0]) / edge,
        "last_ms": 1000 * (wall[-1] - wall[-1 - edge]) / edge,
        "growth": (wall[-1] - wall[-1 - edge]) / (wall[edge] - wall[0]),
        "cpu_growth": (cpu[-1] - cpu[-1 - edge]) / (cpu[edge] - cpu[0]),
        "opening_s": opening,
        "reopening_s": reopening,
    }


def main() -> int:
    """Prints a line per size and the JSON object; returns 1 if a trial costs too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[200, 2000])
    sizes = parser.parse_args().trials
    found = []
    for trials in sizes:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(trials, Path(folder)))
        line = ", ".join(f"{name} {value:.3g}" for name, value in found[-1].items())
        sys.stdout.write(f"{line}\n")
    good = all(each["ms"] <= MOST_MS and each["growth"] <= MOST_GROWTH for each in found)
    sys.stdout.write(json.dumps({"ok": good, "sizes": found}) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
