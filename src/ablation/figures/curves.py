"""Curves over the epochs: a panel per metric, a band per arm, failed runs to where they ended."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ablation.figures.style import (
    ARMS,
    MARKS,
    MUTED,
    WIDTH,
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
ROOM = 100
"""Characters of a line of the legend, its marks among them."""
FEW = 24
"""Epochs up to which each has its mark."""


@dataclasses.dataclass(frozen=True, slots=True)
class Panel:
    """One metric of the curves."""

    split: str
    metric: str

    @property
    def title(self) -> str:
        """What stands above it."""
        what = self.metric.replace("_", " ")
        return what if self.split == "probe" else f"{what} on {self.split}"


def draw_curves(
    bands: pd.DataFrame, cut_short: pd.DataFrame, arms: Sequence[str], panels: Sequence[Panel]
) -> Figure:
    """Draws mean and pointwise 95 % t band of each arm over the epochs.

    Args:
        bands: One row per arm, split, metric and epoch.
        cut_short: One row per failed run, split, metric and epoch, to its last finite value.
        arms: The arms in colour, the baseline first; all others are grey, without a band.
        panels: What to draw, in order.
    """
    with styled():
        lines = math.ceil(len(panels) / PER_ROW)
        figure = figure_of(WIDTH, 0.55 + 2.35 * lines)
        grid_of = figure.subplots(lines, PER_ROW, squeeze=False)
        for place, axes in enumerate(grid_of.flat):
            if place >= len(panels):
                axes.set_visible(False)
                continue
            _panel(axes, bands, cut_short, arms, panels[place])
        handles, labels = grid_of[0, 0].get_legend_handles_labels()
        columns = max(1, min(4, int(ROOM / max(map(len, labels), default=1))))
        figure.legend(handles, labels, loc="outside upper left", ncols=columns)
    return figure


def _label(arm: str) -> str:
    """Returns a name for the legend, from which matplotlib leaves out what begins with a line."""
    return f"\N{ZERO WIDTH SPACE}{name(arm)}" if arm.startswith("_") else name(arm)


def _panel(
    axes: Axes, bands: pd.DataFrame, cut_short: pd.DataFrame, arms: Sequence[str], panel: Panel
) -> None:
    of = bands[(bands["split"] == panel.split) & (bands["metric"] == panel.metric)]
    grey = "other arms"
    for arm, rows in of[~of["arm"].isin(arms)].groupby("arm", sort=False):
        axes.plot(rows["epoch"], rows["mean"], color=MUTED, alpha=0.35, linewidth=0.7, zorder=1,
                  label=grey)  # fmt: skip
        grey = f"_{arm}"
    ended = cut_short[(cut_short["split"] == panel.split) & (cut_short["metric"] == panel.metric)]
    for place, arm in enumerate(arms):
        rows, colour = of[of["arm"] == arm], ARMS[place % len(ARMS)]
        axes.fill_between(
            rows["epoch"], rows["low"], rows["high"], color=colour, alpha=0.14, linewidth=0
        )
        mark = MARKS[place % len(MARKS)] if len(rows) <= FEW else None
        axes.plot(rows["epoch"], rows["mean"], color=colour, linewidth=1.6, zorder=3, marker=mark,
                  markersize=3.2, label=_label(arm))  # fmt: skip
    colours = {arm: ARMS[place % len(ARMS)] for place, arm in enumerate(arms)}
    for _, run in ended.groupby(["arm", "seed"], sort=False):
        colour = colours.get(str(run["arm"].iloc[0]), MUTED)
        axes.plot(run["epoch"], run["value"], color=colour, linewidth=0.8, linestyle=":")
        last = run[run["last"]]
        axes.plot(last["epoch"], last["value"], "x", color=colour, markersize=6, zorder=4)
    axes.set_title(plain(panel.title))
    axes.set_xlabel("epoch")
    axes.locator_params(axis="x", integer=True)
    grid(axes, "y")
