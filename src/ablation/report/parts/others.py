"""Other metrics and cost: everything else that was measured on test, without a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablation import stats
from ablation.figures import (
    FAINT,
    NARROW,
    VERDICTS,
    WIDTH,
    Axis,
    draw_lines,
    figure_of,
    grid,
    name,
    styled,
)
from ablation.records.metric import Metric, metric_of
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, Text, table
from ablation.report.numbers import Scale

if TYPE_CHECKING:
    from ablation.figures import Figure as Drawing

OTHERS = ("metric", "arm", "n", "mean", "difference", "low", "high")
"""One row per metric and arm: means over the finished runs, and the pointwise 95 % t interval of
the paired difference to the baseline."""

LONG, TEN = Metric("seconds", digits=1), 10
"""How seconds are written, and from how many on: such runs differ by tenths by themselves."""

ABOUT_AXES = 1.2
"""Inches above and below the axes of a figure."""

LINE = 0.16
"""Inches of a line of small text."""


def find(basis: Basis) -> pd.DataFrame:
    """Returns the columns :data:`OTHERS`, the study's own metric left out; seconds at last."""
    test = basis.runs[(basis.runs["split"] == "test") & (basis.runs["status"] == "FINISHED")]
    own, arms = basis.declaration.metric, list(basis.shown["arm"])
    names = [each for each in test["metric"].unique() if each != own]
    rows = [
        {"metric": metric} | row
        for metric in names
        for row in _compared(test[test["metric"] == metric], "value", arms)
    ]
    once = test.drop_duplicates(["arm", "seed"])
    rows += [{"metric": "seconds"} | row for row in _compared(once, "seconds", arms)]
    return pd.DataFrame(rows, columns=list(OTHERS)).astype({"mean": float})


def _compared(runs: pd.DataFrame, column: str, arms: list[str]) -> Iterator[dict[str, Any]]:
    """Yields the numbers of each arm, the baseline first, over seeds that both finished."""
    values = runs.pivot(index="seed", columns="arm", values=column).reindex(columns=arms)
    paired = values.sub(values[arms[0]], axis="index").to_numpy().T
    n = np.isfinite(paired).sum(axis=1)
    effect, spread = stats.moments(np.nan_to_num(paired), np.isfinite(paired))
    error = spread / np.sqrt(np.maximum(n, 1))
    low, high = stats.interval(effect, error, np.maximum(n - 1, 1), 0.025)
    for place, arm in enumerate(arms):
        ends = (low[place], high[place]) if place and n[place] > 1 else (np.nan, np.nan)
        yield {
            "arm": arm, "n": int(n[place]), "mean": values[arm].mean(),
            "difference": effect[place] if place else np.nan, "low": ends[0], "high": ends[1],
        }  # fmt: skip


def section(basis: Basis) -> Iterator[Block]:
    """Yields the table of differences in other metrics, and cost against the study's metric."""
    found = find(basis)
    if found.empty:
        return
    yield Text(
        "Descriptive, without verdicts: the other metrics on test and the seconds of a run. Each "
        "arm has its mean over all of its seeds, and its paired difference to the baseline on the "
        "seeds that both have, with the pointwise 95 % interval. The baseline's mean is over all "
        "of its seeds, so a difference of two means is not the one beside them. Of many such "
        "intervals, some miss."
    )
    sizes = basis.content.record.get("sizes", {})
    yield others_table(found, list(basis.shown["arm"]), sizes)
    cost = found.loc[found["metric"] == "seconds", ["arm", "mean"]]
    scores = basis.scale.frame(basis.shown[["arm", "mean", "verdict"]], "mean")
    both = scores.merge(cost.rename(columns={"mean": "seconds"}), on="arm").dropna()
    if len(both) > 1:
        yield Figure(
            "cost",
            "Mean of the metric against the seconds of a run",
            partial(draw_cost, both, basis.axis),
            "Up and to the left is better and cheaper; seconds are those of one worker, while "
            "others worked beside it.",
            narrow=partial(draw_cost, both, basis.axis, narrow=True),
        )


