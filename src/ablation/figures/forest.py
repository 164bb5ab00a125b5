"""The forest: paired differences, a row per arm, with margin, intervals and verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablation.figures.style import (
    BAND,
    INK,
    MUTED,
    VERDICTS,
    WIDTH,
    Axis,
    figure_of,
    grid,
    name,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BELOW = 0.27
"""Rows by which a seed's dot lies below its arm's bar, which would hide it."""

NARROW = 3.9
"""Inches of the figure for a telephone, in which names stand above the bars."""


def forest(
    effects: pd.DataFrame, differences: pd.DataFrame, axis: Axis, *, narrow: bool = False
) -> Figure:
    """Draws the paired differences.

    Args:
        effects: One row per arm, the baseline first; it has no row of its own.
        differences: One row per arm and seed.
        axis: How the metric is written.
        narrow: Whether names stand above the bars, and the numbers are left to the table.
    """
    rows = effects.iloc[1:].reset_index(drop=True)
    with styled():
        height = 1.25 + (0.52 if narrow else 0.36) * len(rows)
        figure = figure_of(NARROW if narrow else WIDTH, height)
        axes = figure.subplots()
        if axis.margin is not None:
            axes.axvspan(-axis.margin, axis.margin, color=BAND, linewidth=0, zorder=0,
                         label=f"margin ±{axis.margin:g} {axis.unit}".strip())  # fmt: skip
        axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
        places = {arm: place for place, arm in enumerate(rows["arm"])}
        kept = differences[differences["arm"].isin(places)]
        below = kept["arm"].map(places).astype(float) + BELOW
        axes.scatter(kept["difference"], below, s=9, color=MUTED, alpha=0.75, linewidths=0,
                     label="one seed", zorder=2)  # fmt: skip
        for place, row in enumerate(rows.to_dict("records")):
            _draw_arm(axes, place, row)
            _write_narrow(axes, place, row) if narrow else _write_arm(axes, place, row, axis)
        if narrow:
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        else:
            axes.set_yticks(range(len(rows)), labels=[name(arm) for arm in rows["arm"]])
            axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.4, -0.75 if narrow else -0.5)
        axes.set_xlabel(axis.differences if not narrow else axis.unit)
        grid(axes, "x")
        _legend(axes, figure, narrow=narrow)
    return figure


def _legend(axes: Axes, figure: Figure, *, narrow: bool) -> None:
    axes.plot([], [], "D", color=INK, markersize=5, label="effect")
    axes.plot([], [], color=INK, linewidth=3, label="95 %, pointwise")
    axes.plot([], [], color=INK, linewidth=1, label="agrees with Holm")
    figure.legend(loc="outside upper left", ncols=2 if narrow else 5, fontsize=7.5)


def _draw_arm(axes: Axes, place: int, row: Mapping[Any, Any]) -> None:
    """Draws one arm's intervals and effect, and its failures at the edge."""
    colour = VERDICTS[row["verdict"]]
    for low, high, width in (("low", "high", 3.0), ("adjusted_low", "adjusted_high", 1.0)):
        axes.plot([row[low], row[high]], [place, place], color=colour, linewidth=width, zorder=3,
                  solid_capstyle="butt")  # fmt: skip
    axes.plot(row["effect"], place, "D", color=colour, markersize=5.5, zorder=4)
    if row["failed"]:
        edge = axes.get_yaxis_transform()
        axes.plot(0.012, place, "x", transform=edge, color=colour, markersize=6, clip_on=False)


def _write_arm(axes: Axes, place: int, row: Mapping[Any, Any], axis: Axis) -> None:
    """Writes one arm's verdict, effect, p value, seeds and failures beside its row."""
    p = row["p_equivalence" if row["verdict"] == "EQUIVALENT" else "p_difference"]
    words = (
        row["verdict"],
        "" if math.isnan(row["effect"]) else f"{row['effect']:+.{axis.digits}f}".replace("-", "−"),
        "" if math.isnan(p) else "p <.0001" if p < 1e-4 else f"p {p:.2g}",  # noqa: PLR2004 - shown to four places
        f"n {row['n']}",
        f"failed {row['failed']}" if row["failed"] else "",
    )
    edge = axes.get_yaxis_transform()
    for points, text in zip((8, 86, 126, 176, 204), words, strict=True):
        axes.annotate(
            text, (1, place), xycoords=edge, xytext=(points, 0), textcoords="offset points",
            va="center", fontsize=8, color=VERDICTS[row["verdict"]], annotation_clip=False,
        )  # fmt: skip


def _write_narrow(axes: Axes, place: int, row: Mapping[Any, Any]) -> None:
    """Writes name and verdict above one arm's bar."""
    edge = axes.get_yaxis_transform()
    failed = f", failed {row['failed']}" if row["failed"] else ""
    sides = (
        (0, name(row["arm"]), "left", INK),
        (1, row["verdict"] + failed, "right", VERDICTS[row["verdict"]]),
    )
    for x, text, side, colour in sides:
        axes.text(
            x, place - 0.36, text, ha=side, va="center", fontsize=8, color=colour, transform=edge
        )
