"""What verdicts are about: new examples where all scores are there, else this split, and said."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from synthetic import arms_named, content, declaration, hashes

from ablation import mirror, stats
from ablation.analysis.answers import answer
from ablation.analysis.curves import chosen_last
from ablation.analysis.effects import judge
from ablation.analysis.power import planning
from ablation.analysis.words import scope_note
from ablation.errors import Refused
from ablation.records.declaration import Declaration
from ablation.records.metric import Metric
from ablation.report import Basis, Content, build, compose, differing
from ablation.report.parts import failures, sensitivity
from ablation.study.spec import Study
from ablation.tracking import COMMONEST

ARMS = ("base", "up", "same")
SIZE = 200
CHANCE = 0.25


def declared(**changes: Any) -> Declaration:
    given: dict[str, Any] = {
        "arms": arms_named(ARMS), "quantum": 1 / SIZE, "chance": CHANCE, "floor": CHANCE,
    }  # fmt: skip
    return declaration(**(given | changes))


def bits(seeds: int = 8) -> NDArray[np.bool_]:
    """Which examples each run gets right, ``[arm, seed, example]``: hard and easy ones alike."""
    draw = np.random.default_rng(11)
    ease = draw.normal(0.7, 0.3, SIZE) + np.array([0.0, 0.06, 0.0])[:, None, None]
    return np.asarray(draw.random((len(ARMS), seeds, SIZE)) < ease)


def frames(right: NDArray[np.bool_]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The runs and the examples frame of some bits."""
    rows = [
        ("s", f"c{i}", arm, seed, "test", "accuracy", float(right[i, seed].mean()), "FINISHED",
         None, 3, 1.5, f"run{i}-{seed}")
        for i, arm in enumerate(ARMS)
        for seed in range(right.shape[1])
    ]  # fmt: skip
    columns = "study config arm seed split metric value status reason epoch seconds run_id"
    runs = pd.DataFrame(rows, columns=columns.split())
    packed = [
        (arm, seed, np.packbits(right[i, seed]).tobytes())
        for i, arm in enumerate(ARMS)
        for seed in range(right.shape[1])
    ]
    commonest = ("", COMMONEST, np.packbits(np.arange(SIZE) < CHANCE * SIZE).tobytes())
    return runs, pd.DataFrame([*packed, commonest], columns=["arm", "seed", "correct"])


def fail(runs: pd.DataFrame, arm: str, seed: int) -> pd.DataFrame:
    """The runs, one of them FAILED."""
    row = (runs["arm"] == arm) & (runs["seed"] == seed)
    changed = {"value": np.nan, "status": "FAILED", "reason": "nan_loss"}
    return runs.assign(**{name: runs[name].mask(row, to) for name, to in changed.items()})


def content_of(runs: pd.DataFrame, examples: pd.DataFrame, given: Declaration) -> Content:
    left = hashes(runs)
    judged = judge(runs, left, given, examples)
    return content(runs, declaration=given, examples=examples, judged=judged)


def test_with_all_scores_verdicts_are_about_new_examples_as_the_engine_says() -> None:
    right = bits()
    runs, examples = frames(right)
    found = judge(runs, hashes(runs), declared(), examples).effects
    asked: dict[str, Any] = {"looks": [8], "spend": [0.05], "margin": 0.02, "quantum": 1 / SIZE}
    by_hand = stats.walk_looks(right.mean(axis=-1), scores=right, **asked).verdicts
    split = stats.walk_looks(right.mean(axis=-1), **asked).verdicts
    assert set(found["scope"]) == {"new_examples"}
    for name in ("verdict_low", "estimate_high", "p_difference", "standard_error"):
        np.testing.assert_allclose(found[name], getattr(by_hand, name), atol=1e-12)
    assert (found["standard_error"][1:] > split.standard_error[1:]).all()
    assert "on this test split" not in answer(found, declared())


@pytest.mark.parametrize("why", ["lost", "another", "declared", "metric"])
def test_without_the_scores_of_one_run_the_whole_family_goes_by_this_split(why: str) -> None:
    runs, examples = frames(bits())
    given = declared(scope="this_split") if why == "declared" else declared()
    if why == "lost":
        examples = examples.drop(index=3)
    if why == "another":
        examples.at[3, "correct"] = examples["correct"][4]
    if why == "metric":
        given, runs = declared(metric="macro_f1"), runs.assign(metric="macro_f1")
    found = judge(runs, hashes(runs), given, examples).effects
    plain = judge(runs, hashes(runs), given).effects
    pd.testing.assert_frame_equal(found, plain)
    assert set(found["scope"]) == {"this_split"}
    reason = {"declared": "as the study declares", "metric": "is no share"}
    assert reason.get(why, "scores by example are missing") in scope_note(found, given)
    page = compose(Basis(content_of(runs, examples, given)))
    assert any("this test split" in each for each in page.warnings) == (why not in reason)
    assert ("verdicts are about", "new seeds on this test split") in page.facts


