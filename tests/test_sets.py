"""One study over several data sets: counts, means, the page, and what the command line names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import ARMS, NASTY, arms_named, content, declaration, runs

from ablation import stats
from ablation.analysis.sets import CELLS, Sets, answer_over, cells_of, combine
from ablation.cli.sets import sets_of
from ablation.report import Basis, files, index
from ablation.report.content import Content
from ablation.report.render.latex import escape
from ablation.report.sets import Wanted, build_over, stored_over
from ablation.study.spec import Study

PLAIN = declaration(arms=arms_named(["base", *"abcdef"]))
SETS = ["one", "t|wo", "three", "four", "five"]


def content_on(name: str, metric: str = "accuracy") -> Content:
    """The synthetic study with effects of its own on each data set; as a loss, all turned."""
    draw = np.random.default_rng(SETS.index(name))
    frame, floor = runs(metric), 0.3
    shift = {arm: 0.0 if arm == "base" else draw.normal(0, 0.01) for arm in ARMS}
    frame["value"] += frame["arm"].map(shift)
    if metric == "loss":
        frame["value"], floor = -frame["value"], -floor
    label = f"s@{SETS.index(name)}"
    return content(frame, label=label, declaration=declaration(metric, floor=floor))


def written(folder: Path, names: Mapping[str, bool]) -> str:
    """The answer of a page over data sets, of which some have a report."""
    folders: dict[str, Path | None] = {}
    for name, there in names.items():
        made = content_on(name)
        folders[name] = folder / made.label if there else None
        (folder / made.label).mkdir(parents=True)
        files.write(made, folder / made.label)
    wanted = Wanted(study="s", title="", question=NASTY[0], folders=folders, command="ablation")
    return build_over(wanted, folder / "s+sets", of="x")


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page over five data sets, and what it is made from."""
    folder = tmp_path_factory.mktemp("five")
    written(folder, dict.fromkeys(SETS, True))
    return folder / "s+sets"


def combined(names: Sequence[str], metric: str = "accuracy") -> Sets:
    """The same without a page."""
    bases = {name: Basis(content_on(name, metric)) for name in names}
    every = [cells_of(name, each.effects, each.walk.spent()) for name, each in bases.items()]
    return combine(names, pd.concat(every), declaration(metric))


def cells(p: np.ndarray) -> pd.DataFrame:
    """Rows of data sets (0, 1, ...) and arms (a, b, ...) of which p values alone are known."""
    sets, arms = p.shape[:2]
    rows = [
        {"set": str(i), "arm": chr(97 + j), "verdict": "INCONCLUSIVE", "effect": 0.0,
         "standard_error": 1.0, "p_better": p[i, j, 0], "p_worse": p[i, j, 1],
         "p_equivalent": p[i, j, 2]}
        for i in range(sets)
        for j in range(arms)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(CELLS))


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_a_set_that_comes_in_takes_no_count_away(seed: int, k: int, arms: int) -> None:
    p = np.random.default_rng(seed).random((k, arms, 3)) ** 8
    names, counted = [str(i) for i in range(k)], ["better", "worse", "equivalent"]
    before = np.zeros((arms, 3), int)
    for known in (k - 1, k):
        found = combine(names, cells(p[:known]), declaration()).over[counted].to_numpy()
        assert (found >= before).all()
        before = found
    # Both directions at alpha over twice the arms, and equivalence at alpha over the arms.
    for column, share in zip(range(3), (2, 2, 1), strict=True):
        alone = stats.partial_conjunction(p[..., column], 0.05 / (share * arms))
        assert before[:, column].tolist() == alone.tolist()


