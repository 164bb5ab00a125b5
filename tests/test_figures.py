"""Figures draw what the frames say, in the unit of the page, and nothing overlaps."""

from __future__ import annotations

import dataclasses
import io
import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex
from PIL import Image
from synthetic import ARMS, NASTY, arms_named, content, declaration, runs

from ablation.analysis.effects import judge
from ablation.figures import FAINT, NARROW, VERDICTS, WIDTH, Axis, Panel, draw_curves, png
from ablation.figures.layout import lay_out
from ablation.records.colours import ARMS as ARM_COLOURS
from ablation.records.declaration import Look
from ablation.records.metric import METRICS
from ablation.report import Basis, compose
from ablation.report.basis import select_largest
from ablation.report.drawing import begin_drawing
from ablation.report.numbers import Scale
from ablation.report.parts import drawing_of, interactions, looks, response, sensitivity, verdicts
from ablation.report.parts.forest import draw_forest, spans_of
from ablation.report.parts.interactions import draw_interactions
from ablation.report.parts.looks import draw_looks
from ablation.report.parts.others import draw_cost
from ablation.report.parts.response import draw_response
from ablation.report.parts.searched import PROGRESS, draw_progress
from ablation.report.parts.seeds import draw_seeds

SCALE = Scale(METRICS["loss"])  # the frames here are in the unit of the page already
AXIS = Axis("accuracy", "points", 2, "base", 2.0)
LONG = "an arm with quite a long name, longer than any figure has room for, number"


def drawn(name: str, basis: Basis) -> Any:
    """One figure of a report; the study has to have it."""
    draw = drawing_of(basis, name)
    assert draw is not None
    return draw()


def texts(figure: Any) -> list[Any]:
    """Every text that a reader sees in a figure."""
    lay_out(figure)
    figure.draw_without_rendering()
    found = [text for axes in figure.axes for text in axes.texts]
    found += [text for legend in figure.legends for text in legend.get_texts()]
    for axes in figure.axes:
        for one in (axes.xaxis, axes.yaxis):
            low, high = sorted(one.get_view_interval())
            for tick in one.get_major_ticks():
                if low - 1e-9 <= tick.get_loc() <= high + 1e-9 and tick.label1.get_visible():
                    found.append(tick.label1)
            found.append(one.label)
    return [text for text in found if text.get_text() and text.get_visible()]


def assert_apart(figure: Any) -> None:
    """No text overlaps another or leaves the figure."""
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    boxes = []
    for text in texts(figure):
        box = Text.get_window_extent(text)  # without the line from it to what it names
        assert box.x0 >= -1, text.get_text()
        assert box.x1 <= figure.bbox.width + 1, text.get_text()
        if not text.get_rotation():
            boxes.append((text.get_text(), Bbox([[box.x0, box.y0 + 1], [box.x1, box.y1 - 1]])))
    for place, (one, box) in enumerate(boxes):
        for two, other in boxes[place + 1 :]:
            assert not box.overlaps(other), (one, two)


def many(arms: int, **changes: Any) -> pd.DataFrame:
    """Effects of arms with long names."""
    row = {"n": 5, "mean": 70.0, "effect": 1.0, "estimate_low": 0.0, "estimate_high": 2.0,
           "verdict_low": -1.0, "verdict_high": 3.0, "p_difference": 0.5, "p_equivalence": 0.1,
           "failed": 1, "verdict": "INCONCLUSIVE"}  # fmt: skip
    names = ["base", *(f"{LONG} {i}" for i in range(arms - 1))]
    return pd.DataFrame([{"arm": name} | row | changes for name in names])


def scores(arms: int) -> pd.DataFrame:
    draw_ = np.random.default_rng(1)
    rows = [
        (arm, seed, 70 + draw_.normal(), "FAILED" if seed == 2 and place == 1 else "FINISHED")
        for place, arm in enumerate(many(arms)["arm"])
        for seed in range(5)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "value", "status"])