def test_a_failed_run_scores_as_always_naming_the_commonest_class_does() -> None:
    right = bits()
    runs, examples = frames(right)
    failed = fail(runs, "up", 2)
    found = judge(failed, hashes(failed), declared(), examples).effects
    right[1, 2] = np.arange(SIZE) < CHANCE * SIZE
    as_scored, _ = frames(right)
    status = np.zeros((3, 8), np.int64)
    status[1, 2] = stats.Status.FAILED
    by_hand = stats.walk_looks(
        right.mean(axis=-1), scores=right, status=status, floor=right[1, 2], looks=[8],
        spend=[0.05], margin=0.02, quantum=1 / SIZE,
    ).verdicts  # fmt: skip
    assert set(found["scope"]) == {"new_examples"}
    np.testing.assert_allclose(found["standard_error"], by_hand.standard_error, atol=1e-12)
    np.testing.assert_allclose(found["effect"][1], as_scored["value"][8:16].mean()
                               - as_scored["value"][:8].mean(), atol=1e-12)  # fmt: skip
    without = judge(failed, hashes(failed), declared(), examples[examples["seed"] >= 0]).effects
    assert set(without["scope"]) == {"this_split"}


def test_a_fall_below_half_of_the_gain_is_failed_and_a_rebuild_finds_it_again(
    tmp_path: Path,
) -> None:
    right = bits()
    right[1, 4] = np.arange(SIZE) % 3 == 0
    runs, examples = frames(right)
    given = content_of(runs, examples, declared(collapse="half"))
    assert given.judged.collapsed == {("up", 4)}
    effects = given.judged.effects.set_index("arm")
    assert effects["failed"].tolist() == [0, 1, 0]
    assert effects.loc["up", "scope"] == "new_examples"
    basis = Basis(given)
    fallen = basis.scores[basis.scores["status"] == "FAILED"]
    assert fallen[["arm", "seed", "reason"]].to_numpy().tolist() == [["up", 4, "collapsed"]]
    (shown, *_) = failures.section(basis)
    assert "1 collapsed" in str(shown)
    folder = build(given, tmp_path)
    assert "FAILED" not in (folder / "runs.csv").read_text(encoding="utf-8")
    assert differing(folder) == []
    kept = content_of(runs, examples, declared(collapse=None))
    assert not kept.judged.collapsed
    assert not kept.judged.effects["failed"].any()


def test_what_would_be_said_on_this_split_stands_beside_verdicts_about_new_examples() -> None:
    runs, examples = frames(bits())
    given = content_of(runs, examples, declared())
    split = sensitivity.find(Basis(given)).split
    plain = judge(runs, hashes(runs), declared()).effects.iloc[1:]
    assert split["verdict"].tolist() == plain["verdict"].tolist()
    np.testing.assert_allclose(split["verdict_low"], plain["verdict_low"])
    assert sensitivity.find(Basis(content(runs, declaration=declared()))).split.empty


def test_equal_hashes_with_other_values_are_told_and_raise_nothing() -> None:
    runs, examples = frames(bits())
    left = hashes(runs)
    left["weights"] = [f"w{seed}" for seed in left["seed"]]
    found = judge(runs, left, declared(), examples).effects.set_index("arm")
    assert found.loc["up", "ground"] == "CONTRADICTED"
    assert "different values" in found.loc["up", "reason"]


