"""Compares this project with the tutorial way on the same trainings: time and accuracy.

    python benchmarks/speed.py [DATA] [--encoders cnn none bilstm] [--rounds 3] [--seeds N]

Both sides train on the same rows. The comparator, ``tutorial_way.py``, follows the public recipes
of Optuna, MLflow and PyTorch; the harness is ``ablation run``, including its report. Both are
timed in turn as whole processes, including imports; ratios are medians over the rounds. Then both
train many more seeds per arm, untimed, to test whether the accuracy of the harness is worse by
more than 1.5 points (95 %, one-sided, pooled over the arms).

`--rounds 0` compares only accuracy, `--seeds 0` only times.

DATA is a folder with ``train.parquet`` and ``test.parquet``, columns ``text`` and ``label``; by
default, ``trec`` in the folder named by ABLATION_TEST_DATA. The last line is one JSON object.
``--keep`` writes it to ``speed.json``, for comparison by later runs, and every accuracy to
``accuracy.csv``.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent
TUTORIAL = HERE / "tutorial_way.py"
LAST = HERE / "speed.json"
"""The figures of the last run with ``--keep``."""
VALUES = HERE / "accuracy.csv"
"""The accuracy of every training behind these figures."""

SEEDS = 3
LEVELS = (0.0, 0.01, 0.05, 0.5)
ENCODERS = ("cnn", "none", "bilstm")
ACCURACIES = [f"accuracy_{encoder}" for encoder in ENCODERS]
VALIDATION_ROWS = 500
WORSE_BY = 1.5
"""Points of accuracy; the harness fails if it may be worse by more."""
MANY = {"cnn": 48, "none": 160, "bilstm": 24}
"""Encoder to seeds per arm for the accuracy. A seed's mean over the arms has a standard deviation
of 2 points with the cnn and 4.5 points without an encoder, so the difference of the sides has one
of 0.4 and 0.5; the bilstm's arms hardly differ."""

# The comparator keeps every word, too.
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
        data=DataConfig(source={source!r}, vocabulary_size=1_000_000),
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

ADOPT = 36
"""Linux's PR_SET_CHILD_SUBREAPER: makes orphaned descendants children of this process."""


@dataclasses.dataclass(frozen=True)
class Timed:
    """The cost of a process and its descendants, and the accuracy of every training."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds over all processes."""
    memory: float
    """Peak resident memory of a single process, in MB."""
    accuracy: pd.DataFrame
    """Accuracy on test: a row per seed, a column per arm."""


def split(data: Path, into: Path) -> None:
    """Writes the files of train, validation and test that both sides use."""
    train, test = (pd.read_parquet(data / f"{name}.parquet") for name in ("train", "test"))
    shuffled = train.sample(frac=1, random_state=0)
    shuffled[:VALIDATION_ROWS].to_parquet(into / "validation.parquet")
    shuffled[VALIDATION_ROWS:].to_parquet(into / "train.parquet")
    test.to_parquet(into / "test.parquet")


def timed(command: list[str], log: Path, **environment: str) -> tuple[float, float, float]:
    """Runs a command and returns wall seconds, CPU seconds and peak memory in MB.

    CPU seconds include all descendants, even those that outlive the command.
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
    """Runs the comparator and returns its times and accuracy."""
    command = [
        sys.executable,
        str(TUTORIAL),
        *tutorial_arguments(data, folder, encoder, seeds, LEVELS),
    ]
    took = timed(command, folder / "log.txt", MLFLOW_DISABLE_TELEMETRY="true")
    return Timed(*took, tutorial_accuracy(folder))


def tutorial_arguments(
    data: Path, folder: Path, encoder: str, seeds: int, levels: Iterable[float]
) -> list[str]:
    """Returns the comparator's command-line arguments."""
    return [
        "--data", str(data), "--encoder", encoder, "--seeds", str(seeds),
        "--levels", *map(str, levels), "--out", str(folder),
    ]  # fmt: skip


