"""Follow-up studies: what is still open, on seeds that no verdict rests on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import content, plan_on
from test_study_end_to_end import Project, project, stored  # noqa: F401 - the fixtures

from ablation.analysis.followup import Proposal, propose
from ablation.records.declaration import Declaration
from ablation.report import Basis
from ablation.study.derived import FOLLOW_UP_SEED, follow_up_of
from ablation.study.spec import Study

OPEN = {"seeds_likely": 12.0, "stage": "final"}
DONE = {"seeds_likely": math.nan, "stage": "final"}


def study_of(**more: Any) -> Study:
    given = {"name": "s", "question": "?", "factor": "train.epochs", "levels": [1, 2, 3, 4],
             "baseline": 2, "margin": 0.1, "looks": (5, 8)}  # fmt: skip
    return Study(**(given | more))


def arms_of(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{"arm": f"a{place}"} | row for place, row in enumerate(rows)])


def test_a_follow_up_holds_the_open_arms_and_the_most_seeds_that_one_needs() -> None:
    rows = [OPEN, DONE, OPEN | {"seeds_likely": 7.0}, OPEN | {"seeds_likely": math.inf}]
    assert propose(arms_of(*rows)) == Proposal(arms=("a0", "a2"), seeds=12)
    assert propose(arms_of(DONE, OPEN | {"seeds_likely": math.inf})) is None
    for stage in ("open", "missing", "exploratory"):
        assert propose(arms_of(OPEN, DONE | {"stage": stage})) is None


@pytest.mark.parametrize("looks", [(5, 8), ()])
def test_a_follow_up_is_a_study_of_its_own_on_fresh_seeds(looks: Any) -> None:
    parent = study_of(looks=looks)
    listed = Study(
        name="s", question="?", arms={"a": {}, "b": {"train.epochs": 9}, "c": {"seed_offset": 3}},
        baseline="a", looks=looks,
    )  # fmt: skip
    followed = follow_up_of(parent, ["4"], 6)
    assert [arm.name for arm in followed.complete_arms] == ["2", "4"]
    assert [arm.name for arm in follow_up_of(listed, ["c"], 6).complete_arms] == ["a", "c"]
    crossed = Study(
        name="s", question="?", design="factorial", looks=looks,
        factors={"train.epochs": [1, 2], "model.dropout": [0.1, 0.3]},
    )  # fmt: skip
    most = crossed.complete_arms[-1]
    assert follow_up_of(crossed, [most.name], 6).complete_arms == (crossed.complete_arms[0], most)
    mine, its = plan_on(parent), plan_on(followed)
    assert (its.declaration.looks[0].seeds, len(its.declaration.looks)) == (6, 1)
    assert its.label({}) == "s-follow-up"
    fresh = {trial.training_seed for trial in its.trials}
    assert fresh == set(range(FOLLOW_UP_SEED, FOLLOW_UP_SEED + 6))
    assert not fresh & {trial.training_seed for trial in mine.trials}
    # Another first seed trains other models: the hash of an arm says so, and the declaration.
    other = plan_on(follow_up_of(parent, ["4"], 6))
    assert other.declaration == its.declaration
    assert {t.config_hash for t in its.trials}.isdisjoint(t.config_hash for t in mine.trials)
    assert Declaration.from_json(its.declaration.to_json()) == its.declaration
    assert "first_seed" not in mine.declaration.to_json()


def test_the_size_of_a_follow_up_goes_by_the_arms_that_are_open() -> None:
    found = Basis(content())
    sizes = found.effects["seeds_likely"]
    assert np.isfinite(sizes).tolist() == [False, False, False, False, True]
    of = found.walk.verdicts
    assert sizes.iloc[4] == of.follow_up(comparisons=1).likely[4] < of.follow_up().likely[4]


@pytest.mark.slow
def test_the_follow_up_is_run_once_and_told_in_the_report(
    stored: Project,  # noqa: F811 - the fixture
    tiny_study: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = tiny_study.read_text()
    tiny_study.write_text(text.replace("seeds=2", "seeds=3, margin=0.05"))
    name = str(tiny_study)
    assert "has not ended" in stored.run("run", name, "--follow-up", code=2)
    said = stored.run("run", name)
    assert "(ablation run tiny --follow-up)" in said
    small = Proposal(arms=("1.0",), seeds=3)  # the proposed one trains for minutes
    monkeypatch.setattr("ablation.analysis.followup.propose", lambda arms: small)
    first = stored.run("run", name, "--follow-up")
    monkeypatch.setattr("ablation.analysis.followup.propose", lambda arms: None)  # not asked again
    assert "trials done" in first
    report = (stored.folder / "reports/tiny-follow-up/README.md").read_text()
    assert f"from {FOLLOW_UP_SEED}" in report
    assert "--follow-up)" not in report
    assert "nothing to run" in stored.run("run", name, "--follow-up")
    assert stored.statuses()["study FINISHED"] == 2
