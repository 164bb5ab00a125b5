"""Looks: how the intervals of the undecided arms narrowed, and what each look decided."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ablation.analysis.robustness import looks
from ablation.figures import FAINT, INK, VERDICTS, WIDTH, Axis, figure_of, grid, name, styled
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, table
from ablation.report.numbers import Scale

if TYPE_CHECKING:
    from ablation.figures import Figure as Drawing


def find(basis: Basis) -> pd.DataFrame:
    """Returns one row per arm and look that judged it; none where the study looks once."""
    return looks(basis.evidence, basis.walk)


def section(basis: Basis) -> Iterator[Block]:
    """Yields the looks as intervals and as a table."""
    judged, scale = find(basis), basis.scale
    if judged.empty:
        return
    rows = scale.frame(judged, "effect", "verdict_low", "verdict_high")
    yield Figure(
        "decisions",
        "Interval and verdict of each arm at each look",
        partial(draw_looks, rows[rows["arm"].isin(basis.drawn["arm"])], basis.axis),
        "From top to bottom the looks of each arm, each with the interval that its verdict rests "
        "on.",
    )
    yield looks_table(judged, scale)


def looks_table(looks: pd.DataFrame, scale: Scale) -> Table:
    """Returns the verdict and the effect at each look, an arm to a row."""
    seeds = sorted(set(looks["look"]))
    said = looks.set_index(["arm", "look"]).to_dict("index")
    rows = []
    for arm in dict.fromkeys(looks["arm"]):
        cells = [Cell(arm)]
        for look in seeds:
            found = said.get((arm, look))
            text = "" if found is None else (
                f"{found['verdict']} {scale.difference(found['effect']).text}"
            )  # fmt: skip
            cells.append(Cell(text, word="" if found is None else found["verdict"]))
        rows.append(cells)
    return table(["arm", *(f"{look} seeds" for look in seeds)], rows, numeric="l")


def draw_looks(looks: pd.DataFrame, axis: Axis) -> Drawing:
    """Draws how the intervals of the undecided arms narrowed from look to look.

    Args:
        looks: One row per arm and look that judged it.
        axis: How the metric is written.
    """
    from ablation.figures.library import seaborn

    arms, seeds = list(dict.fromkeys(looks["arm"])), sorted(set(looks["look"]))
    gap = 0.7 / max(len(seeds), 1)
    with styled():
        figure = figure_of(WIDTH, 1.2 + (0.18 + 0.13 * len(seeds)) * len(arms))
        axes = figure.subplots()
        if axis.margin is not None:
            axes.axvspan(-axis.margin, axis.margin, color=FAINT, alpha=0.5, linewidth=0)
        axes.axvline(0, color=INK, linewidth=0.9)
        middle = (len(seeds) - 1) / 2
        at = looks["arm"].map(arms.index) + gap * (looks["look"].map(seeds.index) - middle)
        seaborn.scatterplot(looks, x="effect", y=at, hue="verdict", palette=VERDICTS, marker="D",
                            s=20, linewidth=0, legend=False, zorder=3, ax=axes)  # fmt: skip
        for y, row in zip(at, looks.to_dict("records"), strict=True):
            colour = VERDICTS[row["verdict"]]
            axes.plot([row["verdict_low"], row["verdict_high"]], [y, y], color=colour,
                      linewidth=1.2)  # fmt: skip
            edge = axes.get_yaxis_transform()
            word = "" if math.isnan(row["effect"]) else f"{row['look']}: {row['verdict']}"
            axes.annotate(
                word, (1, y), xycoords=edge, xytext=(8, 0), fontsize=6.5, va="center",
                textcoords="offset points", color=colour, annotation_clip=False,
            )  # fmt: skip
        axes.set_yticks(range(len(arms)), labels=[name(arm) for arm in arms])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(arms) - 0.45, -0.55)
        axes.set(xlabel=axis.differences, ylabel="")
        grid(axes, "x")
    return figure