@pytest.mark.parametrize(
    ("shift", "reach", "words"),
    [
        (0.2, "at_least", "It matters, by at least the margin of 2 points"),
        (0.022, "open", "It matters, perhaps by less than the margin of 2 points"),
    ],
)
def test_better_says_how_it_compares_with_the_margin(shift: float, reach: str, words: str) -> None:
    draw = np.random.default_rng(2)
    runs, _ = frames(bits())
    base = runs.loc[runs["arm"] == "base", "value"].to_numpy()
    runs.loc[runs["arm"] == "up", "value"] = base + shift + draw.normal(0, 0.006, 8)
    found = judge(runs, hashes(runs), declared()).effects
    assert (found["verdict"][1], found["reach"][1]) == ("BETTER", reach)
    assert answer(found, declared()).startswith(f"{words}")
    assert answer(found, declared()).count("the margin") == 1  # no clause says it again
    found.loc[1, "reach"] = "below"
    assert found["verdict"][2] == "INCONCLUSIVE"  # so it may differ by more
    assert answer(found, declared()).startswith("It matters, perhaps by less than the margin")
    level = found.assign(verdict=["", "BETTER", "EQUIVALENT"])
    assert answer(level, declared()).startswith("It makes a difference, but less than the margin")
    # Arms of several reaches each have theirs.
    found.loc[2, ["verdict", "reach", "ground"]] = ["BETTER", "at_least", "ABOVE"]
    said = answer(found, declared())
    assert said.startswith("It matters, by at least")
    assert said.count(", at least the margin") == said.count(", less than the margin") == 1


def test_trainings_whose_chosen_epoch_was_the_last_are_counted_by_arm() -> None:
    runs, examples = frames(bits())
    runs.loc[(runs["arm"] == "up") & (runs["seed"] < 3), "epoch"] = 2
    runs.loc[runs["arm"] == "same", "epoch"] = 1
    given = content_of(runs, examples, declared())
    found = chosen_last(given.curves, runs).set_index("arm")
    assert found["share"].to_dict() == {"base": 1.0, "up": 5 / 8, "same": 0.0}
    (said,) = [each for each in compose(Basis(given)).warnings if "cut short" in each]
    assert "base and up" in said


def test_scope_is_declared_and_stays_out_of_older_declarations() -> None:
    given = declared(scope="this_split", collapse="half")
    assert Declaration.from_json(given.to_json()) == given
    assert "scope" not in declared().to_json()
    assert dataclasses.replace(given, scope="new_examples").hash != given.hash
    with pytest.raises(Refused, match="scope of a study must be"):
        Study(name="s", question="", arms={"a": {}, "b": {"train.epochs": 3}}, baseline="a",
              scope="world")  # type: ignore[arg-type]  # what a study file may say  # fmt: skip


def test_a_plan_says_what_its_test_split_can_never_show() -> None:
    study = Study(name="s", question="", arms={"a": {}, "b": {"train.epochs": 3}}, baseline="a",
                  margin=0.01)  # fmt: skip
    few, many = planning(study, [], 200), planning(study, [], 20_000)
    assert "With 200 test examples" in few
    assert "take a test split of 390 or more" in few
    assert "take a test split" not in many
    assert "test examples" not in planning(study, [])
    # What earlier runs showed takes the place of the assumption.
    quiet = planning(study, [], 200, 0.01)
    assert "spread over them 1.0 points, from earlier runs" in quiet
    assert "take a test split" not in quiet


def test_the_spread_over_examples_is_that_of_the_arms_and_kept_for_plans() -> None:
    runs, examples = frames(bits())
    found = judge(runs, hashes(runs), declared(), examples)
    rows = found.effects.set_index("arm")
    asked = rows.loc[rows["verdict"].isin(["BETTER", "WORSE", "EQUIVALENT", "INCONCLUSIVE"])]
    assert found.example_deviation == pytest.approx(asked["example_deviation"].median())
    assert judge(runs, hashes(runs), declared()).example_deviation is None

    def query(_: str) -> list[tuple[Any, ...]]:
        kept = [("a", "d", ["accuracy", 0.1]), ("b", "d", ["accuracy", 0.2]),
                ("c", "d", ["loss", 9.0]), ("e", "other", ["accuracy", 8.0])]  # fmt: skip
        names = ("ablation.study", "ablation.data", mirror.DEVIATION)
        return [(place, name, json.dumps(value)) for place, each in enumerate(kept)
                for name, value in zip(names, each, strict=True)]  # fmt: skip

    asked_of = [mirror.example_deviation(query, label, "d", "accuracy") for label in ("a", "new")]
    assert asked_of == [0.1, pytest.approx(0.15)]
    assert mirror.example_deviation(query, "a", "d", "macro_f1") is None


def test_a_metric_of_no_table_is_part_of_its_declaration() -> None:
    bleu = Metric(name="bleu", factor=100.0, unit="points", digits=2)
    given = declared(metric="bleu", described=bleu, chance=None, floor=None)
    assert Declaration.from_json(given.to_json()) == given
    assert given.measure == bleu
    assert "described" not in declared().to_json()
    assert given.hash != dataclasses.replace(given, described=Metric(name="bleu")).hash
