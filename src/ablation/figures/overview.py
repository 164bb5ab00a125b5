"""Which factor matters most: the effects of all studies on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ablation.figures.style import (
    FAINT,
    INK,
    MUTED,
    VERDICTS,
    WIDTH,
    figure_of,
    grid,
    name,
    plain,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def overview(strongest: pd.DataFrame, effects: pd.DataFrame, unit: str) -> Figure:
    """Draws a row per study: all its effects as ticks, the strongest with its interval.

    Args:
        strongest: One row per study, in the order drawn: study, arm, effect, low, high, verdict.
        effects: One row per study and arm: study, effect.
        unit: What the effects are in.
    """
    with styled():
        figure = figure_of(WIDTH, 1.1 + 0.42 * len(strongest))
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
        at = {study: place for place, study in enumerate(strongest["study"])}
        axes.plot(effects["effect"], effects["study"].map(at), "|", color=MUTED, markersize=9,
                  zorder=2, label="an arm's effect")  # fmt: skip
        edge = axes.get_yaxis_transform()
        for place, row in enumerate(strongest.to_dict("records")):
            colour = VERDICTS[row["verdict"]]
            axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=3,
                      zorder=3, solid_capstyle="butt")  # fmt: skip
            axes.plot(row["effect"], place, "D", color=colour, markersize=5.5, zorder=4)
            axes.annotate(f"{name(row['arm'])}  {row['verdict']}", (1, place), xycoords=edge,
                          xytext=(8, 0), textcoords="offset points", va="center", fontsize=8,
                          color=colour, annotation_clip=False)  # fmt: skip
        axes.set_yticks(range(len(strongest)), labels=[name(study) for study in at])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(strongest) - 0.5, -0.5)
        axes.set_xlabel(plain(f"difference to the study's baseline, {unit}"))
        axes.plot([], [], "D-", color=INK, linewidth=3, markersize=5.5, label="strongest, 95 %")
        grid(axes, "x")
        axes.spines["bottom"].set_color(FAINT)
        figure.legend(loc="outside upper left", ncols=2)
    return figure
