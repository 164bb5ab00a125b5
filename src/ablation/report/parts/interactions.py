"""Interactions: what two crossed factors do together beyond each alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablation.analysis.response import interactions
from ablation.figures import (
    FAINT,
    INK,
    WIDTH,
    Axis,
    figure_of,
    gradient,
    name,
    plain,
    styled,
)
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, table
from ablation.report.numbers import Scale, p_value

if TYPE_CHECKING:
    from ablation.figures import Figure as Drawing


def find(basis: Basis) -> pd.DataFrame:
    """Returns one row per pair of levels, baselines left out; none unless factors are crossed."""
    alpha = float(basis.effects["alpha"].iloc[0])
    return interactions(basis.outcomes, basis.judged_seeds, alpha)


def section(basis: Basis) -> Iterator[Block]:
    """Yields the interactions as a heat map and a table."""
    pairs = find(basis)
    if len(pairs):
        yield Figure(
            "interactions",
            "What two factors do together beyond each alone",
            partial(draw_interactions, basis.scale.frame(pairs, "effect"), basis.axis),
            "The difference of differences; white is inside the margin.",
        )
        yield interaction_table(pairs, basis.scale)


def interaction_table(pairs: pd.DataFrame, scale: Scale) -> Table:
    """Returns the differences of differences."""
    rows = [
        [Cell(row["first"]), Cell(row["second"]), scale.difference(row["effect"]),
         scale.interval(row["low"], row["high"]),
         scale.interval(row["adjusted_low"], row["adjusted_high"]), p_value(row["p"])]
        for row in pairs.to_dict("records")
    ]  # fmt: skip
    factors = pairs[["first_factor", "second_factor"]].iloc[0]
    columns = [*factors, "together beyond each", "95 %", "agrees with Holm", "p"]
    return table(columns, rows, numeric="llrrrr")


def draw_interactions(pairs: pd.DataFrame, axis: Axis) -> Drawing:
    """Draws what two factors do together beyond each alone, white inside the margin.

    Args:
        pairs: One row per pair of levels.
        axis: How the metric is written.
    """
    from ablation.figures.library import seaborn

    first = list(dict.fromkeys(pairs["first"]))
    second = list(dict.fromkeys(pairs["second"]))
    table = pairs.pivot(index="first", columns="second", values="effect")
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
        row = pairs.iloc[0]
        axes.set(xlabel=plain(row["second_factor"]), ylabel=plain(row["first_factor"]))
    return figure


def _white_within(share: float) -> Any:
    """Returns orange to blue, white over the given share around the middle."""
    inner = min(max(share, 1e-3), 0.98) / 2
    stops = [(0.0, "#e8a36b"), (0.5 - inner, "#fdf6f0"), (0.5 - inner + 1e-6, "#ffffff"),
             (0.5 + inner - 1e-6, "#ffffff"), (0.5 + inner, "#f0f6fb"),
             (1.0, "#6baed6")]  # fmt: skip
    return gradient("margin", stops)
