"""Times both ends of a small study: to its first training, after its last, and a second run of it.

Each round runs ``ablation run`` twice in an empty folder with the data prepared already: 8
trainings of a second or so, two at a time, and then nothing to do. Times are those of whole
processes, imports and report included. With ``--against`` every round also runs another source
tree, in turns, and the medians of the ratios are printed, which a busy machine moves less. The
last line is one JSON object.

    make bench-ends [ROUNDS=5] [AGAINST=OTHER/src]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

OURS = Path(__file__).parents[1] / "src"

STUDY = """
from ablation.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from ablation.spec import Study

study = Study(
    name="ends", question="How long are both ends?", factor="model.attention.init_std",
    levels=(0.0, 0.01, 0.05, 0.5), baseline=0.05, seeds=2,
    config=RunConfig(
        data=DataConfig(source={source!r}),
        model=ModelConfig(encoder="none"),
        train=TrainConfig(epochs=3, batch_size=32, select_on="last"),
    ),
)
"""


def write_data(folder: Path, rows: int = 6000) -> None:
    """Writes texts of three classes that a word tells apart."""
    draw = random.Random(7)
    words = [f"word{i}" for i in range(3000)]
    lines = ["text,label"]
    for row in range(rows):
        label = ("blue", "green", "red")[row % 3]
        lines.append(f"{' '.join(draw.choices(words, k=10))} {label}ish {row},{label}")
    folder.mkdir()
    (folder / "train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(source: Path, study: Path, cache: Path, folder: Path) -> tuple[float, float]:
    """Runs the study; returns when its process began and ended, in seconds since the epoch."""
    environment = os.environ | {"PYTHONPATH": str(source), "ABLATION_CACHE": str(cache)}
    began = time.time()
    subprocess.run(
        [sys.executable, "-P", "-m", "ablation", "run", str(study), "--workers", "2"],
        cwd=folder, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    return began, time.time()


def measure(source: Path, study: Path, cache: Path) -> dict[str, float]:
    """Returns seconds of the parts of a first run, and of the second."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        began, ended = run(source, study, cache, folder)
        query = "SELECT min(start_time), max(end_time) FROM runs WHERE run_uuid IN "
        query += "(SELECT run_uuid FROM tags WHERE key = 'ablation.kind' AND value = 'trial')"
        with closing(sqlite3.connect(folder / "mlflow.db")) as record:
            ((first, last),) = record.execute(query)
        again = run(source, study, cache, folder)
    return {
        "to_first_training": first / 1000 - began,
        "after_last_training": ended - last / 1000,
        "whole": ended - began,
        "second_run": again[1] - again[0],
    }


def main() -> None:
    """Measures in turns and prints medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    sources = {"ours": OURS} | ({"other": options.against} if options.against else {})
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sources}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_data(folder / "data")
        study = folder / "ends.py"
        study.write_text(STUDY.format(source=str(folder / "data")), encoding="utf-8")
        (folder / "first").mkdir()
        run(OURS, study, folder / "cache", folder / "first")  # prepares the data
        for _ in range(options.rounds):
            for name, source in sources.items():
                found[name].append(measure(source, study, folder / "cache"))
                sys.stdout.write(f"{name}: {found[name][-1]}\n")
                sys.stdout.flush()
    parts = list(found["ours"][0])
    medians = {
        name: {part: statistics.median(each[part] for each in rounds) for part in parts}
        for name, rounds in found.items()
    }
    if options.against:
        pairs = list(zip(found["ours"], found["other"], strict=True))
        medians["ratio"] = {
            part: statistics.median(ours[part] / other[part] for ours, other in pairs)
            for part in parts
        }
    sys.stdout.write(json.dumps(medians) + "\n")


if __name__ == "__main__":
    main()
