"""Missing runs: they take no verdict from another arm, and what a look decided is final."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import ARMS, NASTY, content, declaration, hashes, plan_on, runs
from test_study_end_to_end import Project, project, stored  # noqa: F401 - the fixtures

from ablation.analysis.answers import answer
from ablation.analysis.due import decide_looks
from ablation.analysis.effects import judge
from ablation.analysis.evidence import gather_evidence
from ablation.analysis.taken import take_looks
from ablation.analysis.words import sentences
from ablation.records.declaration import Look
from ablation.records.outcome import Outcome
from ablation.records.taken import taken_from_json, taken_to_json
from ablation.report import Basis, compose, files
from ablation.study.spec import Study

LOOKS = (Look(5, 0.02), Look(8, 0.03))
LATE, QUIET = NASTY[3], NASTY[2]


def without(frame: pd.DataFrame, gone: set[tuple[str, int]]) -> pd.DataFrame:
    keys = zip(frame["arm"], frame["seed"], strict=True)
    return frame[[key not in gone for key in keys]].reset_index(drop=True)


def taken_by(frame: pd.DataFrame, given_up: Any, declared: Any, taken: Any = None) -> Any:
    evidence = gather_evidence(frame, hashes(frame), declared, taken=taken)
    return take_looks(evidence, frozenset(given_up)).taken


def test_a_missing_run_takes_no_verdict_from_the_others_and_is_judged_once_it_is_there() -> None:
    declared, gone = declaration(), {(NASTY[0], 1), (NASTY[0], 6), ("base", 3)}
    torn = without(runs(), gone)
    assert taken_by(torn, set(), declared) == {}  # nothing was given up: it may still come
    assert taken_by(torn, {(NASTY[0], 1)}, declared) == {}
    taken = taken_by(torn, gone | {(LATE, 2)}, declared)
    assert taken == {8: frozenset(gone)}
    assert taken_from_json(taken_to_json(taken)) == taken

    first = judge(torn, hashes(torn), declared, taken=taken)
    rows = first.effects.set_index("arm")
    assert list(rows["verdict"]) == ["", "INCONCLUSIVE", "WORSE", "EQUIVALENT", "INCONCLUSIVE"]
    assert list(rows["n"]) == [7, 5, 7, 7, 7]
    assert rows.loc[NASTY[0], ["ground", "stage", "missing"]].tolist() == [
        "INCOMPLETE", "missing", 2,
    ]  # fmt: skip
    said = f"{NASTY[0]} (2 of 8 runs are missing; run the study again to complete it)"
    assert said in answer(first.effects, declared)
    page = compose(Basis(content(torn, judged=first, taken=taken)))
    assert f"base, seed 3; {NASTY[0]}, seeds 1 and 6" in page.warnings[0]
    assert "seed 3 counts for no arm" in page.warnings[1]

    whole = runs()
    later = judge(whole, hashes(whole), declared, taken=taken).effects.set_index("arm")
    others = [arm for arm in ARMS[1:] if arm != NASTY[0]]
    pd.testing.assert_frame_equal(later.loc[others], rows.loc[others])
    late = later.loc[NASTY[0]]
    assert (late["verdict"], late["n"], late["late"], late["missing"]) == ("BETTER", 7, True, 0)
    assert "came after the look was taken" in sentences(later.reset_index(), declared)[0]
    again = compose(Basis(content(whole, judged=judge(whole, hashes(whole), declared, taken=taken),
                                  taken=taken)))  # fmt: skip
    assert "seed 3 counts for no arm" in again.warnings[0]


def test_undecided_arms_go_on_after_a_look_that_lacked_runs() -> None:
    declared, gone = declaration(looks=LOOKS, margin=None), {(LATE, 1)}
    frame = without(runs(), gone)
    first = frame[frame["seed"] < 5]
    taken = taken_by(first, gone, declared)
    assert taken == {5: frozenset({(LATE, 1)})}
    judged = judge(first, hashes(first), declared, taken=taken)
    assert judged.seeds[LATE] == judged.seeds["base"] == 8
    assert judged.seeds[NASTY[0]] == 5
    more = taken_by(frame, gone, declared, taken)
    assert judged.seeds[QUIET] == 8  # or no arm were left to judge at the second look
    assert more == taken | {8: frozenset(gone)}


@pytest.mark.parametrize(
    "gone",
    [
        {("base", seed) for seed in range(6)},  # two blocks are left
        {(arm, 0) for arm in ARMS[1:]},  # every arm lacks a run
    ],
)
def test_a_look_that_could_judge_no_arm_is_not_taken(gone: set[tuple[str, int]]) -> None:
    frame = without(runs(), gone)
    assert taken_by(frame, gone, declaration()) == {}
    assert not judge(frame, hashes(frame), declaration()).is_judged


def study_of(**more: Any) -> Study:
    given = {"name": "s", "question": "?", "factor": "train.epochs", "levels": [1, 2, 3],
             "baseline": 1, "margin": 0.1}  # fmt: skip
    return Study(**(given | more))


def outcome(value: float) -> Outcome:
    return Outcome(run_id="r", status="FINISHED", reason=None, epoch=1, seconds=1.0, tags={},
                   metrics={"test/accuracy": value})  # fmt: skip


@pytest.mark.parametrize("looks", [(), (4, 6)])
def test_the_conductor_takes_a_look_that_lacks_what_was_given_up(looks: Any) -> None:
    plan = plan_on(study_of(seeds=4, looks=looks))
    draw = np.random.default_rng(0)
    done = {t.key: outcome(draw.normal(0.5 + 0.3 * (t.arm.name == "2"), 0.001))
            for t in plan.trials if t.seed < 4}  # fmt: skip
    lost = next(t for t in plan.trials if t.arm.name == "3")
    del done[lost.key]
    examples = pd.DataFrame({"arm": [], "seed": [], "correct": []})

    def decide(**more: Any) -> Any:
        return decide_looks(plan, done, lambda: examples, **({"taken": {}} | more))

    assert decide().seeds == {}
    found = decide(given_up=frozenset({("3", lost.seed)}))
    assert found.taken == {4: frozenset({("3", lost.seed)})}
    assert found.seeds["2"] == 4
    again = decide(taken=found.taken)
    assert again.taken == found.taken
    assert again.seeds == (found.seeds if looks else {})


def test_a_report_is_rebuilt_with_the_looks_that_lacked_runs(tmp_path: Any) -> None:
    gone = {(NASTY[0], 1), ("base", 3)}
    torn = without(runs(), gone)
    taken = {8: frozenset(gone)}
    declared = declaration()
    given = content(torn, taken=taken, judged=judge(torn, hashes(torn), declared, taken=taken))
    files.write(dataclasses.replace(given, examples=given.examples.iloc[:0]), tmp_path)
    again = files.read(tmp_path)
    assert again.taken == taken
    assert again.judged.effects["missing"].tolist() == [0, 1, 0, 0, 0]


OWN = """
from pathlib import Path
from ablation.spec import Study

