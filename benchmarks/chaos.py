"""Kills a study again and again, at every moment of its life, and checks that nothing is lost.

    python benchmarks/chaos.py [--kills 100] [--seed 0]

A campaign is a fresh store and a study of 24 short trials that is killed a few times, each time at
another moment and in another way, and then run to its end. After it, seven checks compare what is
left with the same study run undisturbed. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PER_CAMPAIGN = 5
"""Kills of one store; the first is in its creation."""
TRIALS = 24
PATIENCE = 900.0
"""Seconds that a start may take on a busy machine."""

STUDY = """
from ablation.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from ablation.spec import Study

study = Study(
    name="chaos",
    question="Does anything get lost?",
    factor="model.attention.init_std",
    levels=(0.0, 0.05, 1.0),
    baseline=0.05,
    margin=0.05,
    looks=(4, 8),
    spend=(1e-9, 1e-9),
    config=RunConfig(
        data=DataConfig(source={data!r}),
        model=ModelConfig(embedding_size=8, hidden_size=8),
        train=TrainConfig(epochs=3, batch_size=16),
    ),
)
"""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


@dataclass
class Place:
    """The folder of a campaign."""

    folder: Path

    @property
    def store(self) -> Path:
        """Folder of the databases."""
        return self.folder / "store"

    def start(self, study: Path) -> subprocess.Popen[str]:
        """Starts the study in a session of its own, with a TMPDIR of its own."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "ablation", "run", str(study), "--workers", "2"]
        return subprocess.Popen(
            [*command, "--store", str(self.store), "--reports", str(self.folder / "reports")],
            cwd=self.folder, text=True, start_new_session=True, env=os.environ | {
                "TMPDIR": str(temporary), "ABLATION_CACHE": str(self.folder.parent / "cache"),
            }, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def query(self, database: str, sql: str) -> list[tuple[object, ...]]:
        """Returns the rows of a query; none while there is no such table."""
        path = self.store / database
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(
                sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=20)
            ) as connection,
        ):
            return connection.execute(sql).fetchall()
        return []

    def finished(self) -> int:
        """Returns the number of trials that are recorded."""
        return len(self.query("mlflow.db", "SELECT 1 FROM runs WHERE status = 'FINISHED'"))


@dataclass
class Tally:
    """All that was seen."""

    kills: int = 0
    trials: int = 0
    doubled: int = 0
    missing: int = 0
    running_left: int = 0
    differing_metrics: int = 0
    differing_reports: int = 0
    unusable_stores: int = 0
    processes_left: int = 0
    stray_files: int = 0
    unfinished_starts: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)


def members(session: int) -> list[int]:
    """Returns the processes of a session, oldest first."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(path.name))
    return sorted(found)


def workers(session: int) -> tuple[list[int], list[int]]:
    """Returns the fork servers and the workers of a session: those that a fork server began."""
    servers, others = [], []
    for pid in members(session):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
            if b"forkserver" in words:
                (others if int(parent) in servers else servers).append(pid)
    return servers, others


def strike(process: subprocess.Popen[str], way: str, draw: random.Random) -> bool:
    """Kills a part of a start, or sends it a signal; returns whether there was anything to hit."""
    servers, trained = workers(process.pid)
    aims = {
        "group": members(process.pid), "conductor": [process.pid], "fork server": servers,
        "worker": trained and [draw.choice(trained)],
    }  # fmt: skip
    how = signal.SIGKILL if way in aims else getattr(signal, way)
    hit = aims.get(way, [process.pid])
    for pid in hit:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
    return bool(hit)


def moments(place: Place, draw: random.Random) -> dict[str, Callable[[], bool]]:
    """Returns the moments at which a start can be hit, each with how it is seen."""
    before, wanted = place.finished(), draw.randint(1, 6)
    progress = place.store / ".ablation/progress"
    return {
        "creation of the store": place.store.exists,
        "start-up": (place.store / "mlflow.db").exists,
        "training": lambda: any(progress.rglob("*.jsonl")),
        "recording": lambda: place.finished() >= min(TRIALS, before + wanted),
        "report": lambda: place.finished() >= TRIALS,
    }


def hit_once(place: Place, study: Path, moment: str, way: str, draw: random.Random) -> bool:
    """Starts the study and hits it; returns whether it was hit before it ended."""
    seen, extra = moments(place, draw)[moment], draw.uniform(0, 1.0)
    process = place.start(study)
    until = time.monotonic() + PATIENCE
    while process.poll() is None and not seen() and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(extra)
    hit = process.poll() is None and strike(process, way, draw)
    end(process)
    return hit


def end(process: subprocess.Popen[str]) -> str:
    """Waits for the end of a start and of its processes, and returns what it printed."""
    out, _ = process.communicate(timeout=PATIENCE)
    until = time.monotonic() + 30
    while members(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    return out


def metrics_of(place: Place) -> dict[tuple[object, ...], object]:
    """Returns key and metric to value, for all finished trials."""
    rows = place.query("mlflow.db", """
        SELECT t.value, m.key, m.value FROM runs r
        JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'ablation.key'
        JOIN latest_metrics m ON m.run_uuid = r.run_uuid WHERE r.status = 'FINISHED'
    """)  # fmt: skip
    return {(key, name): value for key, name, value in rows}


def report_of(place: Place) -> list[list[str]]:
    """Returns the rows of the report's effects."""
    path = place.folder / "reports/chaos/effects.csv"
    return list(csv.reader(path.read_text().splitlines())) if path.exists() else []


