"""Verdicts of a study: from its runs, at its looks, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import NASTY, declaration, hashes, runs

from ablation.analysis import answer, judge, sentences


def verdicts_of(frame: pd.DataFrame, declared: dict[str, Any]) -> dict[str, str]:
    found = judge(frame, hashes(frame), declared).effects
    return dict(zip(found["arm"], found["verdict"], strict=True))


def test_verdicts_and_their_words() -> None:
    frame, declared = runs(), declaration()
    found = judge(frame, hashes(frame), declared).effects
    assert list(found["verdict"]) == ["", "BETTER", "WORSE", "EQUIVALENT", "INCONCLUSIVE"]
    said = answer(found, declared)
    for place, word in ((0, "better"), (1, "worse")):
        points = abs(100 * found["effect"].iloc[1 + place])
        assert f"{NASTY[place]} is {word} than base by {points:.1f} points" in said
    assert f"{NASTY[2]} is equivalent to base within 2.0 points" in said
    assert f"{NASTY[3]} is inconclusive: a follow-up of" in said
    assert len(sentences(found, declared)) == 4


def test_the_order_of_rows_and_of_arms_does_not_matter() -> None:
    frame = runs()
    expected = judge(frame, hashes(frame), declaration()).effects
    shuffled = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(judge(shuffled, hashes(frame), declaration()).effects, expected)


def test_a_loss_is_judged_with_its_own_sign() -> None:
    """Negating both the metric and its direction changes no verdict."""
    frame = runs()
    negated = runs("loss").assign(value=-frame["value"])
    up = judge(frame, hashes(frame), declaration()).effects
    down = judge(negated, hashes(negated), declaration("loss", floor="-0.3")).effects
    assert list(up["verdict"]) == list(down["verdict"])
    np.testing.assert_allclose(up["effect"], -down["effect"], atol=1e-12)
    np.testing.assert_allclose(up["low"], -down["high"], atol=1e-12)
    assert list(up["wins"]) == list(down["wins"])


def test_runs_short_of_the_plan_get_no_verdict() -> None:
    frame = runs(seeds=6)
    found = judge(frame, hashes(frame), declaration())
    assert set(found.effects["verdict"]) == {"", "INCONCLUSIVE"}
    assert found.effects["p_difference"].isna().all()
    assert found.effects["reason"].iloc[1] == (
        "exploratory look, no verdicts: 6 of 8 planned blocks are complete"
    )
    assert set(found.seeds.values()) == {8}


def test_looks_decide_for_good_and_ask_for_more_where_they_do_not() -> None:
    declared = declaration(looks=[[5, "0.02"], [8, "0.03"]])
    frame = runs()
    first = judge(frame[frame["seed"] < 5], hashes(frame), declared)
    assert first.effects.set_index("arm").loc[NASTY[0], "verdict"] == "BETTER"
    assert first.seeds[NASTY[0]] == 5
    assert first.seeds[NASTY[3]] == first.seeds["base"] == 8
    assert "next look at n = 8" in first.effects.set_index("arm").loc[NASTY[3], "reason"]
    both = judge(frame, hashes(frame), declared).effects.set_index("arm")
    assert (both.loc[NASTY[0], "look"], both.loc[NASTY[3], "look"]) == (5, 8)
    # What came after an arm's last look does not change its verdict.
    noisy = frame.copy()
    noisy.loc[(noisy["arm"] == NASTY[0]) & (noisy["seed"] >= 5), "value"] = 0.0
    again = judge(noisy, hashes(noisy), declared).effects.set_index("arm")
    pd.testing.assert_series_equal(again.loc[NASTY[0]], both.loc[NASTY[0]])


@pytest.mark.parametrize("kind", ["weights", "logits"])
def test_equal_hashes_on_every_seed_are_identity(kind: str) -> None:
    frame = runs()
    values = frame.loc[frame["arm"] == "base", "value"].to_numpy()
    frame.loc[frame["arm"] == NASTY[3], "value"] = values
    left = hashes(frame)
    left.loc[left["arm"] == NASTY[3], kind] = left.loc[left["arm"] == "base", kind].to_numpy()
    found = judge(frame, left, declaration()).effects.set_index("arm")
    assert found.loc[NASTY[3], "verdict"] == "EQUIVALENT"
    assert "identical to base, bit for bit" in answer(found.reset_index(), declaration())
    left.loc[(left["arm"] == NASTY[3]) & (left["seed"] == 2), kind] = "another"
    assert (
        judge(frame, left, declaration()).effects["reason"].iloc[4]
        != (found.loc[NASTY[3], "reason"])
    )


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda frame: pd.concat([frame, frame.iloc[:1]]), "has two with seed 0"),
        (lambda frame: frame.assign(arm=frame["arm"].replace("a|b", "c")), "declared arm"),
        (lambda frame: frame.assign(seed=frame["seed"] + 3), "declared arm and seed"),
        (lambda frame: frame.assign(config=frame["config"].replace("c1", "x")), "one config"),
    ],
)
def test_a_frame_that_is_not_the_declarations_is_refused(change: Any, rule: str) -> None:
    frame = runs()
    with pytest.raises(ValueError, match=rule):
        judge(change(frame), hashes(frame), declaration())
