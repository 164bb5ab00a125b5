"""A study that never ran: runs, hashes, curves and content of known shape, names like markup."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablation import figures
from ablation.analysis.effects import judge
from ablation.records.declaration import Declaration, DeclaredArm, Look
from ablation.records.outcome import EpochRecord, RunResult
from ablation.report import Content, drawing
from ablation.study.arm import Arm
from ablation.study.identity import arm_hash
from ablation.study.plan import Plan, make_plan
from ablation.study.spec import Study
from ablation.task.text import TEXT
from ablation.task.text.config import RunConfig

NASTY = ["<script>alert(1)</script>", "a|b", "{{7*7}}", r"$\alpha$_%"]
ARMS = ["base", *NASTY]


@contextlib.contextmanager
def small_figures() -> Iterator[None]:
    """Has reports keep one small figure for each of theirs, whose drawing takes longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "draw_and_save", lambda name, draw: small_figure())
        yield


@functools.cache
def small_figure() -> drawing.Saved:
    """A figure in the forms in which a report keeps the largest of its own."""
    with figures.styled():
        figure = figures.figure_of(1, 1)
        figure.subplots().plot([0, 1])
    return figures.svg(figure, "small"), {"png": figures.png(figure), "pdf": figures.pdf(figure)}


def arms_named(
    names: Sequence[str], values: Sequence[Mapping[str, str]] | None = None
) -> tuple[DeclaredArm, ...]:
    """Arms c0, c1, ... under the given names."""
    given = [{} for _ in names] if values is None else values
    return tuple(
        DeclaredArm(name=name, config=f"c{i}", values=of)
        for i, (name, of) in enumerate(zip(names, given, strict=True))
    )


def declaration(metric: str = "accuracy", **changes: Any) -> Declaration:
    given: dict[str, Any] = {
        "name": "s", "arms": arms_named(ARMS), "baseline": "base", "factor": None,
        "metric": metric, "margin": 0.02, "floor": 0.3, "chance": 0.3, "collapse": None,
        "quantum": 0.001, "looks": (Look(8, 0.05),), "data": "d",
    }  # fmt: skip
    return Declaration(**(given | changes))


SHIFTS = {"base": 0.0, NASTY[0]: 0.06, NASTY[1]: -0.06, NASTY[2]: 0.0, NASTY[3]: 0.0}
SPREADS = {"base": 0.01, NASTY[0]: 0.005, NASTY[1]: 0.005, NASTY[2]: 0.002, NASTY[3]: 0.06}


def runs(metric: str = "accuracy", seeds: int = 8) -> pd.DataFrame:
    draw = np.random.default_rng(3)
    block = draw.normal(0.7, 0.01, seeds)
    rows = [
        ("s", f"c{i}", arm, seed, "test", metric,
         float(block[seed] + SHIFTS[arm] + draw.normal(0, SPREADS[arm] / 2)),
         "FINISHED", None, 3, 1.5, f"run{i}-{seed}")
        for i, arm in enumerate(ARMS)
        for seed in range(seeds)
    ]  # fmt: skip
    columns = "study config arm seed split metric value status reason epoch seconds run_id"
    return pd.DataFrame(rows, columns=columns.split())


def hashes(frame: pd.DataFrame) -> pd.DataFrame:
    kept = frame[["arm", "seed"]].drop_duplicates()
    names = [f"{arm}{seed}" for arm, seed in kept.to_numpy()]
    return kept.assign(weights=names, logits=names)


def curves(frame: pd.DataFrame, epochs: int = 3) -> pd.DataFrame:
    draw = np.random.default_rng(5)
    names = [("probe", "entropy", 0), ("train", "loss", 1), ("validation", "accuracy", 1)]
    rows = [
        ("s", config, arm, seed, split, metric, epoch, float(f"{draw.random():.7g}"))
        for config, arm, seed in frame[["config", "arm", "seed"]].drop_duplicates().to_numpy()
        for split, metric, first in names
        for epoch in range(first, epochs + 1)
    ]
    columns = ["study", "config", "arm", "seed", "split", "metric", "epoch", "value"]
    return pd.DataFrame(rows, columns=columns).astype({"value": float})


def content(frame: pd.DataFrame | None = None, **changes: Any) -> Content:
    """A study's content; what is given replaces what would be made."""
    frame = runs() if frame is None else frame
    declared = changes.pop("declaration", declaration())
    left = hashes(frame)
    draw = np.random.default_rng(7)
    bits = [draw.integers(0, 256, 125, dtype=np.uint8).tobytes() for _ in range(len(left))]
    given: dict[str, Any] = {
        "label": "s",
        "declaration": declared,
        "wording": {"question": NASTY[0], "title": NASTY[3], "caveats": NASTY},
        "declared": {"abc": {"date": "2026-01-01T00:00:00Z", "runs_seen": 0}},
        "current": "abc",
        "judged": judge(frame, left, declared),
        "runs": frame,
        "curves": curves(frame),
        "examples": left[["arm", "seed"]].assign(correct=bits).reset_index(drop=True),
        "details": left.assign(ended="2026-01-02T00:00:00Z", environment=0).reset_index(drop=True),
        "environments": [{"commit": "c0ffee", "device": "cpu"}],
        "record": {"address": "http://127.0.0.1:5000", "experiment": "1", "test_evaluations": 40},
        "tables": {"numerics": pd.DataFrame(
            {"fill": ["-1e32", "a|b"], "overflow": [True, False],
             "padding_weight": [4.5397868702434395e-05, 1e-44]}
        )},
    }  # fmt: skip
    return Content(**(given | changes))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corpus:
    """As much of prepared data as a plan asks for."""

    fingerprint: str = "data"
    counts: tuple[int, ...] = (30, 20, 50)
    name: str = "toys"
    source: str = "toys"

    @property
    def rows(self) -> dict[str, int]:
        return {"test": sum(self.counts)}

    def test_counts(self) -> tuple[int, ...]:
        return self.counts

    def test_commonest(self) -> bytes:
        sizes = dict(enumerate(self.counts))
        most = max(sizes, key=lambda place: sizes[place])
        labels = np.repeat(np.arange(len(self.counts)), self.counts)
        return np.packbits(labels == most).tobytes()

    def parameters(self) -> dict[str, Any]:
        return {}


def plan_on(study: Study, corpus: Corpus = Corpus()) -> Plan:
    """The plan of a study on data that no file holds."""
    task = dataclasses.replace(study.task, prepare=lambda configs, _: [corpus] * len(configs))
    return make_plan(dataclasses.replace(study, task=task), Path("nowhere"))


def config_hash(config: RunConfig, fingerprint: str) -> str:
    """The hash of a configuration's arm."""
    arm = Arm(name="", config=config, levels={})
    return arm_hash(arm, TEXT.identify(config), fingerprint)


def result_of(running: Generator[EpochRecord, None, RunResult]) -> RunResult:
    """What a training returns, its epochs passed by."""
    while True:
        try:
            next(running)
        except StopIteration as stop:
            result: RunResult = stop.value
            return result
