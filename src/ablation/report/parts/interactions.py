"""Several factors: what each does, what two do together, what a component is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablation.analysis.contrasts import FAMILIES, cell_weights, crossing_of, estimate
from ablation.figures import (
    ARMS,
    FAINT,
    INK,
    NARROW,
    WIDTH,
    Axis,
    figure_of,
    gradient,
    grid,
    name,
    plain,
    styled,
)
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, table
from ablation.report.numbers import Scale, p_value

if TYPE_CHECKING:
    from ablation.figures import Figure as Drawing

SAID = {
    "main": "A main effect is a level's mean over the levels of the other factors, less that of "
    "the baseline's level.",
    "interaction": "An interaction is what two levels do together beyond the sum of what each "
    "does alone.",
    "left_out": "All components less all but this one.",
    "added_in": "This component alone less none.",
    "in_or_out": "Where a component's worth beside all others differs from its worth alone, it "
    "interacts with them.",
}
"""Family to what its table shows."""


def find(basis: Basis) -> pd.DataFrame:
    """Returns the contrasts of the study's factors; none unless the arms allow them."""
    return basis.content.judged.contrasts


def section(basis: Basis) -> Iterator[Block]:
    """Yields the interaction that is the clearest as figures, and a table per family."""
    found = find(basis)
    pairs = found[found["family"] == "interaction"]
    if len(pairs):
        yield from _figures(basis, pairs)
    for family, rows in found.groupby("family", sort=False):
        yield contrast_table(rows, str(family), basis.scale)


def _figures(basis: Basis, pairs: pd.DataFrame) -> Iterator[Figure]:
    """Yields lines and heat map of the two factors with the smallest p value."""
    both = ["first_factor", "second_factor"]
    clearest = pairs.iloc[int(pairs["p"].fillna(1.0).argmin())]
    first, second = clearest["first_factor"], clearest["second_factor"]
    cells = find_cells(basis, first, second)
    drawn = basis.scale.frame(cells, "mean", "low", "high")
    yield Figure(
        "together",
        "The metric over the levels of one factor, a line per level of another",
        partial(draw_together, drawn, basis.axis),
        "Bands are pointwise 95 %. Parallel lines: the factors only add up.",
        narrow=partial(draw_together, drawn, basis.axis, narrow=True),
    )
    chosen = pairs[(pairs[both] == [first, second]).all(axis=1)]
    if len(chosen) > 1:  # a map of one field shows nothing that the table does not
        draw = partial(draw_interactions, basis.scale.frame(chosen, "effect"), basis.axis)
        yield Figure(
            "interactions",
            "What two factors do together beyond each alone",
            draw,
            "The difference of differences; white is inside the margin.",
            narrow=partial(draw, width=NARROW),
        )


def find_cells(basis: Basis, first: str, second: str) -> pd.DataFrame:
    """Returns the mean at each pair of levels of two factors, other factors averaged over.

    Columns: first, second, mean, low, high (pointwise 95 %), first_factor, second_factor.
    """
    crossing = crossing_of(basis.declaration)
    assert crossing is not None  # or there would be no interaction
    named, weights = cell_weights(crossing, first, second)
    means = estimate(basis.outcomes, basis.judged_seeds, weights, 0.05)
    frame = pd.DataFrame(named, columns=["first", "second"]).join(means[["effect", "low", "high"]])
    return frame.rename(columns={"effect": "mean"}).assign(
        first_factor=first, second_factor=second
    )


def contrast_table(rows: pd.DataFrame, family: str, scale: Scale) -> Table:
    """Returns the contrasts of one family."""
    shown = [
        [Cell(_named(row)), scale.difference(row["effect"]),
         scale.interval(row["low"], row["high"]),
         scale.interval(row["adjusted_low"], row["adjusted_high"]), p_value(row["p"])]
        for row in rows.to_dict("records")
    ]  # fmt: skip
    columns = [FAMILIES[family], scale.unit or "difference", "95 %", "agrees with Holm", "p"]
    caption = f"{SAID[family]} p values are adjusted by Holm over this table."
    return table(columns, shown, numeric="lrrrr", caption=caption)


def _named(row: Mapping[Any, Any]) -> str:
    return f"{row['name']} (or {row['also']})" if row["also"] else str(row["name"])


def draw_together(cells: pd.DataFrame, axis: Axis, *, narrow: bool = False) -> Drawing:
    """Draws the metric over the levels of one factor, a line and a band per level of another.

    Args:
        cells: One row per pair of levels: the columns of :func:`find_cells`.
        axis: How the metric is written.
        narrow: Whether it is as wide as a telephone.
    """
    from ablation.figures.library import seaborn

    levels = list(dict.fromkeys(cells["first"]))
    at = cells["first"].map({level: place for place, level in enumerate(levels)})
    drawn = cells.assign(at=at)
    with styled():
        figure = figure_of(NARROW if narrow else WIDTH, 3.0)
        axes = figure.subplots()
        for place, (level, rows) in enumerate(drawn.groupby("second", sort=False)):
            colour = ARMS[place % len(ARMS)]
            label = f"{cells['second_factor'].iloc[0].rpartition('.')[2]} {level}"
            seaborn.lineplot(rows, x="at", y="mean", color=colour, marker="o", errorbar=None,
                             label=name(label), legend=False, ax=axes)  # fmt: skip
            axes.fill_between(rows["at"], rows["low"], rows["high"], color=colour, alpha=0.15,
                              linewidth=0)  # fmt: skip
        axes.set_xticks(range(len(levels)), labels=[name(level) for level in levels])
        axes.set(xlabel=plain(cells["first_factor"].iloc[0]), ylabel=axis.values)
        grid(axes, "y")
        figure.legend(loc="outside upper left", ncols=1 if narrow else 3)
    return figure


def draw_interactions(pairs: pd.DataFrame, axis: Axis, *, width: float = WIDTH) -> Drawing:
    """Draws what two factors do together beyond each alone, white inside the margin.

    Args:
        pairs: One row per pair of levels.
        axis: How the metric is written.
        width: Inches.
    """
    from ablation.figures.library import seaborn

    first = list(dict.fromkeys(pairs["first"]))
    second = list(dict.fromkeys(pairs["second"]))
    table = pairs.pivot(index="first", columns="second", values="effect")
    table = table.loc[first, second]
    margin = axis.margin or 0.0
    with styled():
        figure = figure_of(width, max(2.6, 1.3 + 0.34 * len(first)))  # room for the bar's label
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
