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
    def is_log(self) -> bool:
        """Returns whether its values span so much that only a logarithmic axis shows them."""
        return self.metric.startswith("displacement_")

    @property
    def title(self) -> str:
        """The heading of its panel."""
        what = self.metric.replace("_", " ")
        return what if self.split in {"probe", "epoch"} else f"{what} on {self.split}"


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
                if len(rows):  # of which seaborn needs one
                    draw(axes, rows, colours)
            axes.set_ylabel("")
            if panels[place].is_log:
                axes.set_yscale("log", nonpositive="mask")
            axes.locator_params(axis="x", integer=True)
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


def _draw_bands(axes: Axes, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draws the finished runs of one panel."""
    from ablation.figures.library import seaborn

    means: Any = {"x": "epoch", "y": "mean", "estimator": None, "errorbar": None, "legend": False}
    bright = rows["arm"].isin(colours)
    if not bright.all():
        seaborn.lineplot(rows[~bright], **means, units="arm", color=MUTED, alpha=0.35,
                         linewidth=0.7, zorder=1, ax=axes)  # fmt: skip
    marks = _marks(colours)
    for arm, band in rows[bright].groupby("arm", sort=False):
        axes.fill_between(band["epoch"], band["low"], band["high"], color=colours[str(arm)],
                          alpha=0.14, linewidth=0)  # fmt: skip
    present = [arm for arm in colours if arm in set(rows["arm"])]
    before = len(axes.lines)
    if present:
        seaborn.lineplot(rows[bright], **means, units=rows.loc[bright, "arm"].map(present.index),
                         linewidth=1.6, markersize=4.2, markeredgewidth=0, zorder=3,
                         ax=axes)  # fmt: skip
    # Seaborn's hue and style would go through every pair of the two: half of the drawing's time.
    few = rows["epoch"].nunique() <= FEW
    for line, arm in zip(axes.lines[before:], present, strict=True):
        line.set(color=colours[arm], marker=marks[arm] if few else None)


def _draw_failed(axes: Axes, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draws the failed runs of one panel, each to its last value."""
    from ablation.figures.library import seaborn

    palette = dict.fromkeys(rows["arm"], MUTED) | dict(colours)
    runs = rows.groupby(["arm", "seed"], sort=False)
    before = len(axes.lines)
    seaborn.lineplot(rows, x="epoch", y="value", units=runs.ngroup(), estimator=None,
                     errorbar=None, linewidth=0.8, linestyle=":", legend=False,
                     ax=axes)  # fmt: skip
    for line, arm in zip(axes.lines[before:], runs.head(1)["arm"], strict=True):
        line.set_color(palette[arm])
    seaborn.scatterplot(rows[rows["last"].astype(bool)], x="epoch", y="value", hue="arm",
                        palette=palette, marker="x", s=36, linewidth=1, zorder=4, legend=False,
                        ax=axes)  # fmt: skip


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
    columns = max(1, min(4, int(ROOM * across / PER_ROW / max(map(len, labels), default=1))))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns)


def _label(arm: str) -> str:
    """Returns a name for the legend, from which matplotlib leaves out what begins with a line."""
    return f"\N{ZERO WIDTH SPACE}{name(arm)}" if arm.startswith("_") else name(arm)


def _marks(arms: Iterable[str]) -> dict[str, str]:
    return {arm: MARKS[place % len(MARKS)] for place, arm in enumerate(arms)}
