"""Seeds across arms, what the seed moves beside the arm, and what each look decided."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from ablation.figures.style import (
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
    from matplotlib.figure import Figure

ROOM = 80
"""Characters of names that stand side by side under an axis."""


def across_seeds(scores: pd.DataFrame, effects: pd.DataFrame, axis: Axis) -> Figure:
    """Draws each seed as a line across the arms: parallel lines say that pairing works.

    Args:
        scores: One row per run: arm, seed, value, status.
        effects: One row per arm, in the order in which they are drawn.
        axis: How the metric is written.
    """
    arms = list(effects["arm"])
    at = {arm: place for place, arm in enumerate(arms)}
    with styled():
        figure = figure_of(WIDTH, 3.3)
        axes = figure.subplots()
        shown = scores[scores["arm"].isin(at)]
        for _, rows in shown.groupby("seed"):
            line = rows.assign(at=rows["arm"].map(at)).sort_values("at")
            axes.plot(line["at"], line["value"], color=MUTED, linewidth=0.7, alpha=0.6, zorder=2,
                      marker="o", markersize=2)  # fmt: skip
        axes.plot(range(len(arms)), effects["mean"], "_", color=INK, markersize=18,
                  markeredgewidth=1.6, zorder=3, label="mean of the arm")  # fmt: skip
        failed = shown[shown["status"] == "FAILED"]
        edge = axes.get_xaxis_transform()
        axes.plot(failed["arm"].map(at), [0.02] * len(failed), "x", color=VERDICTS["WORSE"],
                  transform=edge, markersize=6,
                  label="failed" if len(failed) else None)  # fmt: skip
        axes.set_ylabel(axis.values)
        steep = sum(len(short(arm, 22)) for arm in arms) > ROOM
        labels = [plain(short(arm, 22)) for arm in arms]
        axes.set_xticks(range(len(arms)), labels=labels, rotation=40 if steep else 0,
                        ha="right" if steep else "center", rotation_mode="anchor")  # fmt: skip
        axes.set_xlim(-0.4, len(arms) - 0.6)
        grid(axes, "y")
        axes.plot([], [], color=MUTED, linewidth=0.8, marker="o", markersize=2, label="one seed")
        figure.legend(loc="outside upper left", ncols=3)
    return figure


def variance(variance: pd.DataFrame, axis: Axis) -> Figure:
    """Draws what choosing the arm and choosing the seed move.

    Args:
        variance: One row per source: its deviation.
        axis: How the metric is written.
    """
    with styled():
        figure = figure_of(WIDTH, 1.35)
        axes = figure.subplots()
        labels = [f"choosing the {source}" for source in variance["source"]]
        axes.barh(labels, variance["deviation"], color=[VERDICTS["BETTER"], MUTED], height=0.55)
        for place, value in enumerate(variance["deviation"]):
            axes.annotate(f"{value:.{axis.digits}f}", (value, place), xytext=(5, 0),
                          textcoords="offset points", va="center", fontsize=8.5)  # fmt: skip
        axes.invert_yaxis()
        axes.margins(x=0.12)
        unit = f", {axis.unit}" if axis.unit else ""
        axes.set_xlabel(plain(f"moves {axis.metric} by (standard deviation{unit})"))
        axes.tick_params(axis="y", length=0)
        grid(axes, "x")
    return figure


def decisions(looks: pd.DataFrame, axis: Axis) -> Figure:
    """Draws how the intervals of the undecided arms narrowed from look to look.

    Args:
        looks: One row per arm and look that judged it.
        axis: How the metric is written.
    """
    arms, seeds = list(dict.fromkeys(looks["arm"])), sorted(set(looks["look"]))
    gap = 0.7 / max(len(seeds), 1)
    with styled():
        figure = figure_of(WIDTH, 1.2 + (0.18 + 0.13 * len(seeds)) * len(arms))
        axes = figure.subplots()
        if axis.margin is not None:
            axes.axvspan(-axis.margin, axis.margin, color=FAINT, alpha=0.5, linewidth=0)
        axes.axvline(0, color=INK, linewidth=0.9)
        for row in looks.to_dict("records"):
            y = arms.index(row["arm"]) + gap * (seeds.index(row["look"]) - (len(seeds) - 1) / 2)
            colour = VERDICTS[row["verdict"]]
            axes.plot([row["adjusted_low"], row["adjusted_high"]], [y, y], color=colour,
                      linewidth=1.2)  # fmt: skip
            axes.plot(row["effect"], y, "D", color=colour, markersize=3.5)
            edge = axes.get_yaxis_transform()
            word = "" if math.isnan(row["effect"]) else f"{row['look']}: {row['verdict']}"
            axes.annotate(
                word, (1, y), xycoords=edge, xytext=(8, 0), fontsize=6.5, va="center",
                textcoords="offset points", color=colour, annotation_clip=False,
            )  # fmt: skip
        axes.set_yticks(range(len(arms)), labels=[name(arm) for arm in arms])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(arms) - 0.45, -0.55)
        axes.set_xlabel(axis.differences)
        grid(axes, "x")
    return figure