def test_the_forest_draws_differences_effects_and_words() -> None:
    basis = Basis(content())
    (axes,) = drawn("differences", basis).axes
    dots = np.concatenate([each.get_offsets() for each in axes.collections])
    expected = 100 * np.sort(verdicts.find(basis)["difference"])
    np.testing.assert_allclose(np.sort(dots[:, 0]), expected)
    diamonds = [line for line in axes.lines if line.get_marker() == "D" and line.get_gid()]
    effects = basis.shown.iloc[1:]
    assert effects["effect"].is_monotonic_decreasing
    at = [line.get_xdata()[0] for line in diamonds]
    np.testing.assert_allclose(at, 100 * effects["effect"])
    colours = [to_hex(line.get_color()) for line in diamonds]
    assert colours == [VERDICTS[verdict] for verdict in effects["verdict"]]
    said = [text.get_text() for text in axes.texts]
    assert [word for word in said if word.isupper()] == list(effects["verdict"])
    named = [text for text in axes.texts if text.get_ha() == "right"]
    assert [text.get_text().replace(r"\$", "$") for text in named] == list(effects["arm"])
    assert [text.get_position()[1] for text in named] == list(range(len(effects)))


def test_arms_far_from_all_others_squeeze_none_of_them() -> None:
    """They get a panel with a scale of its own: every number drawn lies in one of the two."""
    frame = runs()
    frame.loc[frame["arm"] == NASTY[1], "value"] -= 0.3
    basis = Basis(content(frame))
    far, near = drawn("differences", basis).axes
    spans = spans_of(basis.shown.iloc[1:], verdicts.find(basis)) * 100
    is_far = (basis.shown["arm"].iloc[1:] == NASTY[1]).to_numpy()
    for axes, ends in ((far, spans[is_far]), (near, spans[~is_far])):
        low, high = axes.get_xlim()
        assert low < ends["low"].min()
        assert ends["high"].max() < high
    assert far.get_xlim()[1] < near.get_xlim()[0] < 0 < near.get_xlim()[1]
    assert far.get_xlabel() == "another scale"


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("arms", [2, 25])
def test_forests_of_few_and_of_many_arms_stay_apart(arms: int, narrow: bool) -> None:
    none = pd.DataFrame({"arm": [], "seed": [], "difference": []})
    figure = draw_forest(many(arms), none, AXIS, narrow=narrow)
    assert_apart(figure)
    (crosses,) = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert list(crosses.get_ydata()) == list(range(arms - 1))
    if narrow:  # the line at zero leaves the names above the bars free
        (zero,) = figure.axes[0].collections
        for place, (start, end) in enumerate(zero.get_segments()):
            assert place - 0.2 < start[1] < end[1] < place + 0.5