def test_the_answer_names_arms_by_the_sets_on_which_they_hold() -> None:
    p = np.ones((3, 4, 3))
    p[:, 0, 1] = 1e-6
    p[:2, 1, 0] = 1e-6
    p[0, 2, 2] = 1e-6
    over = combine(["0", "1", "2", "x"], cells(p), PLAIN)
    assert answer_over(over) == (
        "It makes a difference on at least 3 of 4 data sets (0, 1, 2 and x).",
        "Take “b”: better than the baseline on at least 2 of 4, and found worse on none.",
        "Worse than base: “a” on at least 3.",
        "Within 2 points of base: “c” on at least 1.",
        "No claim about “d” survives the correction for 4 data sets.",
        "Without a report yet: x.",
    )
    frame = cells(p)
    frame.loc[(frame["arm"] == "b") & frame["set"].isin(["0", "1"]), "verdict"] = "BETTER"
    by_set = answer_over(combine(["0", "1", "2"], frame, PLAIN))
    took = "Take “b”: better than the baseline on at least 2 of 3 (by itself on 0 and 1)"
    assert by_set[1] == f"{took}, and found worse on none."
    frame["verdict"] = frame["verdict"].mask(frame["arm"] == "d", "IDENTICAL")
    said = answer_over(combine(["0", "1", "2"], frame, PLAIN))
    assert said[0] == "It makes a difference on all 3 data sets (0, 1 and 2)."
    assert said[-1] == "Identical, bit for bit, to base: “d” on all 3."


def test_the_arm_to_take_is_better_on_the_most_sets_and_worse_on_none() -> None:
    p, names = np.ones((3, 6, 3)), ["0", "1", "2"]
    p[:, :5, 0] = 1e-9
    p[2, 4, 0] = 1.0  # e is better on two sets alone
    frame = cells(p)
    for place, arm in enumerate("dcba"):
        frame.loc[frame["arm"] == arm, "effect"] = place
    said = answer_over(combine(names, frame, PLAIN))
    assert said[1] == "Take “a”, “b”, “c” or “d”: better than the baseline on all 3."
    assert said[2] == "Also better than base: “e” on at least 2."
    frame.loc[(frame["arm"] == "a") & (frame["set"] == "2"), "verdict"] = "WORSE"
    assert answer_over(combine(names, frame, PLAIN))[1].startswith("Take “b”, “c” or “d”: ")
    p[:, 4, 0] = 1e-9
    every = answer_over(combine(names, cells(p), PLAIN))
    assert every[1] == "Take “a”, “b”, “c” or one of 2 more: better than the baseline on all 3."
    frame.loc[frame["set"] == "0", "verdict"] = "WORSE"
    mixed = answer_over(combine(names, frame, PLAIN))[1]
    assert mixed.startswith(
        "No arm is one to take on all: what gains on one loses on another (“a”,"
    )
    worse = np.ones((3, 2, 3))
    worse[:, 0, 1] = 1e-9
    kept = answer_over(combine(names, cells(worse), PLAIN))
    assert kept[1] == "Keep the baseline: no arm is shown to be better on any data set."


def test_equivalence_everywhere_is_an_answer_and_its_absence_is_none() -> None:
    p = np.ones((2, 2, 3))
    unknown = answer_over(combine(["0", "1"], cells(p), declaration()))
    assert unknown[0].startswith("Not known yet whether it matters on any of 2 data sets")
    p[..., 2] = 1e-6
    settled = answer_over(combine(["0", "1"], cells(p), declaration()))
    assert settled[0] == "It does not matter on any of 2 data sets (0 and 1)."


def test_an_arm_that_loses_less_is_better_on_every_set() -> None:
    for metric in ("accuracy", "loss"):
        sets = combined(SETS, metric)
        said = " ".join(answer_over(sets))
        assert f"Take {NASTY[0]}: better than the baseline on all 5." in said
        assert f"Worse than base: {NASTY[1]} on all 5" in said
        assert (sets.over["mean"] > 0).tolist()[:2] == [metric == "accuracy", metric == "loss"]


