"""Verdicts of a study: from its runs, at its looks, in words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from synthetic import ARMS, NASTY, arms_named, content, declaration, hashes, runs

from ablation.analysis import naming
from ablation.analysis.answers import answer
from ablation.analysis.effects import judge
from ablation.analysis.words import doubts, sentences
from ablation.records.declaration import Look
from ablation.report import Basis, compose
from ablation.report.blocks import Table, Text
from ablation.report.files import read
from ablation.report.parts import others, probes, response, sensitivity, variance, verdicts
from ablation.report.render import markdown


def verdicts_of(frame: pd.DataFrame, declared: dict[str, Any]) -> dict[str, str]:
    found = judge(frame, hashes(frame), declared).effects
    return dict(zip(found["arm"], found["verdict"], strict=True))


def test_verdicts_and_their_words() -> None:
    frame, declared = runs(), declaration()
    found = judge(frame, hashes(frame), declared).effects
    assert list(found["verdict"]) == ["", "BETTER", "WORSE", "EQUIVALENT", "INCONCLUSIVE"]
    said = answer(found, declared)
    assert said.startswith("It matters, by at least the margin of 2 points, on this test split. ")
    for place, advice, side in (
        (0, "Take", "above the baseline base"),
        (1, "Avoid", "below the baseline"),
    ):
        mean, points = (100 * abs(found[of].iloc[1 + place]) for of in ("mean", "effect"))
        size = f"{mean:.1f} %, {points:.1f} points {side} (interval "
        assert f"{advice} {NASTY[place]}: {size}" in said
    weak = [row["arm"] for row in found.iloc[1:].to_dict("records") if doubts(row)]
    assert weak == [NASTY[1]]
    assert f" † The differences of {NASTY[1]} are too skewed, or too far apart, " in said
    assert f"Within 2 points of the baseline: {NASTY[2]}." in said
    assert f"Undecided: {NASTY[3]}; " in said
    assert " would decide it with 80 % probability (ablation run s --follow-up)." in said
    assert len(sentences(found, declared)) == 4


def test_a_verdict_that_rests_on_failures_says_so() -> None:
    frame = runs(seeds=20)
    frame = frame[frame["arm"].isin(["base", NASTY[2]])]
    failing = (frame["arm"] == NASTY[2]) & (frame["seed"] < 7)
    frame.loc[failing, ["value", "status", "reason"]] = [np.nan, "FAILED", "nan_loss"]
    arms = [arm for arm in declaration().arms if arm.name in {"base", NASTY[2]}]
    declared = declaration(arms=tuple(arms), looks=(Look(20, 0.05),), floor=0.69, margin=None)
    found = judge(frame, hashes(frame), declared).effects
    assert found["verdict"].iloc[1] == "WORSE"
    assert f"Avoid {NASTY[2]}: failed alone on 7" in answer(found, declared)
    for said in (answer(found, declared), *sentences(found, declared)):
        assert "failed alone on 7 of 20 seeds" in said
        assert "points" not in said  # the size is that of an imputed constant
    assert found["p_failures"].iloc[1] <= 0.05 < found["p_difference"].iloc[1]


def test_sentences_keep_names_and_margins_as_they_are() -> None:
    frame = runs().replace({"arm": {NASTY[0]: "pre-norm", NASTY[2]: "-1e4"}})
    arms = arms_named(["base", "pre-norm", NASTY[1], "-1e4", NASTY[3]])
    declared = declaration(margin=0.0125, arms=arms)
    found = judge(frame, hashes(frame), declared).effects
    said = answer(found, declared)
    assert "Within 1.25 points of the baseline: -1e4." in said
    assert sentences(found, declared)[0].startswith("pre-norm: BETTER")


@pytest.mark.parametrize("arms", [[], NASTY[:1]])
def test_a_study_that_was_stopped_before_its_baseline_ran_has_a_report(arms: list[str]) -> None:
    frame = runs()
    frame = frame[frame["arm"].isin(arms) & (frame["seed"] == 0)].reset_index(drop=True)
    given = content(frame)
    basis = Basis(given)
    assert set(basis.effects["verdict"]) == {"", "INCONCLUSIVE"}
    assert verdicts.find(basis).empty
    assert compose(basis).sections


def test_what_is_short_of_a_look_has_no_p_values() -> None:
    frame = runs(seeds=6)
    names = ["0.05", "0.01", "0.1", "0.5", "1.0"]
    frame["arm"] = frame["arm"].map(dict(zip(["base", *NASTY], names, strict=True)))
    arms = arms_named(names, [{"model.dropout": name} for name in names])
    declared = declaration(factor="model.dropout", baseline="0.05", arms=arms)
    found = response.find(Basis(content(frame, declaration=declared)))
    assert found.trend.empty
    assert not found.levels.empty


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
    down = judge(negated, hashes(negated), declaration("loss", floor=-0.3)).effects
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
    declared = declaration(looks=(Look(5, 0.02), Look(8, 0.03)))
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


def test_identical_arms_share_a_sentence() -> None:
    frame, left = runs(), hashes(runs())
    names = [NASTY[2], NASTY[3]]
    for arm in names:
        for of in (frame, left):
            column = "value" if "value" in of else "weights"
            same = of.loc[of["arm"] == "base", column].to_numpy()
            of.loc[of["arm"] == arm, column] = same
    said = sentences(judge(frame, left, declaration()).effects, declaration())
    assert len(said) == 3
    assert said[-1] == (
        f"{names[0]} and {names[1]}: IDENTICAL: bit for bit the same as the baseline on all 8 "
        "seeds; up to 31 % of other seeds may differ."
    )


def test_a_page_begins_with_few_columns_and_has_the_others_below() -> None:
    page = compose(Basis(content()))
    first, numbers = (page.sections[place].blocks[-1] for place in (0, 2))
    assert list(first.columns) == [
        "arm", "verdict", "difference", "interval of the verdict", "mean", "baseline", "seeds",
        "failed",
    ]  # fmt: skip
    assert list(numbers.columns) == [
        "arm", "95 % estimate", "p differs", "p equivalent", "alpha", "w–t–l",
    ]  # fmt: skip
    assert [row[0].text for row in first.rows[1:]] == [row[0].text for row in numbers.rows]


def test_an_interval_of_a_response_ends_where_the_metric_does() -> None:
    frame = runs().assign(value=lambda runs: runs["value"] + 0.24)  # about 94 %
    levels = [{"rate": str(level)} for level in (0.1, 1.0, 0.2, 0.4, 0.8)]
    declared = declaration(arms=arms_named(ARMS, levels), factor="rate")
    found = response.find(Basis(content(frame, declaration=declared))).levels
    effects = judge(frame, hashes(frame), declared).effects
    assert (effects["mean"].iloc[0] + effects["verdict_high"]).max() > 1
    assert found["high"].max() == 1
    assert (found["mean"] <= found["high"].fillna(1)).all()


@pytest.mark.parametrize("kind", ["weights", "logits"])
def test_equal_hashes_on_every_seed_are_identity(kind: str) -> None:
    frame = runs()
    values = frame.loc[frame["arm"] == "base", "value"].to_numpy()
    frame.loc[frame["arm"] == NASTY[3], "value"] = values
    left = hashes(frame)
    left.loc[left["arm"] == NASTY[3], kind] = left.loc[left["arm"] == "base", kind].to_numpy()
    found = judge(frame, left, declaration()).effects.set_index("arm")
    assert found.loc[NASTY[3], "verdict"] == "IDENTICAL"
    assert found.loc[NASTY[3], "may_differ95"] == pytest.approx(1 - 0.05 ** (1 / 8))
    assert "Identical to the baseline, bit for bit on all 8 seeds" in answer(
        found.reset_index(), declaration()
    )
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


def test_other_metrics_are_compared_by_seed_and_have_no_verdict() -> None:
    frame = pd.concat([runs(), runs("loss")], ignore_index=True)
    found = others.find(Basis(content(frame)))
    assert set(found["metric"]) == {"loss", "seconds"}
    table = frame[frame["metric"] == "loss"].pivot(index="seed", columns="arm", values="value")
    for row in found[found["metric"] == "loss"].dropna(subset=["difference"]).to_dict("records"):
        paired = scipy.stats.ttest_rel(table[row["arm"]], table["base"])
        low, high = paired.confidence_interval(0.95)
        wanted = (table[row["arm"]].mean(), (low + high) / 2, low, high)
        np.testing.assert_allclose([row[name] for name in others.OTHERS[3:]], wanted, rtol=1e-9)


def test_the_cost_of_an_arm_has_its_parameters_where_the_record_tells_them() -> None:
    given = content(runs())
    sizes = {arm.name: 1000 + place for place, arm in enumerate(given.declaration.arms)}
    for record in ({}, {"sizes": sizes}):
        basis = Basis(dataclasses.replace(given, record={**given.record, **record}))
        (told,) = [each for each in others.section(basis) if isinstance(each, Table)]
        assert ("parameters" in told.columns) is bool(record)
        assert (told.rows[0][-1].text == "1,000") is bool(record)


def test_a_probe_that_differs_nowhere_is_named_and_not_drawn() -> None:
    bands = pd.DataFrame({"metric": ["a", "a", "b", "b"], "mean": [0.0, 0.0, 1.0, 2.0]})
    moving, constant = probes.apart(bands)
    assert constant == {"a": 0.0}
    assert set(moving["metric"]) == {"b"}


@pytest.mark.parametrize(("sample", "tables"), [("joint", 1), ("init_std", 2)])
def test_the_table_of_probes_is_split_as_the_figures_are(sample: str, tables: int) -> None:
    """One of both is cut at 1280 pixels; one in which all arms agree is left out."""
    basis = Basis(read(Path(__file__).parent.parent / "docs/samples" / sample))
    found = [block for block in probes.section(basis) if isinstance(block, Table)]
    assert len(found) == tables
    assert all(1 < len(each.columns) <= 11 for each in found)


def test_an_answer_about_a_search_says_what_the_best_configuration_is() -> None:
    kept = read(Path(__file__).parent.parent / "docs/samples/joint")
    said = answer(kept.judged.effects, kept.declaration)
    changed = "pooling logsumexp, init_std 0, bias_init none and learning_rate 0.00649"
    best = f"best 1 is the baseline with {changed}; it may not use all of these"
    assert f". Of these, {best}." in said
    open_, tried = (
        "perhaps by less than the margin of 2 points",
        "the best of 100 trials of search",
    )
    assert said.startswith(f"It matters, {open_}. The arms are {tried}; the baseline ")
    assert ". Take best 1, best 3 or best 2: " in said
    weak = "The verdicts of best 1, best 3 and best 2 each rest on one seed"
    assert said.endswith(f" † {weak}: without it, the verdict would differ.")


def test_an_arm_that_failed_in_all_runs_has_no_size_anywhere() -> None:
    """Its runs count as chance, which decides the verdict and is the size of nothing."""
    frame = runs()
    failing = frame["arm"] == NASTY[1]
    frame.loc[failing, ["value", "status", "reason"]] = [np.nan, "FAILED", "nan_loss"]
    basis = Basis(content(frame, declaration=declaration(looks=(Look(5, 0.02), Look(8, 0.03)))))
    effects = basis.effects.set_index("arm")
    assert effects.loc[NASTY[1], "verdict"] == "WORSE"
    size = 100 * abs(effects.loc[NASTY[1], "effect"])
    assert f"{NASTY[1]}: WORSE: failed in all 5 runs" in " ".join(
        sentences(basis.shown, basis.declaration)
    )
    assert not doubts({"odd_shape": False, "one_seed": True, "failed": 5, "n": 5})
    page = markdown.render(compose(basis))
    assert "failed in all 5 runs" in page
    assert f"{size:.1f}" not in page
    assert f"{size:.2f}" not in page
    floor = f"counts as one with {basis.scale.metric.title} 30 %"
    assert page.count(floor) == 2  # by the same words where it failed and where it is explained


def test_of_many_ranges_of_levels_those_with_the_largest_effects_are_named() -> None:
    values = [{"rate": str(float(level))} for level in range(20)]
    declared = declaration(arms=arms_named([of["rate"] for of in values], values), factor="rate",
                           baseline="0.0")  # fmt: skip
    rows = pd.DataFrame({"arm": [f"{level}.0" for level in range(1, 20) if level % 3]})
    rows["effect"] = -0.01 * np.arange(len(rows))
    said = naming.named(rows, declared)
    assert said == "13.0 to 14.0, 16.0 to 17.0, 19.0 and 8 more"
    assert naming.named(rows.iloc[:8], declared, "or") == (
        "1.0 to 2.0, 4.0 to 5.0, 7.0 to 8.0 or 10.0 to 11.0"
    )


def test_a_wider_interval_on_fewer_sources_of_error_is_explained() -> None:
    """New seeds alone vary less than new seeds and examples; critical values can turn that."""
    samples = Path(__file__).parent.parent / "docs/samples"
    for name, wider in (("init_std", True), ("aa", False)):
        basis = Basis(read(samples / name))
        said = " ".join(
            block.text for block in sensitivity.section(basis) if isinstance(block, Text)
        )
        assert ("An interval can be wider than in the verdicts" in said) == wider


def test_some_failed_runs_are_told_beside_an_open_verdict() -> None:
    """The size of the arm holds imputed values, and nothing else says so."""
    frame, names = runs(), ["base", *"abcd"]
    frame["arm"] = frame["arm"].map(dict(zip(ARMS, names, strict=True)))
    failing = (frame["arm"] == "c") & (frame["seed"] < 2)
    frame.loc[failing, ["value", "status", "reason"]] = [np.nan, "FAILED", "nan_loss"]
    declared = declaration(arms=arms_named(names))
    found = judge(frame, hashes(frame), declared).effects
    assert found.set_index("arm").loc["c", "verdict"] == "INCONCLUSIVE"
    assert " Runs failed: “c” 2 of 8." in answer(found, declared)
    (said,) = (each for each in sentences(found, declared) if each.startswith("c: "))
    assert said.endswith("; 2 of its 8 runs failed.")


def test_a_trend_leaves_out_the_levels_that_failed_in_all_runs() -> None:
    """Their values are imputed, and a slope through them is one of the imputed value."""
    levels = [{"rate": str(level)} for level in (0.1, 1.0, 0.2, 0.4, 0.8)]
    declared = declaration(arms=arms_named(ARMS, levels), factor="rate")
    frame = runs()
    frame.loc[frame["arm"] == NASTY[3], ["value", "status", "reason"]] = [np.nan, "FAILED", "nan"]
    basis = Basis(content(frame, declaration=declared))
    fewer = declaration(arms=declared.arms[:-1], factor="rate")
    kept = Basis(content(frame[frame["arm"] != NASTY[3]], declaration=fewer))
    pd.testing.assert_frame_equal(response.find(basis).trend, response.find(kept).trend)
    said = markdown.render(compose(basis))
    assert re.search(r"Trend over 4 levels, without .*%, which failed in all runs: ", said)
    assert "which failed in all runs" not in markdown.render(compose(kept))
    assert re.search(r"that all arms share, without .*%, which failed in all runs\)", said)
    pd.testing.assert_frame_equal(variance.find(basis), variance.find(kept))


@pytest.mark.parametrize("left", [(), ("base",), NASTY[:1]])
def test_a_report_is_written_of_arms_that_nearly_all_failed_in_all_runs(
    left: Sequence[str],
) -> None:
    frame = runs()
    failing = ~frame["arm"].isin(left)
    frame.loc[failing, ["value", "status", "reason"]] = [np.nan, "FAILED", "nan_loss"]
    basis = Basis(content(frame))
    assert "failed in all" in markdown.render(compose(basis))
    assert variance.find(basis).empty
