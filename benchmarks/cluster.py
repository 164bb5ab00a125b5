"""Compares a Dask worker with the pool: training in pairs, and what a call costs besides it.

    python benchmarks/cluster.py [--pairs 9] [--calls 200]

Both have one worker on this machine. A pair trains the same trial in one after the other, which is
first changing from pair to pair. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from pathlib import Path

from dask.distributed import LocalCluster

from ablation.execute import Crew, ProcessCrew
from ablation.execute.ahead import job_of
from ablation.execute.cluster.engine import DaskCrew
from ablation.execute.cluster.packing import Packing
from ablation.execute.worker import Job, run_trial
from ablation.study.plan import make_plan
from ablation.study.spec import Study
from ablation.task.text.config import DataConfig, RunConfig, TrainConfig

MOST = 1.05
"""Largest ratio of the lower quartiles of training times."""


def job_in(folder: Path) -> Job:
    """Returns a training of some seconds on the built-in corpus."""
    config = RunConfig(data=DataConfig(source="docstrings"), train=TrainConfig(epochs=2))
    study = Study(name="bench", question="Q?", factor="model.dropout", levels=(0.1, 0.2),
                  baseline=0.1, seeds=1, config=config)  # fmt: skip
    plan = make_plan(study, folder / "cache")
    return dataclasses.replace(job_of(plan, plan.trials[0], folder, "cpu"), progress=None)


def seconds(crew: Crew, job: Job) -> float:
    """Returns the seconds of a training in a crew, as its worker measures them."""
    spent: float = crew.submit(run_trial, job).result().ending.seconds
    return spent


def per_call(crew: Crew, calls: int) -> float:
    """Returns the milliseconds of an empty call, several being under way."""
    began = time.perf_counter()
    for future in [crew.submit(abs, -1) for _ in range(calls)]:
        future.result()
    return (time.perf_counter() - began) / calls * 1000


def main() -> None:
    """Prints times and their ratio; exits with 1 if it is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--calls", type=int, default=200)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        job, task = job_in(Path(place)), Study.__dataclass_fields__["task"].default
        pool = ProcessCrew(1)
        crews: dict[str, Crew] = {
            "pool": pool, "dask": DaskCrew(cluster.scheduler_address, Packing(task), print),
        }  # fmt: skip
        pool.prepare(*task.preload)
        for crew in crews.values():
            seconds(crew, job)  # loads what it needs
        times: dict[str, list[float]] = {name: [] for name in crews}
        for pair in range(given.pairs):
            for name in sorted(crews, reverse=pair % 2 == 0):
                times[name].append(seconds(crews[name], job))
            print({name: round(each[-1], 3) for name, each in times.items()}, flush=True)
        calls = {name: per_call(crew, given.calls) for name, crew in crews.items()}
        for crew in crews.values():
            crew.end()
    low = {name: statistics.quantiles(each, n=4)[0] for name, each in times.items()}
    ratios = [dask / home for home, dask in zip(times["pool"], times["dask"], strict=True)]
    found = {
        "lower quartiles, s": low, "ratio": low["dask"] / low["pool"],
        "median of pairs": statistics.median(ratios), "ms per call": calls,
    }  # fmt: skip
    print(json.dumps(found))
    raise SystemExit(found["ratio"] > MOST)


if __name__ == "__main__":
    main()
