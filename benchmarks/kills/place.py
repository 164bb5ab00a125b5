"""The folder of a campaign: its study, its stores, and what can be read of them from outside."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CONFIG = """
from ablation.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from ablation.spec import Study

config = RunConfig(
    data=DataConfig(source={data!r}),
    model=ModelConfig(embedding_size=8, hidden_size=8),
    train=TrainConfig(epochs=3, batch_size=16),
)
"""
STUDIES = {
    "looks": """
study = Study(
    name="looks",
    question="Does anything get lost?",
    factor="model.attention.init_std",
    levels=(0.0, 0.05, 1.0),
    baseline=0.05,
    margin=0.05,
    looks=(4, 8),
    spend=(1e-9, 1e-9),
    config=config,
)
""",
    "tuned": """
study = Study(
    name="tuned",
    question="Does anything get lost that a tuning has found?",
    factor="model.attention.init_std",
    levels=(0.05, 1.0),
    baseline=0.05,
    margin=0.05,
    seeds=3,
    tune={{"train.learning_rate": (0.001, 0.003, 0.01)}},
    tuning_trials=6,
    config=config,
)
""",
}
"""Name to study: one with two looks, and one whose arms are tuned first."""


@dataclass(frozen=True)
class Place:
    """The folder of a campaign.

    Args:
        folder: It need not exist.
        study: The study file; the cache of its data is beside it.
        trials: Number of trials of the study, and of those that tune its arms.
    """

    folder: Path
    study: Path
    trials: int = 0

    @property
    def store(self) -> Path:
        """Folder of the databases."""
        return self.folder / "store"

    @property
    def is_created(self) -> bool:
        """Returns whether both databases are at their place."""
        return all((self.store / name).exists() for name in ("mlflow.db", "optuna.db"))

    def start(self) -> subprocess.Popen[str]:
        """Starts the study in a session of its own, with a TMPDIR of its own."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "ablation", "run", str(self.study), "--workers", "2"]
        places = {"TMPDIR": str(temporary), "ABLATION_CACHE": str(self.study.parent / "cache")}
        # Each start compiles the package anew where the environment forbids to keep bytecode.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return subprocess.Popen(
            [*command, "--store", str(self.store), "--reports", str(self.folder / "reports")],
            cwd=self.folder, text=True, start_new_session=True, env=environment | places,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def query(self, database: str, sql: str, mode: str = "ro") -> list[tuple[object, ...]]:
        """Returns the rows of a query; none while there is no such table.

        Args:
            database: ``mlflow.db`` or ``optuna.db``.
            sql: The query.
            mode: ``rw`` lets SQLite fold a log that a kill left into the file, as a start would.
        """
        address = f"file:{self.store / database}?mode={mode}"
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(address, uri=True, timeout=20)) as connection,
        ):
            return connection.execute(sql).fetchall()
        return []

    def count(self, database: str, table: str, where: str) -> int:
        """Returns the number of rows that match; 0 while there is no such table."""
        rows = self.query(database, f"SELECT count(*) FROM {table} WHERE {where}")
        return int(str(rows[0][0])) if rows else 0

    def finished(self) -> int:
        """Returns the number of trials that are recorded."""
        return self.count("mlflow.db", "runs", f"status = 'FINISHED' AND {TRIAL}")


TRIAL = "(name LIKE '%seed%' OR name LIKE '%tuning%')"
"""Tells trials from the other runs of a store, in SQL."""


def write_studies(folder: Path) -> list[Path]:
    """Writes a corpus of three classes that a keyword tells apart, and the studies on it."""
    draw, data = random.Random(7), folder / "toys"
    data.mkdir()
    for split, rows in {"train": 180, "test": 60}.items():
        lines = ["text,label"]
        for row in range(rows):
            label = ("blue", "green", "red")[row % 3]
            words = draw.choices([f"word{i}" for i in range(40)], k=draw.randint(1, 12))
            lines.append(f"{' '.join(words)} {label}ish {row},{label}")
        (data / f"{split}.csv").write_text("\n".join(lines) + "\n")
    paths = []
    for name, text in STUDIES.items():
        paths.append(folder / f"{name}.py")
        paths[-1].write_text((CONFIG + text).format(data=str(data)))
    return paths