def others_table(found: pd.DataFrame, arms: list[str], sizes: Mapping[str, int]) -> Table:
    """Returns a row per arm; a column each for means and differences of a metric.

    Args:
        found: As of :func:`find`.
        arms: In the order of the rows.
        sizes: Arm to its number of parameters; empty where a run tells none.
    """
    names = list(found["metric"].unique())
    cells = {(row["metric"], row["arm"]): row for row in found.to_dict("records")}
    are_long = found.loc[found["metric"] == "seconds", "mean"].max() > TEN
    scales = {name: Scale(metric_of(name)) for name in names}
    scales |= {"seconds": Scale(LONG)} if are_long else {}
    rows = [
        [
            Cell(arm),
            *(cell for name in names for cell in _cells(cells.get((name, arm)), scales[name])),
            *([Cell(f"{sizes[arm]:,}", sizes[arm])] if sizes else []),
        ]
        for arm in arms
    ]
    headings = [
        heading for metric in names for heading in (metric_of(metric).title, "difference (95 %)")
    ]
    return table(["arm", *headings, *(["parameters"] if sizes else [])], rows, numeric="lr*")


def _cells(row: Mapping[Any, Any] | None, scale: Scale) -> list[Cell]:
    if row is None:
        return [Cell(""), Cell("")]
    difference, interval = (
        scale.difference(row["difference"]),
        scale.interval(row["low"], row["high"]),
    )
    text = f"{difference.text} ({interval.text})" if interval.text else difference.text
    return [scale.value(row["mean"]), Cell(text, difference.sort)]


def draw_cost(arms: pd.DataFrame, axis: Axis, *, narrow: bool = False) -> Drawing:
    """Draws each arm's mean against the seconds of a run; names are in a column beside it.

    Args:
        arms: One row per arm, the baseline first: arm, mean, verdict, seconds.
        axis: How the metric is written.
        narrow: Whether it is as wide as a telephone.
    """
    height = max(3.0 if narrow else 3.4, ABOUT_AXES + LINE * len(arms))
    with styled():
        figure = figure_of(NARROW if narrow else WIDTH, height)
        axes = figure.subplots()
        for verdict, of in arms.groupby("verdict", sort=False):
            axes.scatter(of["seconds"], of["mean"], color=VERDICTS[str(verdict)], s=34,
                         linewidth=0, label=verdict or "baseline", zorder=3)  # fmt: skip
        axes.margins(0.08)
        rows = arms.sort_values("mean", kind="stable").to_dict("records")
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        wanted = [(row["mean"] - low) / (high - low) for row in rows]
        places = spread(wanted, LINE / (height - ABOUT_AXES))
        for row, place in zip(rows, places, strict=True):
            axes.text(1.04, place, name(row["arm"]), va="center", fontsize=7.5,
                      color=VERDICTS[row["verdict"]], transform=axes.transAxes)  # fmt: skip
        edge = left + 1.035 * (right - left)
        draw_lines(
            axes,
            [[(row["seconds"], row["mean"]), (edge, low + place * (high - low))]
             for row, place in zip(rows, places, strict=True)],
            colors=FAINT, linewidths=0.6, zorder=2.5, clip_on=False,
        )  # fmt: skip
        axes.set(xlabel="seconds of a run", ylabel=axis.values)
        axes.set(xlim=(left, right), ylim=(low, high))
        grid(axes, "both")
        figure.legend(loc="outside upper left", ncols=2 if narrow else 6)
    return figure


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Returns places between 0 and 1 near the wanted ones, a gap or more apart.

    Args:
        wanted: The wanted places, ascending.
        gap: The least distance; smaller where not all fit.

    >>> spread([0.0, 0.5, 0.5], 0.25)
    [0.0, 0.5, 0.75]
    """
    gap = min(gap, 1 / max(len(wanted) - 1, 1))
    places: list[float] = []
    for place in wanted:
        places.append(max(place, places[-1] + gap if places else 0.0))
    most = 1.0
    for at in reversed(range(len(places))):
        places[at] = min(places[at], most)
        most = places[at] - gap
    return places
