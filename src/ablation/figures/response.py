"""The response to an ordered factor, and the interaction of two crossed ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablation.figures.style import (
    BAND,
    FAINT,
    INK,
    MUTED,
    VERDICTS,
    WIDTH,
    Axis,
    figure_of,
    grid,
    name,
    plain,
    short,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANY = 12
"""Levels up to which each is written under its point."""


def response(response: pd.DataFrame, axis: Axis, factor: str, *, log: bool) -> Figure:
    """Draws the metric over the levels, the failures below; 0 lies left of a broken log axis.

    Args:
        response: One row per level, rising.
        axis: How the metric is written.
        factor: What the levels are levels of.
        log: Whether the levels are on a log scale.
    """
    with styled():
        figure = figure_of(WIDTH, 3.9)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        at = _positions(response["level"].tolist(), log=log)
        base = response[response["arm"] == axis.baseline]
        if axis.margin is not None and len(base):
            centre = float(base["mean"].iloc[0])
            above.axhspan(centre - axis.margin, centre + axis.margin, color=BAND, linewidth=0,
                          label=f"margin around {name(axis.baseline)}")  # fmt: skip
        above.plot(at, response["mean"], color=MUTED, linewidth=1, zorder=2)
        for x, row in zip(at, response.to_dict("records"), strict=True):
            colour = VERDICTS[row["verdict"]]
            above.plot([x, x], [row["low"], row["high"]], color=colour, linewidth=2.4, zorder=3)
            mark = "o" if row["arm"] == axis.baseline else "D"
            above.plot(x, row["mean"], mark, color=colour, markersize=5.5, zorder=4)
            below.plot([x, x], [100 * row["failed_low"], 100 * row["failed_high"]], color=MUTED,
                       linewidth=1)  # fmt: skip
            if row["n"]:
                below.plot(x, 100 * row["failed"] / row["n"], "x", color=INK, markersize=5)
        above.set_ylabel(axis.values)
        below.set_ylabel("failed, %")
        below.set_ylim(-8, 108)
        below.set_xlabel(plain(factor) + (" (log scale)" if log else ""))
        _ticks(below, at, response["arm"].tolist())
        if log and response["level"].min() == 0:
            _break(above, below, at)
        for axes in (above, below):
            grid(axes, "y")
        if above.get_legend_handles_labels()[0]:
            above.legend(loc="best")
    return figure


def _positions(levels: list[float], *, log: bool) -> list[float]:
    """Returns where levels stand; on a log axis 0 stands a step left of the least other one."""
    if not log:
        return levels
    least = min(math.log10(level) for level in levels if level > 0)
    most = max(math.log10(level) for level in levels if level > 0)
    zero = least - max(0.6, 0.18 * (most - least))
    return [math.log10(level) if level > 0 else zero for level in levels]


def _ticks(axes: Axes, at: list[float], names: list[str]) -> None:
    """Writes the levels, as many as there is room for."""
    every = max(1, math.ceil(len(at) / MANY))
    axes.set_xticks(at[::every], labels=[plain(short(each, 9)) for each in names[::every]])
    axes.minorticks_off()


def _break(above: Axes, below: Axes, at: list[float]) -> None:
    """Marks that the axis is broken between 0 and the first level above it."""
    where = (at[0] + at[1]) / 2
    for axes in (above, below):
        axes.axvline(where, color=FAINT, linewidth=0.8, linestyle=(0, (2, 2)))
    below.plot([where], [0], marker="$//$", markersize=9, color=MUTED, clip_on=False,
               transform=below.get_xaxis_transform(), linestyle="none")  # fmt: skip


def interactions(interactions: pd.DataFrame, axis: Axis) -> Figure:
    """Draws what two factors do together beyond each alone, white inside the margin.

    Args:
        interactions: One row per pair of levels.
        axis: How the metric is written.
    """
    import seaborn

    first = list(dict.fromkeys(interactions["first"]))
    second = list(dict.fromkeys(interactions["second"]))
    table = interactions.pivot(index="first", columns="second", values="effect")
    table = table.loc[first, second]
    margin = axis.margin or 0.0
    with styled():
        figure = figure_of(WIDTH, 1.3 + 0.34 * len(first))
        axes = figure.subplots()
        limit = max(float(np.nanmax(np.abs(table.to_numpy()))), 2 * margin, 1e-9)
        labels = table.map(lambda value: f"{value:+.{axis.digits}f}")
        seaborn.heatmap(
            table, ax=axes, cmap=_white_within(margin / limit), vmin=-limit, vmax=limit,
            annot=labels, fmt="", linewidths=1, linecolor=FAINT,
            annot_kws={"fontsize": 8, "color": INK},
            xticklabels=[name(each) for each in second],
            yticklabels=[name(each) for each in first],
            cbar_kws={"label": f"beyond the sum{', ' + axis.unit if axis.unit else ''}"},
        )  # fmt: skip
        axes.tick_params(axis="y", rotation=0, length=0)
        axes.tick_params(axis="x", rotation=0, length=0)
        row = interactions.iloc[0]
        axes.set(xlabel=plain(row["second_factor"]), ylabel=plain(row["first_factor"]))
    return figure


def _white_within(share: float) -> Any:
    """Returns orange to blue, white over the given share around the middle."""
    from matplotlib.colors import LinearSegmentedColormap

    inner = min(max(share, 1e-3), 0.98) / 2
    stops = [(0.0, "#e8a36b"), (0.5 - inner, "#fdf6f0"), (0.5 - inner + 1e-6, "#ffffff"),
             (0.5 + inner - 1e-6, "#ffffff"), (0.5 + inner, "#f0f6fb"),
             (1.0, "#6baed6")]  # fmt: skip
    return LinearSegmentedColormap.from_list("margin", stops)
