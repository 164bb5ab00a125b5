"""Curves over the epochs: a panel per metric, a band per arm, failed runs to where they ended."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablation.figures.style import (
    MARKS,
    MUTED,
    NARROW,
    WIDTH,
    draw_lines,
    figure_of,
    grid,
    name,
    plain,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PER_ROW = 2
ROOM, MARK = 120, 8
"""Characters of a line of the legend, and of the mark before a name in it."""
FEW = 24
"""Epochs up to which each has its mark."""


@dataclasses.dataclass(frozen=True, slots=True)
class Panel:
    """One metric of the curves."""

    split: str
    metric: str
    unit: str = ""
    """The unit of the values; may be empty."""

    @property
    def is_log(self) -> bool:
        """Returns whether its values span so much that only a logarithmic axis shows them."""
        return self.metric.startswith("displacement_")

    @property
    def title(self) -> str:
        """The heading of its panel."""
        what = self.metric.replace("_", " ")
        said = what if self.split in {"probe", "epoch"} else f"{what} on {self.split}"
        return f"{said}, {self.unit}" if self.unit else said


def draw_curves(
    bands: pd.DataFrame,
    cut_short: pd.DataFrame,
    colours: Mapping[str, str],
    panels: Sequence[Panel],
    *,
    narrow: bool = False,
) -> Figure:
    """Draws mean and pointwise 95 % t band of each arm over the epochs.

    Args:
        bands: One row per arm, split, metric and epoch.
        cut_short: One row per failed run, split, metric and epoch, to its last finite value.
        colours: Arm to colour; all other arms are grey, without a band.
        panels: What to draw, in order.
        narrow: Whether panels are below each other, for a telephone.
    """
    with styled():
        across = 1 if narrow else PER_ROW
        lines = math.ceil(len(panels) / across)
        figure = figure_of(NARROW if narrow else WIDTH, 0.55 + 2.35 * lines)
        grid_of = figure.subplots(lines, across, squeeze=False)
        for place, axes in enumerate(grid_of.flat):
            if place >= len(panels):
                axes.set_visible(False)
                continue
            axes.set(title=plain(panels[place].title), xlabel="epoch")
            kept = [_of(frame, panels[place]) for frame in (bands, cut_short)]
            for rows, draw in zip(kept, (_draw_bands, _draw_failed), strict=True):
                draw(axes, rows, colours)
            if panels[place].is_log:
                _make_log(axes)
            axes.locator_params(axis="x", integer=True)
            if bands["epoch"].nunique() == 1:
                axes.set_xticks(bands["epoch"].unique())
            grid(axes, "y")
        others = not _of(bands, panels[0])["arm"].isin(colours).all()
        _legend(figure, grid_of[0, 0], colours, others=others, across=across)
    return figure


def _of(frame: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    rows = frame[(frame["split"] == panel.split) & (frame["metric"] == panel.metric)]
    if not panel.is_log or "mean" not in rows:
        return rows
    rows = rows[rows["mean"] > 0]  # zero, where every displacement starts, has no place
    return rows.assign(low=rows["low"].clip(lower=rows["mean"].min() / 2))


def _make_log(axes: Axes) -> None:
    """Gives an axis of values a logarithmic scale, with at least two numbers."""
    from matplotlib.ticker import LogLocator

    axes.set_yscale("log", nonpositive="mask")
    low, high = axes.get_ylim()
    # Numbers as texts, since matplotlib's formulas take longer than the rest of the panel.
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter("{x:g}" if high < 100 * low else "")


def _draw_bands(axes: Axes, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draws the finished runs of one panel: a line per arm, and a band where it has a colour."""
    marks = _marks(colours)
    few = rows["epoch"].nunique() <= FEW
    is_coloured = rows["arm"].isin(colours)
    draw_lines(axes, _lines(rows[~is_coloured], ["arm"], "mean"), colors=MUTED, alpha=0.35,
               linewidths=0.7, zorder=1)  # fmt: skip
    for arm, of in rows[is_coloured].groupby("arm", sort=False):
        epochs, colour = of["epoch"], colours[str(arm)]
        axes.fill_between(epochs, of["low"], of["high"], color=colour, alpha=0.14,
                          linewidth=0)  # fmt: skip
        axes.plot(epochs, of["mean"], color=colour, marker=marks[str(arm)] if few else None,
                  linewidth=1.6, markersize=4.2, markeredgewidth=0, zorder=3)  # fmt: skip


def _draw_failed(axes: Axes, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draws the failed runs of one panel, each to its last value."""
    palette = dict.fromkeys(rows["arm"], MUTED) | dict(colours)
    arms = rows[["arm", "seed"]].drop_duplicates()["arm"]
    draw_lines(axes, _lines(rows, ["arm", "seed"], "value"), colors=list(arms.map(palette)),
               linewidths=0.8, linestyles=":")  # fmt: skip
    last = rows[rows["last"].astype(bool)]
    axes.scatter(last["epoch"], last["value"], c=list(last["arm"].map(palette)), marker="x",
                 s=36, linewidth=1, zorder=4)  # fmt: skip


def _lines(rows: pd.DataFrame, by: list[str], column: str) -> list[Any]:
    """Returns a column over the epochs as arrays of points, one per group."""
    groups = rows.groupby(by, sort=False)[["epoch", column]]
    return [points.to_numpy(float) for _, points in groups]


def _legend(
    figure: Figure, axes: Axes, colours: Mapping[str, str], *, others: bool, across: int
) -> None:
    if others:
        axes.plot([], [], color=MUTED, alpha=0.35, linewidth=0.7, label="other arms")
    marks = _marks(colours)
    for arm in colours:
        axes.plot([], [], color=colours[arm], marker=marks[arm], linewidth=1.6, markersize=4.2,
                  markeredgewidth=0, label=_label(arm))  # fmt: skip
    handles, labels = axes.get_legend_handles_labels()
    longest = MARK + max(map(len, labels), default=1)
    columns = max(1, min(4, int(ROOM * across / PER_ROW / longest)))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns)


def _label(arm: str) -> str:
    """Returns a name for the legend, from which matplotlib leaves out what begins with a line."""
    return f"\N{ZERO WIDTH SPACE}{name(arm)}" if arm.startswith("_") else name(arm)


def _marks(arms: Iterable[str]) -> dict[str, str]:
    return {arm: MARKS[place % len(MARKS)] for place, arm in enumerate(arms)}
