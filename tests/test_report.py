"""Reports: names stay text, figures draw what the frames say, sentences say it in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablation.analysis import answer, differences, judge, sentences
from ablation.figures import forest
from ablation.report import Content, build
from ablation.report.build import markdown

NASTY = ["<script>alert(1)</script>", "a|b", "{{7*7}}", r"$\alpha$_%"]
ARMS = ["base", *NASTY]


def declaration(metric: str = "accuracy", **changes: Any) -> dict[str, Any]:
    arms = [{"name": name, "config": f"c{i}", "values": {}} for i, name in enumerate(ARMS)]
    return {
        "name": "s", "arms": arms, "baseline": "base", "factor": None, "metric": metric,
        "margin": "0.02", "floor": "0.3", "chance": "0.3", "collapse": None, "quantum": "0.001",
        "looks": [[8, "0.05"]], "data": "d",
    } | changes  # fmt: skip


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


def content(tmp_path: Path) -> Content:
    frame, declared = runs(), declaration()
    return Content(
        label="s",
        declaration=declared,
        wording={"question": NASTY[0], "title": NASTY[3], "caveats": NASTY},
        declared={"abc": {"date": "2026-01-01T00:00:00Z", "runs_seen": 0}},
        current="abc",
        judged=judge(frame, hashes(frame), declared),
        runs=frame,
        curves=frame.head(0),
        provenance={"data": ["d"]},
    )


def test_two_builds_are_equal_byte_for_byte(tmp_path: Path) -> None:
    built = []
    for place in ("one", "two"):
        folder = build(content(tmp_path), tmp_path / place)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        built.append([(path.name, path.read_bytes()) for path in files])
    assert [name for name, _ in built[0]] == [
        "README.md", "curves.csv", "effects.csv", "differences.png", "differences.svg", "runs.csv",
    ]  # fmt: skip
    assert built[0] == built[1]


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    text = (build(content(tmp_path), tmp_path) / "README.md").read_text()
    assert "<script>" not in text
    assert r"a\|b" in text
    assert "{{7*7}}" in text.replace("\\", "")
    assert "49" not in text.replace("0.49", "")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "baseline" in line]
    assert rows[0].replace(r"\|", "").count("|") == 10


@pytest.mark.parametrize("sign", list("\\`*_[]#|~$"))
def test_every_sign_of_markdown_is_escaped(sign: str) -> None:
    assert markdown(f"a{sign}b") == f"a\\{sign}b"


def test_the_figure_draws_what_the_frames_say() -> None:
    frame, declared = runs(), declaration()
    judged = judge(frame, hashes(frame), declared)
    paired = differences(frame, declared, judged.seeds)
    figure = forest(judged.effects, paired, declared)
    (axes,) = figure.axes
    dots = next(c for c in axes.collections if c.get_label() == "one seed").get_offsets()
    np.testing.assert_allclose(np.sort(dots[:, 0]), np.sort(paired["difference"]))
    diamonds = [line for line in axes.lines if line.get_marker() == "D" and len(line.get_xdata())]
    np.testing.assert_allclose(
        [line.get_xdata()[0] for line in diamonds], judged.effects["effect"].iloc[1:]
    )
    said = [text.get_text() for text in axes.texts]
    assert [word for word in said if word.isupper()] == list(judged.effects["verdict"].iloc[1:])
    labels = [text.get_text().replace(r"\$", "$") for text in axes.get_yticklabels()]
    assert labels == NASTY
    figure.draw_without_rendering()
    width = figure.bbox.width
    assert all(text.get_window_extent().x1 <= width for text in axes.texts if text.get_text())


@pytest.mark.parametrize("arms", [2, 25])
def test_labels_do_not_overlap(arms: int) -> None:
    names = ["base", *(f"an arm with quite a long name {i}" for i in range(arms - 1))]
    row = {"n": 5, "effect": 0.01, "low": 0.0, "high": 0.02, "adjusted_low": -0.01,
           "adjusted_high": 0.03, "p_difference": 0.5, "p_equivalence": 0.1, "failed": 1,
           "verdict": "INCONCLUSIVE"}  # fmt: skip
    frame = pd.DataFrame([{"arm": name} | row for name in names])
    none = pd.DataFrame({"arm": [], "seed": [], "difference": []})
    figure = forest(frame, none, declaration())
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    boxes += [text.get_window_extent() for text in axes.texts if text.get_text()]
    for i, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
