"""How much faster than the tutorial way the same trainings are, at equal accuracy.

Both sides train the same rows: this program splits a data set once. The comparator,
``tutorial_way.py``, is what one writes from the public recipes of Optuna, MLflow and PyTorch; the
harness is ``ablation run``, its report included. Each is timed as a whole process, imports
included, one after the other; ratios are medians over the rounds. Then both train 8 seeds an arm,
once, and the question is whether the harness is worse by more than 1.5 points (one-sided, 95 %,
pooled over the arms).

    python benchmarks/speed.py [DATA] [--encoders cnn none bilstm] [--rounds 3] [--no-accuracy]

DATA is a folder with ``train.parquet`` and ``test.parquet``, columns ``text`` and ``label``; where
it is not given, ``trec`` in the folder that ABLATION_TEST_DATA names. The last line is one JSON
object; ``--keep`` writes it to ``speed.json``, with which later runs compare themselves.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
LAST = HERE / "speed.json"
"""The ratios of the last run that was kept with ``--keep``."""

SEEDS = 3
LEVELS = (0.0, 0.01, 0.05, 0.5)
VALIDATION_ROWS = 500
WORSE_BY = 0.015
ONE_SIDED = 1.6449
"""The normal's 95 % quantile; the degrees of freedom here are above 50."""

STUDY = """
from ablation.config import AttentionConfig, DataConfig, ModelConfig, RunConfig, TrainConfig
from ablation.spec import Study

study = Study(
    name="speed",
    question="How fast is it?",
    factor="model.attention.init_std",
    levels={levels},
    baseline=0.05,
    seeds={seeds},
    config=RunConfig(
        data=DataConfig(source={source!r}),
        model=ModelConfig(
            encoder={encoder!r},
            embedding_size=128,
            hidden_size=128,
            embedding_std=1.0,
            dropout=0.3,
        ),
        train=TrainConfig(epochs=5, batch_size=32, learning_rate=1e-3, select_on="last"),
    ),
)
"""


ACCURACY_SEEDS = 8
ADOPT = 36
"""Linux' PR_SET_CHILD_SUBREAPER: processes whose parent has ended become this one's children."""


@dataclasses.dataclass(frozen=True)
class Timed:
    """What one process took, with all that it started, and the accuracy of every training."""

    wall: float
    cpu: float
    memory: float
    """Largest resident size of a single process, in MB."""
    accuracy: dict[float, list[float]]


def split(data: Path, into: Path) -> None:
    """Writes train, validation and test, so that both sides train on the same rows."""
    train, test = (pd.read_parquet(data / f"{name}.parquet") for name in ("train", "test"))
    shuffled = train.sample(frac=1, random_state=0)
    shuffled[:VALIDATION_ROWS].to_parquet(into / "validation.parquet")
    shuffled[VALIDATION_ROWS:].to_parquet(into / "train.parquet")
    test.to_parquet(into / "test.parquet")


def timed(command: list[str], log: Path, **environment: str) -> tuple[float, float, float]:
    """Runs a command and returns wall seconds, CPU seconds and peak memory in MB.

    CPU seconds are those of all processes that it started, also where they outlive it.
    """
    began = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | environment
        )
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status != 0:
        sys.exit(f"{' '.join(command)} failed:\n{log.read_text()}")
    cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss
    with contextlib.suppress(ChildProcessError):
        while True:
            _, _, used = os.wait4(-1, 0)
            cpu, memory = cpu + used.ru_utime + used.ru_stime, max(memory, used.ru_maxrss)
    return wall, cpu, memory / (1024 if sys.platform != "darwin" else 2**20)


def tutorial(data: Path, folder: Path, encoder: str, seeds: int) -> Timed:
    """Runs the comparator."""
    command = [
        sys.executable, str(HERE / "tutorial_way.py"), "--data", str(data), "--encoder", encoder,
        "--seeds", str(seeds), "--levels", *map(str, LEVELS), "--out", str(folder),
    ]  # fmt: skip
    took = timed(command, folder / "log.txt", MLFLOW_DISABLE_TELEMETRY="true")
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("init_std")
    accuracy: dict[float, list[float]] = {level: [] for level in LEVELS}
    for run in client.search_runs([experiment.experiment_id], "params.seed != ''"):
        level = float(run.data.params["init_std"])
        accuracy[level].append(run.data.metrics["test_accuracy"])
    return Timed(*took, accuracy)