def tutorial_accuracy(folder: Path) -> pd.DataFrame:
    """Returns the accuracy that the comparator logged: a row per seed, a column per arm."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("init_std")
    found = {}
    ids, each = [experiment.experiment_id], "params.seed != ''"
    for run in client.search_runs(ids, each, max_results=50_000):
        cell = int(run.data.params["seed"]), float(run.data.params["init_std"])
        found[cell] = run.data.metrics["test_accuracy"]
    return pd.Series(found).unstack()


def train_tutorial(data: Path, folder: Path, encoder: str, seeds: int) -> pd.DataFrame:
    """Runs the comparator untimed and returns its accuracy.

    To save time, two processes with one thread each train half of the arms each, float32 numbers
    below the normal range are treated as zero, and Adam uses PyTorch's fused kernel.
    """
    code = (
        "import functools, runpy, sys, torch; torch.set_flush_denormal(True); "
        "torch.optim.Adam = functools.partial(torch.optim.Adam, fused=True); "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    halves = {folder / str(half[0]): half for half in (LEVELS[::2], LEVELS[1::2])}

    def train(into: Path) -> None:
        into.mkdir()
        arguments = tutorial_arguments(data, into, encoder, seeds, halves[into])
        with (into / "log.txt").open("w") as log:
            command = [sys.executable, "-c", code, str(TUTORIAL), *arguments]
            failed = subprocess.call(command, stdout=log, stderr=log, env=environment)
        if failed:
            sys.exit(f"The comparator failed:\n{(into / 'log.txt').read_text()}")

    with ThreadPoolExecutor(len(halves)) as threads:
        list(threads.map(train, halves))
    return pd.concat([tutorial_accuracy(into) for into in halves], axis=1)


def harness(data: Path, folder: Path, encoder: str, seeds: int) -> Timed:
    """Runs the same trainings with this project on an empty cache; returns times and accuracy."""
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
    accuracy = test.pivot(index="seed", columns="arm", values="value")
    return Timed(*took, accuracy.rename(columns=float))


def train_harness(data: Path, folder: Path, encoder: str, seeds: int) -> pd.DataFrame:
    """Runs this project untimed and returns its accuracy."""
    return harness(data, folder, encoder, seeds).accuracy


def race(data: Path, encoder: str, rounds: int, before: dict[str, Any]) -> dict[str, Any]:
    """Times both sides in turn; returns the ratio of times and the seconds per training."""
    trainings = SEEDS * len(LEVELS)
    sides: dict[str, list[Timed]] = {"tutorial": [], "harness": []}
    for _ in range(rounds):
        for name, run in (("tutorial", tutorial), ("harness", harness)):
            with tempfile.TemporaryDirectory() as folder:
                sides[name].append(run(data, Path(folder), encoder, SEEDS))
    print(
        f"\n{encoder}: {trainings} trainings a side, medians of {rounds} round{'s'[: rounds > 1]}"
    )
    for name, side in sides.items():
        wall, cpu, memory = (
            statistics.median(getattr(each, field) for each in side)
            for field in ("wall", "cpu", "memory")
        )
        per = wall / trainings
        print(f"  {name:9} {per:6.2f} s a training, CPU {cpu:6.1f} s, peak {memory:5.0f} MB")
        print_accuracy(side[0].accuracy)
    pairs = zip(*sides.values(), strict=True)
    ratio = statistics.median(theirs.wall / ours.wall for theirs, ours in pairs)
    was = before.get(f"ratio_{encoder}")
    print(f"  ratio: {ratio:.2f}" + (f", {ratio / was - 1:+.0%} to what was kept" if was else ""))
    return {f"ratio_{encoder}": round(ratio, 3)} | {
        f"seconds_{name}_{encoder}": [round(each.wall / trainings, 3) for each in side]
        for name, side in sides.items()
    }


def print_accuracy(accuracy: pd.DataFrame) -> None:
    """Prints mean and standard error of each arm."""
    for level in LEVELS:
        mean, error = accuracy[level].mean(), accuracy[level].sem()
        print(f"    init std {level}: {mean:.4f}, standard error {error:.4f}")


def train_both(data: Path, encoder: str, seeds: int) -> dict[str, pd.DataFrame]:
    """Returns the accuracy of each side: a row per seed, a column per arm."""
    sides = {}
    for name, run in (("tutorial", train_tutorial), ("harness", train_harness)):
        with tempfile.TemporaryDirectory() as folder:
            sides[name] = run(data, Path(folder), encoder, seeds)[list(LEVELS)]
        if sides[name].shape != (seeds, len(LEVELS)) or sides[name].isna().any(axis=None):
            sys.exit(f"A run of {encoder} failed in the {name}: its arms cannot be pooled.")
    return sides


def judge(sides: dict[str, pd.DataFrame], encoder: str) -> dict[str, Any]:
    """Compares accuracy; returns the mean difference and its lower bound, in points.

    Welch's t test, one-sided at 95 %, on the seeds' means over the arms.
    """
    # One value per seed, because all arms of a seed share its embeddings and order.
    from scipy.stats import ttest_ind

    theirs, ours = (100 * accuracy.mean(axis=1) for accuracy in sides.values())
    print(f"\n{encoder}: {len(ours)} seeds an arm")
    for name, accuracy in sides.items():
        print(f"  {name}")
        print_accuracy(accuracy)
    found = ttest_ind(ours, theirs, equal_var=False, alternative="greater")
    lower, difference = found.confidence_interval(0.95).low, ours.mean() - theirs.mean()
    print(f"  accuracy: {difference:+.2f} points, lower end {lower:+.2f} (95 %)")
    points = {"difference": round(float(difference), 3), "lower": round(float(lower), 3)}
    return {f"accuracy_{encoder}": {"seeds": len(ours)} | points}


def keep_values(sides: dict[str, pd.DataFrame], encoder: str) -> None:
    """Writes the accuracy of every training to the file, replacing the encoder's old values."""
    long = pd.concat(sides, names=["side", "seed"]).reset_index()
    long.insert(0, "encoder", encoder)
    if VALUES.exists():
        before = pd.read_csv(VALUES).rename(columns={str(level): level for level in LEVELS})
        long = pd.concat([before[before["encoder"] != encoder], long])
    long.to_csv(VALUES, index=False)


