"""The response to an ordered factor: its trend, the metric over its levels, and the failures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ablation.analysis.imputed import all_failed, without_failed, without_imputed
from ablation.analysis.response import is_log, levels_of, response, trend
from ablation.analysis.words import p_text
from ablation.figures import (
    BAND,
    FAINT,
    INK,
    MUTED,
    NARROW,
    VERDICTS,
    WIDTH,
    Axis,
    draw_lines,
    figure_of,
    grid,
    name,
    plain,
    short,
    styled,
)
from ablation.records.metric import percent
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, Text, table, verdict_cell
from ablation.report.numbers import Scale

if TYPE_CHECKING:
    from ablation.figures import Axes
    from ablation.figures import Figure as Drawing

AROUND = 60
"""Points of a figure's width beside its panels."""

LETTER = 0.7
"""Width of a letter of a level as a share of its height, with some room between two levels."""


class Response(NamedTuple):
    """The response of a study; no rows where its factor is not numeric."""

    levels: pd.DataFrame
    """One row per level, rising: the mean with its interval, and the failed runs."""
    trend: pd.DataFrame
    """One row: the slope over the levels."""


def find(basis: Basis) -> Response:
    """Returns the response."""
    return Response(
        response(without_imputed(basis.effects, basis.effects), basis.declaration),
        trend(basis.outcomes, basis.judged_seeds, all_failed(basis.effects)),
    )


def section(basis: Basis) -> Iterator[Block]:
    """Yields the response as figure, trend and table."""
    found, scale, declaration = find(basis), basis.scale, basis.declaration
    if found.levels.empty:
        return
    log = is_log(levels_of(declaration))
    draw = partial(
        draw_response, drawn(found.levels, scale), basis.axis, str(declaration.factor), log=log
    )
    yield Figure(
        "response",
        f"{scale.metric.name} over the levels of {declaration.factor}",
        draw,
        "The baseline's mean plus each level's effect, with the interval of the verdict; "
        "below, the share of failed runs with its 95 % interval (Clopper and Pearson).",
        narrow=partial(draw, width=NARROW),
    )
    yield from _slopes(found, scale)
    yield response_table(found.levels, scale)


