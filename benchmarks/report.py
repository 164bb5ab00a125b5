"""Times reports of synthetic studies, from the record to the page; fails if one is too slow.

    python benchmarks/report.py [RUNS...]

Writes each study into MLflow's tables and has the command line build its report in a new process.
Prints the time (with start and imports), the peak memory and the size of the page.
"""

# Written straight into the tables, because recording 10,000 runs one by one would take longer
# than everything that is measured here.

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ablation import tracking
from ablation.records.declaration import Declaration, DeclaredArm, Look

EPOCHS, TEXTS = 8, 1200
PROBES = ("entropy", "effective_tokens", "padding_weight", "largest_weight")


@dataclasses.dataclass(frozen=True)
class Size:
    """The size of a study, and the bounds of its report on two cores."""

    arms: int
    seeds: int
    seconds: float
    megabytes: float | None = None
    page: float | None = None
    """Megabytes of index.html."""


SIZES = {
    56: Size(7, 8, 5.5, page=1.5),
    1_000: Size(50, 20, 5.0),
    10_000: Size(200, 50, 30.0, megabytes=1000.0),
}


def declaration(size: Size) -> Declaration:
    """Returns the declaration: an ordered factor with the third level as the baseline."""
    path = "model.attention.init_std"
    levels = [0.0, *(float(f"{v:.6g}") for v in np.geomspace(1e-3, 1, size.arms - 1))]
    arms = [
        DeclaredArm(name=repr(level), config=f"{i:012x}", values={path: repr(level), "a.b": "1"})
        for i, level in enumerate(levels)
    ]
    return Declaration(
        name="synthetic", arms=tuple(arms), baseline=arms[2].name, factor=path,
        metric="accuracy", margin=0.02, floor=0.3, chance=0.3, collapse=None,
        quantum=1 / TEXTS, looks=(Look(size.seeds, 0.05),), data="synthetic",
    )  # fmt: skip


def fill(store: Path, size: Size) -> None:
    """Writes a study's runs into a new MLflow store."""
    client = tracking.connect(f"sqlite:///{store / 'mlflow.db'}")
    home = tracking.open_home(
        client, "synthetic", "synthetic", data="synthetic", artifacts=store / "mlartifacts"
    )
    declared = declaration(size)
    wording = {"question": "How fast is a report?", "title": "", "caveats": []}
    tracking.declare(home, declared, wording, seen=0)
    draw = np.random.default_rng(1)
    blocks = draw.normal(0, 0.01, size.seeds)
    tables: dict[str, list[dict[str, Any]]] = {"runs": [], "tags": [], "metrics": [], "latest": []}
    for place, arm in enumerate(declared.arms):
        for seed in range(size.seeds):
            value = 0.7 - 0.1 * place / size.arms + blocks[seed] + draw.normal(0, 0.01)
            right = round(value * TEXTS) / TEXTS
            _run(tables, home, arm, seed=seed, value=right, draw=draw, store=store)
    _insert(client, tables)


def _run(
    tables: Any, home: Any, arm: Any, *, seed: int, value: float, draw: Any, store: Path
) -> None:
    run = f"{len(tables['runs']):032x}"
    failed = draw.random() < 0.02
    place = store / "mlartifacts/synthetic" / run / "artifacts"
    place.mkdir(parents=True)
    if not failed:
        (place / "test_correct.bin").write_bytes(np.packbits(draw.random(TEXTS) < value).tobytes())
    tables["runs"].append(
        {"run_uuid": run, "name": run, "source_type": "LOCAL", "entry_point_name": "",
         "user_id": "", "status": "FAILED" if failed else "FINISHED", "start_time": 1,
         "end_time": 2, "lifecycle_stage": "active", "artifact_uri": place.as_uri(),
         "experiment_id": int(home.experiment)}
    )  # fmt: skip
    tags = {
        "ablation.kind": "trial", "ablation.study": "synthetic", "ablation.data": "synthetic",
        "ablation.key": f"synthetic/{arm.config}/{seed}", "ablation.arm": arm.name,
        "ablation.seed": str(seed), "ablation.epoch": str(EPOCHS), "ablation.seconds": "1.0",
        "ablation.device": "cpu", "ablation.commit": "c0ffee", "ablation.weights": run * 2,
        "ablation.logits": run * 2, "mlflow.parentRunId": home.parent,
        **{f"ablation.version.{name}": "1" for name in ("python", "torch", "numpy", "mlflow")},
    } | ({"ablation.reason": "nan_loss"} if failed else {})  # fmt: skip
    tables["tags"] += [{"key": k, "value": v, "run_uuid": run} for k, v in tags.items()]
    epochs = range(1, EPOCHS // 2 if failed else EPOCHS + 1)
    names = ["train/loss", "validation/accuracy", "validation/macro_f1", "validation/loss"]
    names += [f"probe/{name}" for name in PROBES]
    points = [(name, epoch, float(draw.random() / epoch)) for name in names for epoch in epochs]
    if not failed:
        finals = {"accuracy": value, "macro_f1": value, "loss": 1.0}
        points += [(f"test/{k}", EPOCHS, v) for k, v in finals.items()]
        points += [(f"chosen/validation/{k}", EPOCHS, v) for k, v in finals.items()]
    rows = [
        {"key": key, "value": v, "timestamp": epoch, "step": epoch, "is_nan": False,
         "run_uuid": run}
        for key, epoch, v in points
    ]  # fmt: skip
    tables["metrics"] += rows
    tables["latest"] += list({row["key"]: row for row in rows}.values())


def _insert(client: Any, tables: Any) -> None:
    from mlflow.store.tracking.dbmodels import models
    from sqlalchemy import insert

    targets = {"runs": models.SqlRun, "tags": models.SqlTag, "metrics": models.SqlMetric,
               "latest": models.SqlLatestMetric}  # fmt: skip
    with client._tracking_client.store.ManagedSessionMaker() as session:
        for name, rows in tables.items():
            for start in range(0, len(rows), 20_000):
                session.execute(insert(targets[name]), rows[start : start + 20_000])


def measure(folder: Path) -> tuple[float, float]:
    """Returns the seconds and the peak megabytes of building the report in a new process."""
    command = [sys.executable, "-m", "ablation", "report", "synthetic", "--store", str(folder)]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--reports", str(folder / "reports")],
                               stdout=subprocess.DEVNULL, cwd=folder)  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the report ended with code {process.returncode}")
    return time.perf_counter() - began, used.ru_maxrss / 1024


def main(wanted: list[int]) -> int:
    """Measures each size and prints a line; returns the number of missed bounds."""
    missed = 0
    for runs in wanted:
        size = SIZES[runs]
        with tempfile.TemporaryDirectory() as place:
            fill(Path(place), size)
            seconds, megabytes = measure(Path(place))
            report = Path(place) / "reports/synthetic"
            page = (report / "index.html").stat().st_size / 1e6
            whole = sum(p.stat().st_size for p in report.rglob("*") if p.is_file()) / 1e6
        bounds = [(seconds, size.seconds), (megabytes, size.megabytes), (page, size.page)]
        missed += sum(bound is not None and value > bound for value, bound in bounds)
        sys.stdout.write(
            f"{runs:6d} runs ({size.arms} arms x {size.seeds} seeds): {seconds:5.1f} s "
            f"(at most {size.seconds:g}), {megabytes:4.0f} MB, page {page:.2f} MB, "
            f"folder {whole:.1f} MB\n"
        )
        sys.stdout.flush()
    return missed


if __name__ == "__main__":
    sys.exit(main([int(each) for each in sys.argv[1:]] or list(SIZES)))
