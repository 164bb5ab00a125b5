"""Measures the throughput of two workers against one, on arms of very unequal cost.

    python benchmarks/scaling.py [--rounds 3] [--seeds 6]

Each round runs one study of four arms, whose costs differ by a factor of about twelve, as a whole
process in a new store, with one worker and with two. Throughput is measured from the start of the
first training to the end of the last; memory is the peak of each process. The last line is one
JSON object. Two workers must reach 1.75 times the throughput of one.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

STUDY = """
from ablation.spec import Study

study = Study(
    name="scaling",
    question="How does throughput grow with workers?",
    arms={
        "short": {"train.epochs": 1},
        "plain": {"train.epochs": 3},
        "wide": {"train.epochs": 3, "model.hidden_size": 256},
        "long": {"train.epochs": 12},
    },
    baseline="plain",
    seeds=SEEDS,
)
"""
LEAST = 1.75


class Memory:
    """The peak resident memory of a process and of its descendants, in MiB."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.conductor, self.worker = 0.0, 0.0
        self._process = process
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._sample)
        self._watch.start()

    def end(self) -> None:
        """Stops sampling."""
        self._ended.set()
        self._watch.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.25):
            self.conductor = max(self.conductor, _peak(self._process.pid))
            below = [_peak(pid) for pid in _descendants(self._process.pid)]
            self.worker = max(self.worker, *below, 0.0)


def run(workers: int, seeds: int, folder: Path, cache: Path) -> dict[str, float]:
    """Runs the study in an empty folder and returns its figures."""
    study = folder / "scaling.py"
    study.write_text(STUDY.replace("SEEDS", str(seeds)), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "ablation", "run", str(study), "--store", str(folder)]
    command += ["--reports", str(folder / "reports"), "--workers", str(workers)]
    quiet = subprocess.DEVNULL
    environment = os.environ | {"ABLATION_CACHE": str(cache)}
    with subprocess.Popen(command, stdout=quiet, cwd=folder, env=environment) as process:
        memory = Memory(process)
        code = process.wait()
        memory.end()
    if code:
        raise SystemExit(f"The study ended with code {code}.")
    with sqlite3.connect(folder / "mlflow.db") as record:
        began, ended, busy, trials = record.execute(
            "SELECT min(start_time), max(end_time), sum(end_time - start_time), count(*) "
            "FROM runs WHERE run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'ablation.key')"
        ).fetchone()
    return {
        "workers": workers,
        "trials": trials,
        "seconds": (ended - began) / 1000,
        "trials_per_second": 1000 * trials / (ended - began),
        "training_share": busy / (ended - began) / workers,
        "conductor_mib": memory.conductor,
        "worker_mib": memory.worker,
    }


def _peak(pid: int) -> float:
    """Returns the peak resident memory of a process in MiB; 0 if the process has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return float(lines.get("VmHWM", "0 kB").split()[0]) / 1024


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in tasks.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found


def main() -> int:
    """Prints a line per study and the JSON object; returns 1 if two workers are too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=6)
    options = parser.parse_args()
    found: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(options.rounds):
            for workers, runs in found.items():
                with tempfile.TemporaryDirectory() as folder:
                    runs.append(run(workers, options.seeds, Path(folder), Path(cache)))
                line = ", ".join(f"{name} {value:.4g}" for name, value in runs[-1].items())
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
    pairs = zip(found[1], found[2], strict=True)
    speed = statistics.median(one["seconds"] / two["seconds"] for one, two in pairs)
    sys.stdout.write(json.dumps({"speed_up": speed, "ok": speed >= LEAST, "runs": found}) + "\n")
    return 0 if speed >= LEAST else 1


if __name__ == "__main__":
    raise SystemExit(main())