def harness(data: Path, folder: Path, encoder: str, seeds: int) -> Timed:
    """Runs the same trainings with this project; its cache is empty, as after a fresh clone."""
    study = folder / "speed.py"
    fields = {"levels": LEVELS, "seeds": seeds, "source": str(data), "encoder": encoder}
    study.write_text(STUDY.format(**fields))
    command = [
        sys.executable, "-P", "-m", "ablation", "run", str(study), "--store", str(folder),
        "--reports", str(folder / "reports"),
    ]  # fmt: skip
    took = timed(command, folder / "log.txt", ABLATION_CACHE=str(folder / "cache"))
    runs = pd.read_csv(folder / "reports" / "speed" / "runs.csv")
    test = runs[(runs["split"] == "test") & (runs["metric"] == "accuracy")]
    accuracy = {float(arm): rows["value"].tolist() for arm, rows in test.groupby("arm")}
    return Timed(*took, accuracy)


def compare(data: Path, encoder: str, seeds: int) -> tuple[Timed, Timed]:
    """Runs both sides once, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / name for name in ("tutorial", "harness")]
        for place in places:
            place.mkdir()
        return tutorial(data, places[0], encoder, seeds), harness(data, places[1], encoder, seeds)


def print_table(encoder: str, sides: dict[str, list[Timed]], trainings: int) -> None:
    """Prints a row per side: medians over the rounds, and each arm's accuracy."""
    rounds = len(sides["tutorial"])
    print(
        f"\n{encoder}: {trainings} trainings a side, medians of {rounds} round{'s'[: rounds > 1]}"
    )
    for name, rounds in sides.items():
        wall, cpu, memory = (
            statistics.median(getattr(each, field) for each in rounds)
            for field in ("wall", "cpu", "memory")
        )
        per = wall / trainings
        print(f"  {name:9} {per:6.2f} s a training, CPU {cpu:6.1f} s, peak {memory:5.0f} MB")
        for level, values in rounds[0].accuracy.items():
            error = statistics.stdev(values) / math.sqrt(len(values))
            print(f"    init std {level}: {statistics.mean(values):.4f} +- {error:.4f} (s.e.)")


def is_as_good(tutorial_way: Timed, ours: Timed) -> bool:
    """Whether the harness is surely not worse by more than 1.5 points, pooled over the arms."""
    arms = [(tutorial_way.accuracy[level], ours.accuracy[level]) for level in LEVELS]
    difference = statistics.mean(statistics.mean(b) - statistics.mean(a) for a, b in arms)
    variances = [
        statistics.variance(a) / len(a) + statistics.variance(b) / len(b) for a, b in arms
    ]
    error = math.sqrt(sum(variances)) / len(arms)
    lower = difference - ONE_SIDED * error
    print(f"  accuracy: {100 * difference:+.2f} points, lower end {100 * lower:+.2f} (95 %)")
    return lower >= -WORSE_BY


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="folder of two Parquet files")
    parser.add_argument("--encoders", nargs="+", default=["cnn", "none", "bilstm"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-accuracy", action="store_true", help="compare times alone")
    parser.add_argument("--keep", action="store_true", help=f"write the ratios to {LAST.name}")
    options = parser.parse_args()
    data = options.data or Path(os.environ.get("ABLATION_TEST_DATA", "")) / "trec"
    if not (data / "train.parquet").exists():
        parser.error(f"{data} holds no train.parquet: give a folder (make bench DATA=...)")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT, 1)
    trainings = SEEDS * len(LEVELS)
    before = json.loads(LAST.read_text()) if LAST.exists() else {}
    summary: dict[str, object] = {}
    good = []
    with tempfile.TemporaryDirectory() as folder:
        split(data, Path(folder))
        for encoder in options.encoders:
            sides: dict[str, list[Timed]] = {"tutorial": [], "harness": []}
            for _ in range(options.rounds):
                for side, took in zip(
                    sides.values(), compare(Path(folder), encoder, SEEDS), strict=True
                ):
                    side.append(took)
            print_table(encoder, sides, trainings)
            pairs = zip(sides["tutorial"], sides["harness"], strict=True)
            ratio = statistics.median(a.wall / b.wall for a, b in pairs)
            was = before.get(f"ratio_{encoder}")
            change = f", {ratio / was - 1:+.0%} to what was kept" if was else ""
            print(f"  ratio: {ratio:.2f}{change}")
            summary[f"ratio_{encoder}"] = round(ratio, 3)
            for name, side in sides.items():
                walls = [round(each.wall / trainings, 3) for each in side]
                summary[f"seconds_{name}_{encoder}"] = walls
            if not options.no_accuracy:
                both = compare(Path(folder), encoder, ACCURACY_SEEDS)
                many = {name: [took] for name, took in zip(sides, both, strict=True)}
                print_table(encoder, many, ACCURACY_SEEDS * len(LEVELS))
                good.append(is_as_good(*both))
    summary["accuracy_ok"] = all(good) if good else None
    if options.keep:
        LAST.write_text(json.dumps(before | summary, indent=2) + "\n")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
