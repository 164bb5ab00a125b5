"""Looks: how the intervals of the undecided arms narrowed, and what each look decided."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ablation.analysis.imputed import without_imputed
from ablation.analysis.robustness import looks
from ablation.figures import (
    INK,
    NARROW,
    VERDICTS,
    WIDTH,
    Axis,
    beside,
    figure_of,
    name,
    styled,
)
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, table
from ablation.report.numbers import Scale
from ablation.report.parts.forest import (
    VERDICT,
    bars,
    draw_margin,
    far_from_the_rest,
    panels_for,
)

if TYPE_CHECKING:
    from ablation.figures import Figure as Drawing

LINE = 0.16
"""Inches of a look."""


def find(basis: Basis) -> pd.DataFrame:
    """Returns one row per arm and look that judged it, the arms as the page shows them.

    There is none where the study looks once.
    """
    found, order = looks(basis.evidence, basis.walk), list(basis.shown["arm"])
    found = without_imputed(found, basis.effects)
    return found.sort_values("arm", key=lambda arms: arms.map(order.index), kind="stable")


def section(basis: Basis) -> Iterator[Block]:
    """Yields the looks as intervals and as a table."""
    judged, scale = find(basis), basis.scale
    if judged.empty:
        return
    rows = scale.frame(judged, "effect", "verdict_low", "verdict_high")
    drawn = rows[rows["arm"].isin(basis.drawn["arm"])]
    yield Figure(
        "decisions",
        "Interval and verdict of each arm at each look",
        partial(draw_looks, drawn, basis.axis),
        "From top to bottom the looks of each arm, each with the interval that its verdict rests "
        "on.",
        narrow=partial(draw_looks, drawn, basis.axis, narrow=True),
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


def draw_looks(looks: pd.DataFrame, axis: Axis, *, narrow: bool = False) -> Drawing:
    """Draws how the intervals of the undecided arms narrowed from look to look.

    Args:
        looks: One row per arm and look that judged it, the arms in the order drawn.
        axis: How the metric is written.
        narrow: Whether names are above the bars.
    """
    lines = lines_of(looks, apart=2.0 if narrow else 1.0)
    with styled():
        height = 1.1 + LINE * (lines["line"].max() + 1)
        figure = figure_of(NARROW if narrow else WIDTH, height)
        spans = spans_of(lines)
        panels = panels_for(figure, spans, far_from_the_rest(spans))
        for axes, _ in panels:
            draw_margin(axes, axis)
            for verdict, of in lines.groupby("verdict", sort=False):
                colour = VERDICTS[str(verdict)]
                axes.plot(*bars(of, VERDICT, of["line"]), color=colour, linewidth=1.6, zorder=3)
                axes.plot(of["effect"], of["line"], "D", color=colour, markersize=4.5,
                          markeredgewidth=0, zorder=4)  # fmt: skip
        first, last = panels[0][0], panels[-1][0]
        column = beside(last, 8)
        for row in lines.to_dict("records"):
            last.text(1, row["line"], f"{row['look']}: {row['verdict']}", transform=column,
                      fontsize=7, va="center", color=VERDICTS[row["verdict"]])  # fmt: skip
        places = lines.groupby("arm", sort=False)["line"].agg(["min", "mean"])
        labels = [name(str(arm)) for arm in places.index]
        first.set_yticks([] if narrow else places["mean"], labels=[] if narrow else labels)
        first.tick_params(axis="y", length=0)
        for label, line in zip(labels, places["min"], strict=True) if narrow else ():
            first.text(0, line - 0.9, label, va="center", fontsize=8, color=INK,
                       transform=first.get_yaxis_transform())  # fmt: skip
        first.set_ylim(lines["line"].max() + 0.8, -1.9 if narrow else -0.8)
        near = next(axes for axes, is_near in panels if is_near)
        near.set_xlabel(axis.unit if narrow else axis.differences)
    return figure


def lines_of(looks: pd.DataFrame, apart: float) -> pd.DataFrame:
    """Returns the rows with the line of each: an arm has as many lines as it had looks.

    Args:
        looks: One row per arm and look that judged it.
        apart: Lines between two arms.
    """
    arm = pd.factorize(looks["arm"])[0]
    ordered = looks.assign(order=arm).sort_values(["order", "look"], kind="stable")
    line = np.arange(len(ordered)) + apart * ordered["order"]
    return ordered.drop(columns="order").assign(line=line).reset_index(drop=True)


def spans_of(lines: pd.DataFrame) -> pd.DataFrame:
    """Returns the lowest and the highest number that is drawn for each arm: low, high."""
    ends = lines[["effect", "verdict_low", "verdict_high"]]
    both = pd.DataFrame({"low": ends.min(axis=1), "high": ends.max(axis=1)})
    found = both.groupby(lines["arm"], sort=False).agg({"low": "min", "high": "max"})
    return found.reset_index(drop=True)