def main() -> None:
    """Runs the comparisons that the command line chooses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "data", type=Path, nargs="?", help="folder with train.parquet and test.parquet"
    )
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=ENCODERS)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of timing; 0 for none")
    parser.add_argument(
        "--seeds", type=int, help=f"seeds for accuracy, 0 for none; default: {MANY}"
    )
    parser.add_argument("--keep", action="store_true", help=f"write the figures to {LAST.name}")
    options = parser.parse_args()
    if options.rounds < 0 or (options.seeds or 0) < 0 or options.seeds == 1:
        parser.error("--rounds must be 0 or more, --seeds 0 or at least 2")
    real = os.environ.get("ABLATION_TEST_DATA")
    data = options.data or (Path(real) / "trec" if real else None)
    if data is None:
        parser.error("no data: give a folder (make bench DATA=...) or set ABLATION_TEST_DATA")
    if not (data / "train.parquet").exists():
        parser.error(f"{data} has no train.parquet: give another folder (make bench DATA=...)")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT, 1)
    before: dict[str, Any] = json.loads(LAST.read_text()) if LAST.exists() else {}
    summary: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        split(data, Path(folder))
        for encoder in options.encoders:
            if options.rounds:
                summary |= race(Path(folder), encoder, options.rounds, before)
            if options.seeds != 0:
                accuracy = train_both(Path(folder), encoder, options.seeds or MANY[encoder])
                summary |= judge(accuracy, encoder)
                if options.keep:
                    keep_values(accuracy, encoder)
    if options.keep:
        LAST.write_text(json.dumps(with_answer(before | summary), indent=2) + "\n")
    print(json.dumps(with_answer(summary)))


def with_answer(summary: dict[str, Any]) -> dict[str, Any]:
    """Adds ``accuracy_ok``: whether no compared encoder is worse; None if none was compared."""
    compared = [each for name, each in summary.items() if name in ACCURACIES]
    good = all(each["lower"] >= -WORSE_BY for each in compared)
    return summary | {"accuracy_ok": good if compared else None}


if __name__ == "__main__":
    main()