@pytest.mark.parametrize("arms", [2, 25])
def test_seeds_are_lines_across_arms_and_failures_crosses(arms: int) -> None:
    figure = draw_seeds(scores(arms), many(arms), AXIS)
    assert_apart(figure)
    axes = figure.axes[0]
    assert [len(line) for line in axes.collections[0].get_segments()] == [arms] * 5
    (cross,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert list(cross.get_xdata()) == [1]


def test_a_failed_run_breaks_the_line_of_its_seed() -> None:
    frame = scores(4)
    frame.loc[(frame["seed"] == 3) & (frame["arm"] == frame["arm"].unique()[1]), "value"] = np.nan
    figure = draw_seeds(frame, many(4), AXIS)
    drawn_at = [list(line[:, 0]) for line in figure.axes[0].collections[0].get_segments()]
    assert sorted(drawn_at) == [[0], *[[0, 1, 2, 3]] * 4, [2, 3]]


def levels(values: list[float]) -> pd.DataFrame:
    rows = [
        (repr(level), level, 70.0 + place, 69.0, 72.0, 5, 1 if level == 1.0 else 0, 0.0, 0.5,
         "" if level == 0.05 else "WORSE")
        for place, level in enumerate(values)
    ]  # fmt: skip
    columns = ["arm", "level", "mean", "low", "high", "n", "failed", "failed_low",
               "failed_high", "verdict"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def test_a_response_on_a_log_axis_puts_zero_left_of_a_break() -> None:
    axis = Axis("accuracy", "points", 2, "0.05", 2.0)
    frame = levels([0.0, 0.001, 0.01, 0.05, 0.5, 1.0])
    figure = draw_response(response.drawn(frame, SCALE), axis, "init_std", log=True)
    above, below = figure.axes
    line = max(above.lines, key=lambda each: len(each.get_xdata()))
    x, y = line.get_xdata(), line.get_ydata()
    assert list(y) == list(frame["mean"])
    np.testing.assert_allclose(x[1:], np.log10(frame["level"][1:]))
    assert x[0] < x[1] - 0.5
    (broken,) = [each for each in below.lines if each.get_marker() == "$//$"]
    assert x[0] < broken.get_xdata()[0] < x[1]
    (rates,) = [each.get_ydata() for each in below.lines if each.get_marker() == "x"]
    np.testing.assert_allclose(rates, 20 * (frame["level"] == 1.0))
    assert len(below.collections[0].get_segments()) == len(frame)


@pytest.mark.parametrize("width", [NARROW, WIDTH])
@pytest.mark.parametrize("number", [3, 25, 50])
@pytest.mark.parametrize("log", [False, True])
def test_the_levels_of_a_response_stay_apart(number: int, width: float, *, log: bool) -> None:
    spaced = np.geomspace(0.0001, 10, number) if log else np.linspace(0.1, 1, number)
    frame = levels([float(f"{level:.3g}") for level in spaced])
    named = list(frame["arm"])
    axis = dataclasses.replace(AXIS, baseline=named[number // 3])
    figure = draw_response(response.drawn(frame, SCALE), axis, "dropout", log=log, width=width)
    assert_apart(figure)
    shown = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert {named[0], named[-1], axis.baseline} <= set(shown)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("arms", [2, 25])
def test_curves_have_a_band_for_some_arms_and_failed_runs_end_in_a_cross(
    arms: int, *, narrow: bool
) -> None:
    names = list(many(arms)["arm"])
    bands = pd.DataFrame(
        [(arm, "train", "loss", epoch, 4, 1.0 / epoch, 0.9 / epoch, 1.1 / epoch)
         for arm in names for epoch in (1, 2, 3)],
        columns=["arm", "split", "metric", "epoch", "n", "mean", "low", "high"],
    )  # fmt: skip
    ended = pd.DataFrame(
        [("base", 0, "train", "loss", 1, 3.0, False), ("base", 0, "train", "loss", 2, 9.0, True)],
        columns=["arm", "seed", "split", "metric", "epoch", "value", "last"],
    )
    figure = draw_curves(
        bands, ended, dict(zip(names, ARM_COLOURS, strict=False)), [Panel("train", "loss")],
        narrow=narrow,
    )  # fmt: skip
    axes = figure.axes[0]
    filled = [
        each for each in axes.collections if type(each).__name__ == "FillBetweenPolyCollection"
    ]
    assert len(filled) == min(arms, 8)
    grey, dotted, cross = [each for each in axes.collections if each not in filled]
    assert cross.get_offsets().tolist() == [[2, 9.0]]
    assert [line.tolist() for line in dotted.get_segments()] == [[[1, 3.0], [2, 9.0]]]
    lines = [line.get_xydata() for line in axes.lines if list(line.get_xdata()) == [1, 2, 3]]
    assert len(grey.get_segments()) == max(arms - 8, 0)
    lines += grey.get_segments()
    assert len(lines) == arms
    for line in lines:
        np.testing.assert_allclose(line, [[1, 1], [2, 1 / 2], [3, 1 / 3]])
    assert_apart(figure)


@pytest.mark.parametrize("most", [0.35, 2.0, 400.0])
def test_a_log_axis_has_numbers_however_little_it_spans(most: float) -> None:
    ends = [(1, 0.31), (2, most)]
    bands = pd.DataFrame(
        [("base", "probe", "displacement_query", epoch, 4, value, value, value)
         for epoch, value in ends],
        columns=["arm", "split", "metric", "epoch", "n", "mean", "low", "high"],
    )  # fmt: skip
    ended = pd.DataFrame(columns=["arm", "seed", "split", "metric", "epoch", "value", "last"])
    colours = {"base": ARM_COLOURS[0]}
    figure = draw_curves(bands, ended, colours, [Panel("probe", "displacement_query")])
    figure.draw_without_rendering()
    axis = figure.axes[0].yaxis
    low, high = axis.get_view_interval()
    ticks = [tick for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
             if low <= tick.get_loc() <= high and tick.label1.get_text()]  # fmt: skip
    assert len(ticks) >= 2
    assert all(float(tick.label1.get_text()) == pytest.approx(tick.get_loc()) for tick in ticks)
    assert_apart(figure)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", ["differences", "seeds", "curves", "probes", "cost", "variance"])
def test_panels_are_where_matplotlibs_own_layout_puts_them(name: str, *, narrow: bool) -> None:
    frame = runs()
    frame.loc[frame["arm"] == NASTY[1], "value"] -= 0.3  # so that the forest has two panels
    (found,) = (each for each in compose(Basis(content(frame))).figures if each.name == name)
    ours, theirs = (list(found.forms.values())[narrow]() for _ in range(2))
    lay_out(ours)
    FigureCanvasSVG(theirs)
    theirs.set_dpi(72)
    theirs.get_layout_engine().execute(theirs)
    assert len(ours.axes) == len(theirs.axes)
    for one, two in zip(ours.axes, theirs.axes, strict=True):
        if not one.get_visible():
            continue
        points = 72 * np.tile(ours.get_size_inches(), 2)
        np.testing.assert_allclose(points * one.get_position().bounds,
                                   points * two.get_position().bounds, atol=4)  # fmt: skip


def test_interactions_are_white_inside_the_margin() -> None:
    cells = pd.DataFrame(
        [("a", "x", 1.0), ("a", "y", -5.0), ("b", "x", 8.0), ("b", "y", 0.0)],
        columns=["first", "second", "effect"],
    ).assign(first_factor="model.one", second_factor="model.two")
    figure = draw_interactions(cells, AXIS)
    (mesh,) = [c for c in figure.axes[0].collections if hasattr(c, "get_array")]
    assert figure.axes[0].get_ylabel() == "model.one"
    figure.draw_without_rendering()
    white = [bool((colour[:3] > 0.999).all()) for colour in mesh.get_facecolors()]
    assert white == [True, False, False, True]


@pytest.mark.parametrize("narrow", [False, True])
def test_each_look_is_drawn_and_named(narrow: bool) -> None:
    rows = [
        (arm, look, 1.0, -1.0, 3.0, "INCONCLUSIVE" if look == 5 else "BETTER")
        for arm in ("a", LONG) for look in (5, 8)
    ]  # fmt: skip
    columns = ["arm", "look", "effect", "verdict_low", "verdict_high", "verdict"]
    figure = draw_looks(pd.DataFrame(rows, columns=columns), AXIS, narrow=narrow)
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said[:4] == ["5: INCONCLUSIVE", "8: BETTER"] * 2
    assert_apart(figure)


@pytest.mark.parametrize("narrow", [False, True])
def test_names_of_arms_with_equal_means_and_costs_stay_apart(narrow: bool) -> None:
    arms = pd.DataFrame(
        [
            (f"an arm {place}", 70.0 + place % 2, "BETTER" if place else "", 3.0)
            for place in range(16)
        ],
        columns=["arm", "mean", "verdict", "seconds"],
    )
    figure = draw_cost(arms, AXIS, narrow=narrow)
    assert {text.get_text() for text in figure.axes[0].texts} == set(arms["arm"])
    assert_apart(figure)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("arms", [1, 3, 16])
def test_lines_of_a_tuning_are_told_apart(arms: int, *, narrow: bool) -> None:
    """No two have one colour but grey, and the legend hides neither lines nor labels."""
    names = [f"an arm {place}" for place in range(arms)]
    rows = pd.DataFrame([(arm, trial, 60.0 + trial, np.nan, np.nan, 1)
                         for arm in names for trial in range(4)], columns=PROGRESS)  # fmt: skip
    figure = draw_progress(rows, AXIS, dict(zip(names, ARM_COLOURS, strict=False)), narrow=narrow)
    assert_apart(figure)
    (axes,) = figure.axes
    label = axes.yaxis.label.get_window_extent()
    assert label.y0 >= 0
    assert label.y1 <= figure.legends[0].get_window_extent().y0
    colours = [to_hex(line.get_color()) for line in axes.lines]
    own = [colour for colour in colours if colour != FAINT]
    assert len(set(own)) == len(own) == min(arms, len(ARM_COLOURS))
    assert len(figure.legends[0].get_texts()) == len(own)


@pytest.mark.parametrize("narrow", [False, True])
def test_a_legend_of_curves_stays_in_the_figure(narrow: bool) -> None:
    names = [f"sparsemax {place}" for place in range(8)]
    bands = pd.DataFrame([(arm, "train", "loss", 1, 4, 1.0, 0.9, 1.1) for arm in names],
                         columns=["arm", "split", "metric", "epoch", "n", "mean", "low", "high"]
                         )  # fmt: skip
    ended = pd.DataFrame(columns=["arm", "seed", "split", "metric", "epoch", "value", "last"])
    colours = dict(zip(names, ARM_COLOURS, strict=True))
    figure = draw_curves(bands, ended, colours, [Panel("train", "loss")], narrow=narrow)
    assert_apart(figure)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["1"]


@pytest.mark.parametrize("width", [NARROW, WIDTH])
def test_names_under_the_seeds_stay_apart(width: float) -> None:
    arms = pd.DataFrame({"arm": [f"0.{place:03}" for place in range(41)], "mean": 70.0})
    runs_ = arms.assign(seed=0, value=70.0, status="FINISHED")
    figure = draw_seeds(runs_, arms, AXIS, width=width)
    figure.draw_without_rendering()
    boxes = [each.get_window_extent() for each in figure.axes[0].get_xticklabels()]
    assert len(boxes) > 10
    assert all(one.x1 <= two.x0 for one, two in itertools.pairwise(boxes))


def test_an_arm_that_failed_is_crossed_once_where_panels_are_two() -> None:
    frame = runs()
    frame.loc[frame["arm"] == NASTY[1], "value"] -= 0.3
    failing = frame["arm"] == NASTY[3]
    frame.loc[failing, ["value", "status", "reason"]] = [np.nan, "FAILED", "nan_loss"]
    far, near = drawn("differences", Basis(content(frame))).axes
    crosses = [[line for line in axes.lines if line.get_marker() == "x"] for axes in (far, near)]
    assert [len(lines) for lines in crosses] == [0, 1]


def test_an_arm_without_an_effect_is_drawn_before_the_smallest() -> None:
    frame = many(60)
    frame["effect"] = [0.0, *np.linspace(1, 2, 59)]
    frame.loc[[3, 30], "effect"] = np.nan  # every run of these failed, and no floor is declared
    assert {3, 30} <= set(select_largest(frame, 40).index)


def test_runs_that_all_failed_have_curves_in_grey_or_in_colour() -> None:
    frame = runs()
    frame["status"], frame["value"], frame["reason"] = "FAILED", np.nan, "nan_loss"
    given = content(frame)
    basis = Basis(given)
    assert basis.bands.empty
    figure = drawn("curves", basis)
    _, dotted, _ = figure.axes[0].collections
    assert len(dotted.get_segments()) == len(frame)
    expected = given.curves[given.curves["split"] == "train"]
    expected = expected.sort_values(["config", "seed", "epoch"])
    lines = zip(dotted.get_segments(), map(to_hex, dotted.get_colors()), strict=True)
    arms = list(given.judged.effects["arm"])
    for (line, colour), (_, run) in zip(lines, expected.groupby(["config", "seed"]), strict=True):
        np.testing.assert_allclose(line[:, 1], run["value"])
        assert colour == ARM_COLOURS[arms.index(run["arm"].iloc[0])]


def test_a_name_that_begins_with_a_line_is_in_the_legend() -> None:
    arms = ["_no_bias", "base"]
    rows = [(arm, "train", "loss", epoch, 1.0, 0.9, 1.1) for arm in arms for epoch in (1, 2)]
    bands = pd.DataFrame(rows, columns=["arm", "split", "metric", "epoch", "mean", "low", "high"])
    ended = pd.DataFrame(columns=["arm", "seed", "split", "metric", "epoch", "value", "last"])
    figure = draw_curves(
        bands, ended, dict(zip(arms, ARM_COLOURS, strict=False)), [Panel("train", "loss")]
    )
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [text.lstrip("\N{ZERO WIDTH SPACE}") for text in said] == arms


def test_of_many_arms_the_largest_effects_are_drawn_in_their_order() -> None:
    frame = many(100)
    frame["effect"] = [0.0, *np.random.default_rng(2).permutation(99)]
    kept = select_largest(frame, 40)
    assert kept["arm"].iloc[0] == "base"
    assert sorted(kept["effect"].iloc[1:]) == list(range(59, 99))
    assert kept.index.is_monotonic_increasing


def test_equal_figures_are_equal_bytes_and_ids_differ_between_figures() -> None:
    given = content()
    pages = [dict(begin_drawing(list(compose(Basis(given)).figures))) for _ in range(2)]
    assert pages[0] == pages[1]
    assert set(pages[0]) == {
        f"{name}{kind}" for kind in ("", "-narrow")
        for name in ("differences", "seeds", "curves", "probes", "cost", "variance")
    }  # fmt: skip
    for name, (text, files) in pages[0].items():
        assert text.startswith("<?xml")
        first = {ending: content[:4] for ending, content in files.items()}
        pdf = {"pdf": b"%PDF"} if name == "differences" else {}
        assert first == ({} if name.endswith("-narrow") else {"png": b"\x89PNG"} | pdf)


def test_a_factor_with_levels_has_a_response_and_looks_have_theirs() -> None:
    frame = runs()
    names = dict(zip(["base", *NASTY], ["0.05", "0.0", "0.001", "0.5", "1.0"], strict=True))
    frame["arm"] = frame["arm"].map(names)
    path = "model.attention.init_std"
    arms = arms_named(list(names.values()), [{path: level} for level in names.values()])
    schedule = (Look(5, 0.02), Look(8, 0.03))
    declared = declaration(factor=path, baseline="0.05", arms=arms, looks=schedule)
    given = content(frame, declaration=declared)
    basis = Basis(given)
    found = response.find(basis)
    assert list(found.levels["arm"]) == ["0.0", "0.001", "0.05", "0.5", "1.0"]
    base = basis.effects["mean"].iloc[0]
    shifted = found.levels.set_index("arm")["mean"] - base
    effects = basis.effects.set_index("arm")["effect"]
    np.testing.assert_allclose(shifted, effects[shifted.index], atol=1e-12)
    assert (found.trend["levels"].iloc[0], found.trend["log"].iloc[0]) == (4, True)
    assert set(looks.find(basis)["look"]) == {5, 8}
    assert drawn("response", basis).axes
    assert drawn("decisions", basis).axes


def test_crossed_arms_have_interactions() -> None:
    frame = runs()
    frame = frame[frame["arm"] != NASTY[3]]
    pairs = [("0", "a"), ("0", "b"), ("1", "a"), ("1", "b")]
    values = [{"p": one, "q": two, "same": "x"} for one, two in pairs]
    declared = declaration(arms=arms_named(ARMS[:4], values))
    basis = Basis(content(frame, declaration=declared))
    found = interactions.find(basis)
    found = found[found["family"] == "interaction"]
    table = frame.pivot(index="seed", columns="arm", values="value")
    expected = (table[NASTY[2]] - table[NASTY[1]] - table[NASTY[0]] + table["base"]).mean()
    assert list(found["first"]) == ["1"]
    np.testing.assert_allclose(found["effect"], [expected], atol=1e-12)


def test_sensitivity_says_what_other_margins_would() -> None:
    given = content()
    found = sensitivity.find(Basis(given)).verdicts.set_index("arm")
    half = judge(given.runs, given.hashes, declaration(margin=0.01)).effects
    double = judge(given.runs, given.hashes, declaration(margin=0.04)).effects
    judged = {"verdict": given.judged.effects, "half_margin": half, "double_margin": double}
    for column, effects in judged.items():
        expected = effects.set_index("arm").loc[found.index, "verdict"]
        assert list(found[column]) == list(expected)


def test_the_plotting_library_loads_little_of_scipy_and_still_has_densities_and_clusters() -> None:
    code = """
import sys
from ablation.figures.library import seaborn
assert not {"scipy.stats", "scipy.cluster"} & set(sys.modules)
axes = seaborn.kdeplot(x=[1.0, 2.0, 4.0])
assert len(axes.lines[0].get_xdata()) == 200
assert sys.modules["scipy.stats"].norm.cdf(0.0) == 0.5
order = seaborn.clustermap([[0.0, 1.0], [9.0, 1.0], [0.1, 1.0]]).dendrogram_row.reordered_ind
assert abs(order.index(0) - order.index(2)) == 1
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_arms_keep_their_colours_in_a_png() -> None:
    """Even where one line hides all others, so that a colour has the legend's few pixels."""
    names = list(many(9)["arm"])
    bands = pd.DataFrame(
        [(arm, "train", "loss", epoch, 4, 1.0 / epoch, 0.6 / epoch, 1.4 / epoch)
         for arm in names for epoch in range(1, 9)],
        columns=["arm", "split", "metric", "epoch", "n", "mean", "low", "high"],
    )  # fmt: skip
    ended = pd.DataFrame(columns=["arm", "seed", "split", "metric", "epoch", "value", "last"])
    panels = [Panel("train", "loss")]
    image = Image.open(
        io.BytesIO(
            png(draw_curves(bands, ended, dict(zip(names, ARM_COLOURS, strict=False)), panels))
        )
    )
    shown = np.array([colour for _, colour in image.convert("RGB").getcolors()])
    assert len(shown) <= 64
    for colour in ARM_COLOURS:  # the first is one step from the colour of BETTER
        wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
        assert np.abs(shown - wanted).sum(axis=1).min() <= 1, colour