def drawn(levels: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Returns the levels in the unit of the page, with shares of failed runs in per cent."""
    shares = {
        "share": 100 * levels["failed"] / levels["n"],
        "share_low": 100 * levels["failed_low"],
        "share_high": 100 * levels["failed_high"],
    }
    return scale.frame(levels, "mean", "low", "high").assign(**shares)


def _slopes(found: Response, scale: Scale) -> Iterator[Text]:
    without = without_failed(found.levels)
    for row in found.trend.to_dict("records"):
        per = "tenfold of the level" if row["log"] else "unit of the level"
        slope = scale.difference(row["slope"]).text
        ends = scale.interval(row["low"], row["high"]).text or "no interval"
        left_out = row["log"] and (found.levels["level"] == 0).any()
        zero = " (a level of 0 has no place on the log scale and is left out)" if left_out else ""
        p = "" if math.isnan(row["p"]) else f", p {p_text(row['p'])}"
        yield Text(
            f"Trend over {row['levels']} levels{zero}{without}: {slope} {scale.unit} per {per} "
            f"(95 % {ends}{p}, {row['n']} seeds). A straight line is all that it can see."
        )


def response_table(response: pd.DataFrame, scale: Scale) -> Table:
    """Returns the response to an ordered factor."""
    rows = [
        [Cell(row["arm"], row["level"]), scale.value(row["mean"]),
         _plain_interval(row["low"], row["high"], scale), verdict_cell(row["verdict"]),
         Cell(f"{row['failed']} of {row['n']}", row["failed"]),
         Cell(f"{percent(row['failed_low'])} to {percent(row['failed_high'])}", row["failed_low"])]
        for row in response.to_dict("records")
    ]  # fmt: skip
    columns = [
        "level",
        "baseline + effect",
        "interval of the verdict",
        "verdict",
        "failed",
        "failure rate (95 %)",
    ]
    caption = (
        "Baseline + effect is the baseline's mean over all of its seeds plus the level's "
        "difference, so that levels judged on different seeds can be compared. It is not the mean "
        "in the table of verdicts, which is over the level's own seeds."
    )
    return table(columns, rows, numeric="rrrlrr", caption=caption)


def _plain_interval(low: float, high: float, scale: Scale) -> Cell:
    ends = (scale.value(low), scale.value(high))
    return Cell(" to ".join(end.text for end in ends) if not math.isnan(low) else "", low)


def draw_response(
    levels: pd.DataFrame, axis: Axis, factor: str, *, log: bool, width: float = WIDTH
) -> Drawing:
    """Draws the metric over the levels, the failures below; 0 is left of a broken log axis.

    Args:
        levels: One row per level, rising, as :func:`drawn` returns it.
        axis: How the metric is written.
        factor: What the levels are levels of.
        log: Whether the levels are on a log scale.
        width: Inches.
    """
    with styled():
        figure = figure_of(width, 3.9)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        at = _positions(levels["level"].tolist(), log=log)
        base = levels[levels["arm"] == axis.baseline]
        if axis.margin is not None and len(base):
            centre = float(base["mean"].iloc[0])
            above.axhspan(centre - axis.margin, centre + axis.margin, color=BAND, linewidth=0,
                          label=f"margin around {name(axis.baseline)}")  # fmt: skip
        above.plot(at, levels["mean"], color=MUTED, linewidth=1, zorder=2)
        colours = levels["verdict"].map(VERDICTS)
        for mark, is_marked in (("D", levels["arm"] != axis.baseline),
                                ("o", levels["arm"] == axis.baseline)):  # fmt: skip
            above.scatter(np.array(at)[is_marked], levels["mean"][is_marked],
                          color=list(colours[is_marked]), marker=mark, s=42, linewidth=0,
                          zorder=4)  # fmt: skip
        draw_lines(above, _upright(at, levels, "low", "high"), colors=list(colours),
                   linewidths=2.4, zorder=3)  # fmt: skip
        draw_lines(below, _upright(at, levels, "share_low", "share_high"), colors=MUTED,
                   linewidths=1)  # fmt: skip
        below.plot(at, levels["share"].where(levels["n"] > 0), "x", color=INK, markersize=5)
        above.set_ylabel(axis.values)
        below.set_ylabel("failed, %")
        below.set_ylim(-8, 108)
        below.set_xlabel(plain(factor) + (" (log scale)" if log else ""))
        size = 9 if width == WIDTH else 7
        below.tick_params(axis="x", labelsize=size)
        _ticks(below, at, levels["arm"].tolist(), axis.baseline, size / (72 * width - AROUND))
        if log and levels["level"].min() == 0:
            _break(above, below, at)
        for axes in (above, below):
            grid(axes, "y")
        if above.get_legend_handles_labels()[0]:
            figure.legend(loc="outside upper right")
    return figure


def _upright(at: list[float], levels: pd.DataFrame, low: str, high: str) -> np.ndarray:
    """Returns a line for each level, from one column to another: shape levels, 2 ends, x and y."""
    return np.stack([np.column_stack([at, levels[end]]) for end in (low, high)], axis=1)


def _positions(levels: list[float], *, log: bool) -> list[float]:
    """Returns the levels' positions; on a log axis 0 is a step left of the least other one."""
    if not log:
        return levels
    least = min(math.log10(level) for level in levels if level > 0)
    most = max(math.log10(level) for level in levels if level > 0)
    zero = least - max(0.6, 0.18 * (most - least))
    return [math.log10(level) if level > 0 else zero for level in levels]


def _ticks(axes: Axes, at: list[float], names: list[str], baseline: str, size: float) -> None:
    """Writes as many levels as there is room for: the baseline and the ends before others.

    Args:
        axes: The panel.
        at: The levels' positions.
        names: Their names.
        baseline: The baseline's.
        size: Height of a letter as a share of the panel's width.
    """
    letter, kept = LETTER * size * (at[-1] - at[0]), dict[int, str]()
    first = [place for place, each in enumerate(names) if each == baseline]
    for place in dict.fromkeys([*first, len(at) - 1, *range(len(at))]):
        label = plain(short(names[place], 9))
        if all(
            abs(at[place] - at[other]) >= letter * (len(label) + len(beside)) / 2
            for other, beside in kept.items()
        ):
            kept[place] = label
    axes.set_xticks([at[place] for place in kept], labels=list(kept.values()))
    axes.minorticks_off()


def _break(above: Axes, below: Axes, at: list[float]) -> None:
    """Marks that the axis is broken between 0 and the first level above it."""
    where = (at[0] + at[1]) / 2
    for axes in (above, below):
        axes.axvline(where, color=FAINT, linewidth=0.8, linestyle=(0, (2, 2)))
    below.plot([where], [0], marker="$//$", markersize=9, color=MUTED, clip_on=False,
               transform=below.get_xaxis_transform(), linestyle="none")  # fmt: skip