def train(config, seed):
    if config["x"] == 3 and seed == 1 and not Path("{flag}").exists():
        raise KeyError("depth")
    noise = (seed * 7 + config["x"] ** 2) % 5 / 1000
    return {{"accuracy": 0.5 + 0.1 * (config["x"] == 2) + noise}}

study = Study(name="own", question="?", run=train, config={{"x": 1}}, factor="x",
              levels=(1, 2, 3), baseline=1, metric="accuracy", margin=0.05, seeds=4)
"""


@pytest.mark.slow
def test_a_run_that_raises_takes_no_verdict_and_is_told_until_it_is_done(
    stored: Project,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    path, flag = tmp_path / "own.py", tmp_path / "flag"
    path.write_text(OWN.format(flag=flag))
    said = stored.run("run", str(path), code=1)
    assert "3 (1 of 4 runs is missing; run the study again to complete it)" in said
    report = (stored.folder / "reports/own/README.md").read_text()
    assert "raised: KeyError: 'depth' at own.py:7" in report.replace("\\", "")
    first = {row["arm"]: row for row in stored.table("effects", "own")}
    assert [row["verdict"] for row in first.values()] == ["", "BETTER", "INCONCLUSIVE"]
    flag.touch()
    stored.run("run", str(path))
    then = {row["arm"]: row for row in stored.table("effects", "own")}
    assert then["2"] == first["2"]
    assert (then["3"]["verdict"], then["3"]["late"]) == ("EQUIVALENT", "True")
    assert "KeyError" not in (stored.folder / "reports/own/README.md").read_text()