def strays(place: Place) -> list[str]:
    """Returns the files that a complete start should not leave."""
    known = {"mlflow.db", "optuna.db", "mlartifacts", ".ablation"}
    known |= {f"{name}.db-{kind}" for name in ("mlflow", "optuna") for kind in ("wal", "shm")}
    left = [path.name for path in place.store.iterdir() if path.name not in known]
    left += [str(path.name) for path in (place.folder / "tmp").iterdir()]
    return left + [path.name for path in (place.store / ".ablation/progress").glob("*/*")]


def check(place: Place, reference: Place, tally: Tally) -> None:
    """Counts all that differs from an undisturbed study."""
    keys = Counter(
        key for (key,) in place.query("mlflow.db", """
            SELECT t.value FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid
            WHERE t.key = 'ablation.key' AND r.status = 'FINISHED'
        """)
    )  # fmt: skip
    tally.trials += len(keys)
    tally.doubled += sum(keys.values()) - len(keys)
    tally.missing += TRIALS - len(keys)
    running = "WHERE {} = 'RUNNING'"
    tally.running_left += len(
        place.query("mlflow.db", f"SELECT 1 FROM runs {running.format('status')}")
    ) + len(place.query("optuna.db", f"SELECT 1 FROM trials {running.format('state')}"))
    mine, theirs = metrics_of(place), metrics_of(reference)
    tally.differing_metrics += sum(mine.get(name) != value for name, value in theirs.items())
    tally.differing_reports += report_of(place) != report_of(reference)
    whole = [place.query(each, "PRAGMA integrity_check") for each in ("mlflow.db", "optuna.db")]
    tally.unusable_stores += whole != [[("ok",)]] * 2
    for name in strays(place):
        tally.stray_files += 1
        print(f"  stray: {name}")


def campaign(
    place: Place, study: Path, kills: int, tally: Tally, draw: random.Random
) -> Iterator[str]:
    """Hits one store a few times and yields a line for each."""
    for number in range(kills):
        later = ["start-up", "training", "recording", "recording", "report"]
        moment = "creation of the store" if number == 0 else draw.choice(later)
        ways = ["group", "group", "conductor", "worker", "fork server"]
        way = draw.choice([*ways, draw.choice(SIGNALS).name]) if number else "group"
        hit = hit_once(place, study, moment, way, draw)
        tally.kills += hit
        tally.moments[moment] += hit
        tally.ways[way] += hit
        yield f"  {moment}, {way}: {'hit' if hit else 'had ended'}; {place.finished()} trials"


def corpus(folder: Path) -> Path:
    """Writes train and test as CSV: three classes that a keyword tells apart."""
    draw, folder = random.Random(7), folder / "toys"
    folder.mkdir()
    for split, rows in {"train": 180, "test": 60}.items():
        lines = ["text,label"]
        for row in range(rows):
            label = ("blue", "green", "red")[row % 3]
            words = draw.choices([f"word{i}" for i in range(40)], k=draw.randint(1, 12))
            lines.append(f"{' '.join(words)} {label}ish {row},{label}")
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return folder


def summary(tally: Tally, seconds: float) -> Mapping[str, object]:
    """Returns the tally as plain values."""
    return {**vars(tally), "seconds": round(seconds)}


def main(arguments: list[str] | None = None) -> int:
    """Runs campaigns until enough was killed; returns 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    tally, draw, began = Tally(), random.Random(given.seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        study = folder / "chaos.py"
        study.write_text(STUDY.format(data=str(corpus(folder))))
        reference = Place(folder / "reference")
        print(end(reference.start(study)))
        assert reference.finished() >= TRIALS, "the undisturbed study did not complete"
        number = 0
        while tally.kills < given.kills and number < 2 * given.kills:
            number += 1
            place = Place(folder / f"campaign{number}")
            print(f"campaign {number}", flush=True)
            left = min(PER_CAMPAIGN, given.kills - tally.kills)
            for line in campaign(place, study, left, tally, draw):
                print(line, flush=True)
            process = place.start(study)
            out = end(process)
            tally.processes_left += len(members(process.pid))
            if process.returncode:
                tally.unfinished_starts += 1
                print(out)
            check(place, reference, tally)
            shutil.rmtree(place.folder)
    print(json.dumps(summary(tally, time.monotonic() - began)))
    bad = ("doubled", "missing", "running_left", "differing_metrics", "unusable_stores",
           "differing_reports", "processes_left", "stray_files", "unfinished_starts")  # fmt: skip
    return int(any(getattr(tally, each) for each in bad))


if __name__ == "__main__":
    sys.exit(main())
