"""The harness knows a task by its record alone: one that is no text classifier runs like it."""

from __future__ import annotations

import csv
import dataclasses
import random
import shutil
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ablation import report, tracking
from ablation.execute import ExecutorCrew, session, walk
from ablation.records.metric import METRICS
from ablation.records.outcome import EpochRecord, RunResult
from ablation.records.paths import flatten
from ablation.records.places import places
from ablation.spec import Study
from ablation.study.plan import make_plan
from ablation.task import Guess, Identity, Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dice:
    """The configuration of a task that throws dice."""

    sides: int = 6
    bias: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """Its data."""

    name: str = "table"
    source: str = "nowhere"
    fingerprint: str = "0123456789ab"

    @property
    def rows(self) -> Mapping[str, int]:
        return {"test": 1000}

    def test_commonest(self) -> bytes:
        return bytes([255] * 62) + b"\xf0" + bytes(62)

    def parameters(self) -> Mapping[str, Any]:
        return {"data.fingerprint": self.fingerprint}


def throw(
    config: Dice, seed: int, data: Table, *, device: str, folder: Path | None
) -> Generator[EpochRecord, None, RunResult]:
    draw = random.Random(seed)
    share = draw.gauss(0.6, 0.01) + config.bias
    yield EpochRecord(epoch=1, seconds=0.1, metrics={"train/loss": 1.0})
    metrics = {f"{split}/{name}": share for split in ("validation", "test") for name in METRICS}
    return RunResult(status="FINISHED", epoch=1, seconds=0.1, metrics=metrics)


DICE = Task(
    config=Dice(),
    metrics=METRICS,
    guess=lambda metric, data: Guess(0.5, 0.001),
    data_paths=frozenset(),
    redirect=lambda config, _: config,
    prepare=lambda configs, _: [Table()] * len(configs),
    identify=lambda config: Identity({p: repr(v) for p, v in flatten(config).items()}, (), 0),
    check=lambda pairs: None,
    train=throw,
    device=lambda name: "cpu",
    seconds=lambda config, data: 0.1,
    table=lambda configs: ("dice", lambda: [{"sides": each.sides} for each in configs]),
)


def test_another_task_is_planned_trained_recorded_judged_and_reported(
    tmp_path: Path, empty_store: Path
) -> None:
    study = Study(
        name="dice", question="Are they loaded?", task=DICE, config=Dice(), factor="bias",
        levels=(0.0, 0.1, 0.0001), baseline=0.0, margin=0.02, seeds=8, numerics=True,
    )  # fmt: skip
    shutil.copytree(empty_store, tmp_path / "store")
    where = places(tmp_path / "store")
    plan = make_plan(study, tmp_path)
    assert len(plan.trials) == 3 * 8
    with session(plan, where) as opened:
        crew = ExecutorCrew(ThreadPoolExecutor(2), at_once=2)
        assert len(list(walk(opened, crew, device="auto"))) == len(plan.trials)
        crew.end()
    with session(plan, where) as opened:
        assert not opened.missing
        folder = report.build(report.gather(opened.home), tmp_path / "reports")
    with (folder / "effects.csv").open(encoding="utf-8") as file:
        verdicts = {row["arm"]: row["verdict"] for row in csv.DictReader(file)}
    assert verdicts == {"0.0": "", "0.1": "BETTER", "0.0001": "EQUIVALENT"}
    assert "held fixed" in (folder / "README.md").read_text(encoding="utf-8")
    run = tracking.connect(where.tracking).search_runs(["1"], "tags.`ablation.seed` = '3'")[0]
    assert {"sides", "bias", "arm", "seed"} <= set(run.data.params)