def test_the_page_shows_each_verdict_as_its_own_report_does(five: Path) -> None:
    folder = five
    page, text = (folder / "index.html").read_text(), (folder / "README.md").read_text()
    tex, numbers = (folder / "table.tex").read_text(), pd.read_csv(folder / "sets.csv")
    for name in SETS:
        basis = Basis(content_on(name))
        expected = cells_of(name, basis.effects, basis.walk.spent()).set_index("arm")
        shown = numbers[numbers["set"] == name].set_index("arm")
        pd.testing.assert_frame_equal(shown, expected, check_dtype=False)
        for row in expected.to_dict("records"):
            effect = f"{row['verdict']} {100 * row['effect']:+.2f}".replace("-", "−")
            ends = f"{100 * row['verdict_low']:+.2f} to {100 * row['verdict_high']:+.2f}"
            whole = f"{effect} ({ends})".replace("-", "−").replace(" to ", "\xa0to\xa0")
            assert whole in page
            assert f"{effect} (" in text
            word, size = effect.split()
            assert f"{word.lower()} & {escape(size)}" in tex
        assert f'href="../s@{SETS.index(name)}/index.html"' in page
    assert "<script>alert" not in page + text
    assert len(list((folder / "figures").glob("arm-*.svg"))) == len(ARMS) - 1


def test_from_five_sets_on_there_is_a_mean_and_below_none(five: Path) -> None:
    assert combined(SETS[:4]).over["mean"].isna().all()
    assert "mean of 5 sets" in (five / "index.html").read_text()
    over = pd.read_csv(five / "over.csv")
    effects = [content_on(name).judged.effects.iloc[1:]["effect"].to_numpy() for name in SETS]
    np.testing.assert_allclose(over["mean"], np.mean(effects, axis=0), atol=1e-12)
    assert ((over["low"] < over["mean"]) & (over["new_low"] < over["low"])).all()


def test_a_set_without_a_report_is_named_and_what_a_reader_added_stays(tmp_path: Path) -> None:
    (tmp_path / "s+sets").mkdir()
    (tmp_path / "s+sets/notes.txt").write_text("mine")
    answer = written(tmp_path, {"one": True, "t|wo": False})
    page = (tmp_path / "s+sets/index.html").read_text()
    assert "Without a report yet: t|wo." in answer
    assert "1 of 2 data sets have a report. Missing: t|wo" in page
    assert re.search(r"<td><span class=\"better\">BETTER", page)
    assert (tmp_path / "s+sets/notes.txt").read_text() == "mine"


def test_a_comma_in_a_path_separates_nothing(tmp_path: Path) -> None:
    study = Study(name="s", question="?", factor="model.dropout", levels=(0, 0.3), baseline=0.3,
                  data=("trec", "sst2"))  # fmt: skip
    odd = tmp_path / "a,b"
    odd.mkdir()
    assert sets_of(study, None) == ("trec", "sst2")
    assert sets_of(study, "x, y,") == ("x", "y")
    assert sets_of(study, str(odd)) == (str(odd),)
    assert sets_of(study, f"{odd.parent}/c,b") == (f"{odd.parent}/c", "b")


def test_the_page_over_all_studies_shows_the_matrix_and_no_damaged_one(five: Path) -> None:
    for name in SETS[1:]:
        effects = content_on(name).judged.effects
        effects.to_csv(five.parent / f"s@{SETS.index(name)}/effects.csv", index=False)
    page = index(five.parent).read_text()
    assert 'href="s+sets/index.html"' in page
    assert page.count('<th scope="col">t|wo</th>') == 1
    # The set without effects has a column, and nothing in it.
    assert re.search(r'<tr><td>a\|b</td><td></td><td><span class="worse">WORSE', page)
    (five.parent / "bad").mkdir()
    for text in (
        "[]",
        '{"study": 1, "title": "", "answer": "", "sets": {}}',
        "{",
        '{"study": "", "title": "", "answer": "", "sets": []}',
    ):
        (five.parent / "bad/sets.json").write_text(text)
        assert stored_over(five.parent / "bad") is None
