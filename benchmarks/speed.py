"""How much faster than the tutorial way the same trainings are, at equal accuracy.

Both sides train the same rows: this program splits a data set once. The comparator,
``tutorial_way.py``, is what one writes from the public recipes of Optuna, MLflow and PyTorch; the
harness is ``ablation run``, its report included. Each is timed as a whole process, imports
included, one after the other; ratios are medians over the rounds. Then both train more seeds an
arm, once, and the question is whether the harness is worse by more than 1.5 points (one-sided, 95
%, pooled over the arms).

    python benchmarks/speed.py [DATA] [--encoders cnn none bilstm] [--rounds 3] [--seeds 48]

`--rounds 0` compares accuracy alone, `--seeds 0` times alone.

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
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent
TUTORIAL = HERE / "tutorial_way.py"
LAST = HERE / "speed.json"
"""The ratios of the last run that was kept with ``--keep``."""

SEEDS = 3
LEVELS = (0.0, 0.01, 0.05, 0.5)
ENCODERS = ("cnn", "none", "bilstm")
VALIDATION_ROWS = 500
WORSE_BY = 1.5
"""Points of accuracy by which the harness may not be worse."""
MANY = 48
"""A seed's mean over the arms has a standard deviation of about two points on either side: that of
the difference is then 0.41, and a harness that is not worse passes in 97 of 100 runs."""

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

ADOPT = 36
"""Linux' PR_SET_CHILD_SUBREAPER: processes whose parent has ended become this one's children."""


@dataclasses.dataclass(frozen=True)
class Timed:
    """What one process took, with all that it started, and the accuracy of every training."""

    wall: float
    cpu: float
    memory: float
    """Largest resident size of a single process, in MB."""
    accuracy: pd.DataFrame
    """On test; a row per seed, a column per arm."""


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
    """Runs the comparator, timed."""
    command = [sys.executable, str(TUTORIAL), *asked_of_it(data, folder, encoder, seeds, LEVELS)]
    took = timed(command, folder / "log.txt", MLFLOW_DISABLE_TELEMETRY="true")
    return Timed(*took, accuracy_of_it(folder))


def asked_of_it(
    data: Path, folder: Path, encoder: str, seeds: int, levels: Iterable[float]
) -> list[str]:
    """Returns the comparator's arguments."""
    return [
        "--data", str(data), "--encoder", encoder, "--seeds", str(seeds),
        "--levels", *map(str, levels), "--out", str(folder),
    ]  # fmt: skip


def accuracy_of_it(folder: Path) -> pd.DataFrame:
    """Reads what the comparator has logged: a row per seed, a column per arm."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("init_std")
    found = {}
    for run in client.search_runs([experiment.experiment_id], "params.seed != ''"):
        cell = int(run.data.params["seed"]), float(run.data.params["init_std"])
        found[cell] = run.data.metrics["test_accuracy"]
    return pd.Series(found).unstack()


def accuracy_of_tutorial(data: Path, folder: Path, encoder: str, seeds: int) -> pd.DataFrame:
    """Runs the comparator for its accuracy alone, which need not take as long as when timed.

    Half of the arms at a time, each on one thread, and with numbers below float32's normal range
    taken for zero.
    """
    code = (
        "import runpy, sys, torch; torch.set_flush_denormal(True); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    with contextlib.ExitStack() as stack:
        processes = {}
        for half in (LEVELS[::2], LEVELS[1::2]):
            into = folder / str(half[0])
            into.mkdir()
            arguments = asked_of_it(data, into, encoder, seeds, half)
            command = [sys.executable, "-c", code, str(TUTORIAL), *arguments]
            log = stack.enter_context((into / "log.txt").open("w"))
            processes[into] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        for into, process in processes.items():
            if process.wait():
                sys.exit(f"The comparator failed:\n{(into / 'log.txt').read_text()}")
    return pd.concat([accuracy_of_it(into) for into in processes], axis=1)[list(LEVELS)]


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
    accuracy = test.pivot(index="seed", columns="arm", values="value")
    return Timed(*took, accuracy.rename(columns=float))


def race(data: Path, encoder: str, rounds: int, before: dict[str, Any]) -> dict[str, Any]:
    """Times both sides in turn; returns the ratio and the seconds of a training behind it."""
    trainings = SEEDS * len(LEVELS)
    sides: dict[str, list[Timed]] = {"tutorial": [], "harness": []}
    for _ in range(rounds):
        for name, run in (("tutorial", tutorial), ("harness", harness)):
            with tempfile.TemporaryDirectory() as folder:
                sides[name].append(run(data, Path(folder), encoder, SEEDS))
    print(f"\n{encoder}: {trainings} trainings a side, medians of {rounds} rounds")
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


def judge(data: Path, encoder: str, seeds: int) -> dict[str, Any]:
    """Compares accuracy; returns the difference over the arms and its lower end, in points.

    A seed draws embeddings and order for all of its arms, so its mean over them is one value.
    Welch's t compares these: one-sided, 95 %.
    """
    from scipy.stats import ttest_ind

    with tempfile.TemporaryDirectory() as folder:
        theirs = accuracy_of_tutorial(data, Path(folder), encoder, seeds)
    with tempfile.TemporaryDirectory() as folder:
        ours = harness(data, Path(folder), encoder, seeds).accuracy[list(LEVELS)]
    print(f"\n{encoder}: {seeds} seeds an arm")
    for name, accuracy in (("tutorial", theirs), ("harness", ours)):
        print(f"  {name}")
        print_accuracy(accuracy)
    means = [100 * accuracy.mean(axis=1) for accuracy in (ours, theirs)]
    found = ttest_ind(*means, equal_var=False, alternative="greater")
    lower = found.confidence_interval(0.95).low
    difference = means[0].mean() - means[1].mean()
    print(f"  accuracy: {difference:+.2f} points, lower end {lower:+.2f} (95 %)")
    values = {"seeds": seeds, "difference": difference, "lower": lower}
    return {f"accuracy_{encoder}": {name: round(float(x), 3) for name, x in values.items()}}


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="folder of two Parquet files")
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=ENCODERS)
    parser.add_argument("--rounds", type=int, default=3, help="for the times; 0 for none")
    parser.add_argument("--seeds", type=int, default=MANY, help="for accuracy; 0 for none")
    parser.add_argument("--keep", action="store_true", help=f"write the figures to {LAST.name}")
    options = parser.parse_args()
    data = options.data or Path(os.environ.get("ABLATION_TEST_DATA", "")) / "trec"
    if not (data / "train.parquet").exists():
        parser.error(f"{data} holds no train.parquet: give a folder (make bench DATA=...)")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT, 1)
    before: dict[str, Any] = json.loads(LAST.read_text()) if LAST.exists() else {}
    summary: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        split(data, Path(folder))
        for encoder in options.encoders:
            if options.rounds:
                summary |= race(Path(folder), encoder, options.rounds, before)
            if options.seeds:
                summary |= judge(Path(folder), encoder, options.seeds)
    if options.keep:
        LAST.write_text(json.dumps(with_answer(before | summary), indent=2) + "\n")
    print(json.dumps(with_answer(summary)))


def with_answer(summary: dict[str, Any]) -> dict[str, Any]:
    """Adds whether the harness is as good with every encoder that was compared; None of none."""
    lower = [each["lower"] for each in summary.values() if isinstance(each, dict)]
    return summary | {"accuracy_ok": min(lower) >= -WORSE_BY if lower else None}


if __name__ == "__main__":
    main()
