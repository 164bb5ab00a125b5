"""Follow-up studies: what is still open, on seeds that no verdict rests on."""

from __future__ import annotations

import dataclasses
import math
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import NASTY, content, plan_on
from test_study_end_to_end import Project, project, stored  # noqa: F401 - the fixtures

from ablation.analysis.answers import answer
from ablation.analysis.followup import Proposal, propose
from ablation.analysis.fresh import ESTIMATES, decided_arms, with_fresh
from ablation.analysis.words import sentences
from ablation.errors import Refused
from ablation.records.declaration import Declaration
from ablation.report import Basis, files
from ablation.report.parts.verdicts import whole_table
from ablation.study.derived import FOLLOW_UP_SEED, FRESH_SEED, follow_up_of, fresh_of
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
    name = "my studies/tiny.py"  # by no name, so that the command must name the path
    (stored.folder / "my studies").mkdir()
    tiny_study.rename(stored.folder / name)
    refused = stored.run("run", name, "--follow-up", code=2)
    assert "has not ended" in refused
    assert "ablation run 'my studies/tiny.py'" in refused
    said = stored.run("run", str(stored.folder / name))
    (typed,) = re.findall(r"\(ablation (run 'my studies/tiny.py' --follow-up)\)", said)
    small = Proposal(arms=("1.0",), seeds=3)  # the proposed one trains for minutes
    monkeypatch.setattr("ablation.analysis.followup.propose", lambda arms: small)
    first = stored.run(*shlex.split(typed))
    monkeypatch.setattr("ablation.analysis.followup.propose", lambda arms: None)  # not asked again
    assert " trials · " in first
    report = (stored.folder / "reports/tiny-follow-up/README.md").read_text()
    assert f"from {FOLLOW_UP_SEED}" in report
    assert "--follow-up)" not in report
    assert "nothing to run" in stored.run("run", name, "--follow-up")
    assert stored.statuses()["study FINISHED"] == 2


def fresh_frame(effect: float = 0.03) -> pd.DataFrame:
    rows = [(NASTY[0], 6, 0.73, effect, effect - 0.01, effect + 0.02),
            (NASTY[2], 6, 0.70, 0.004, -0.01, 0.01),
            (NASTY[1], 6, 0.64, -0.05, -0.06, -0.04)]  # fmt: skip
    return pd.DataFrame(rows, columns=list(ESTIMATES))


def test_what_was_decided_is_told_by_fresh_seeds_and_keeps_its_verdict(tmp_path: Path) -> None:
    given, fresh = content(), fresh_frame()
    with_both = dataclasses.replace(given, judged=with_fresh(given.judged, fresh), fresh=fresh)
    old, new = given.judged.effects, with_both.judged.effects
    assert list(new) == list(old)
    pd.testing.assert_frame_equal(new.loc[:, :"late"], old.loc[:, :"late"])
    said = answer(new, given.declaration)
    gain = "3.0 points above the baseline base on 6 fresh seeds (interval 2.0 to 5.0)"
    loss = "5.0 points below the baseline on 6 fresh seeds (interval 4.0 to 6.0)"
    assert f"{NASTY[0]}: 73.0 %, {gain}" in said
    assert f"{NASTY[1]}: 64.0 %, {loss}" in said
    assert f"2 points of the baseline: {NASTY[2]} (differences on 6 fresh seeds: 0.4)" in said
    turned = with_fresh(given.judged, fresh_frame(-0.003)).effects
    said = answer(turned, given.declaration)
    assert "−0.3 points above the baseline base on 6 fresh seeds" in said
    sentence = sentences(new, given.declaration)[0]
    assert sentence.count("on 6 fresh seeds 3.0 points (2.0 to 5.0)") == 1
    shown = whole_table(new, Basis(with_both).scale)
    assert [cell.text for cell in shown.rows[1][-3:]] == ["+3.00", "+2.00 to +5.00", "6"]
    assert len(whole_table(old, Basis(given).scale).columns) == len(shown.columns) - 3
    files.write(with_both, tmp_path)
    again = files.read(tmp_path)
    pd.testing.assert_frame_equal(again.judged.effects, new)
    assert again.tables.keys() == {"numerics"}


def test_decided_arms_run_on_seeds_of_their_own_once_no_look_is_to_come() -> None:
    effects = content().judged.effects
    assert decided_arms(effects) == (NASTY[0], NASTY[1], NASTY[2])
    assert decided_arms(effects.assign(stage=["final", "open", "final", "final", "final"])) == ()
    study = study_of(confirm=6)
    fresh = plan_on(fresh_of(study, ["1", "4"]))
    assert fresh.label({}) == "s-fresh"
    assert [arm.name for arm in fresh.declaration.arms] == ["1", "2", "4"]
    seeds = {trial.training_seed for trial in fresh.trials}
    assert seeds == set(range(FRESH_SEED, FRESH_SEED + 6))
    assert plan_on(study).declaration.to_json()["confirm"] == 6
    assert "confirm" not in fresh.declaration.to_json()
    with pytest.raises(Refused, match="confirm must be 0, or 3 to"):
        study_of(confirm=2)


@pytest.mark.slow
def test_a_study_that_asks_for_it_is_confirmed_on_fresh_seeds(
    stored: Project,  # noqa: F811 - the fixture
    tiny_study: Path,
) -> None:
    text = tiny_study.read_text()
    tiny_study.write_text(text.replace("seeds=2", "seeds=3, confirm=3, margin=0.9"))
    said = stored.run("run", str(tiny_study))
    assert "run once more, on 3 fresh seeds" in said
    assert stored.statuses() == {"trial FINISHED": 18, "study FINISHED": 2}
    rows = stored.table("effects")
    assert [row["fresh_n"] for row in rows] == ["", "3.0", "3.0"]
    assert all(row["fresh_effect"] != row["effect"] for row in rows[1:])
    assert not (stored.folder / "reports/tiny-fresh").exists()
    stored.run("run", str(tiny_study))
    assert stored.statuses()["trial FINISHED"] == 18
    assert stored.table("effects") == rows
