"""Shows what a joint search saw: importances beside their null, the value over hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ablation.figures import LEVELS, MUTED, NARROW, WIDTH, Axis, figure_of, grid, plain, styled
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Text, table
from ablation.report.numbers import significant
from ablation.report.searches import values_of

if TYPE_CHECKING:
    from ablation.figures import Figure as Drawing

FEWEST = 8
"""Trials from which a contour is drawn."""

FEWEST_VALUES = 3
"""Values of a hyperparameter from which it is drawn."""

DESCRIPTIVE = (
    "Descriptive. Importances sum to one even where nothing matters, so beside each is the value "
    "that 95 % of importances stay below when the values are shuffled over the trials."
)
NOT_ONE = (
    "No hyperparameter is more important than shuffled values would make it look: this search "
    "does not tell which of them matters."
)


def joint_blocks(basis: Basis, trials: pd.DataFrame) -> Iterator[Block]:
    """Yields the importances, and the value over each hyperparameter."""
    found = basis.content.tables.get("importances")
    if found is not None and len(found):
        rows = [
            [Cell(str(row["parameter"])), Cell(str(row["evaluator"])),
             significant(float(row["importance"])), significant(float(row["null95"])),
             Cell("yes" if row["importance"] > row["null95"] else "no")]
            for row in found.to_dict("records")
        ]  # fmt: skip
        columns = ["hyperparameter", "by", "importance", "when shuffled", "above that"]
        if not (found["importance"] > found["null95"]).any():
            yield Text(NOT_ONE)
        yield table(columns, rows, numeric="llrrl", caption=DESCRIPTIVE)
    numbers = numeric_values(trials)
    numbers = numbers[numbers.groupby("path")["x"].transform("nunique") >= FEWEST_VALUES]
    if len(numbers):
        yield Figure(
            "slices",
            "The value on validation over each numeric hyperparameter",
            partial(draw_slices, basis.scale.frame(numbers, "value"), basis.axis),
            "Each dot is a completed trial of the search; later ones stand out more.",
            narrow=partial(
                draw_slices, basis.scale.frame(numbers, "value"), basis.axis, narrow=True
            ),
        )
    plane = pair_of(numbers, found)
    if len(plane) >= FEWEST:
        yield Figure(
            "contour",
            "The value on validation over two numeric hyperparameters",
            partial(draw_contour, basis.scale.frame(plane, "value"), basis.axis),
            "Interpolated between the completed trials, the dots: a picture, not a model.",
        )


def numeric_values(trials: pd.DataFrame) -> pd.DataFrame:
    """Returns path, number, x and value, a row per completed trial and hyperparameter above 0."""
    rows = []
    for row in trials[trials["state"] == "COMPLETE"].to_dict("records"):
        for path, text in values_of({str(key): each for key, each in row.items()}).items():
            try:
                x = float(text)
            except ValueError:
                continue
            if x > 0 and text not in {"True", "False"}:
                rows.append((path, row["number"], x, row["value"]))
    return pd.DataFrame(rows, columns=["path", "number", "x", "value"])


def draw_slices(rows: pd.DataFrame, axis: Axis, *, narrow: bool = False) -> Drawing:
    """Draws the value over each hyperparameter, a panel for each.

    Args:
        rows: Columns path, number, x, value.
        axis: How the metric is written.
        narrow: Whether panels are below each other, for a telephone.
    """
    from ablation.figures.library import seaborn

    paths = list(dict.fromkeys(rows["path"]))
    # Colours that a page in the dark exchanges.
    age = (len(LEVELS) - 1) * rows["number"] // max(rows["number"].max(), 1)
    with styled():
        across = 1 if narrow else 2
        lines = -(-len(paths) // across)
        figure = figure_of(NARROW if narrow else WIDTH, 2.4 * lines)
        grid_of = figure.subplots(lines, across, sharey=True, squeeze=False).flat
        for path, axes in zip(paths, grid_of, strict=False):
            of = rows[rows["path"] == path]
            seaborn.scatterplot(of, x="x", y="value", hue=age.loc[of.index], s=18, legend=False,
                                palette=dict(enumerate(LEVELS)), edgecolor=MUTED,
                                linewidth=0.4, ax=axes)  # fmt: skip
            if of["x"].max() > 10 * of["x"].min():
                axes.set_xscale("log")
            axes.set(xlabel=plain(path.rpartition(".")[2]), ylabel=plain(axis.unit or axis.metric))
            grid(axes, "y")
        for axes in list(grid_of):
            axes.set_visible(False)
    return figure


def pair_of(numbers: pd.DataFrame, found: pd.DataFrame | None) -> pd.DataFrame:
    """Returns columns x, y, value, x_path, y_path for the two most important numeric paths.

    Args:
        numbers: As from :func:`numeric_values`.
        found: The importances, if they are known.
    """
    counts = numbers["path"].value_counts()
    # One that few trials have, such as the heads of one pooling, makes no plane.
    paths = [path for path in dict.fromkeys(numbers["path"]) if counts[path] > counts.max() / 2]
    if found is not None and len(found):
        weights = found[found["evaluator"] == "fANOVA"].set_index("parameter")["importance"]
        paths.sort(key=lambda path: -float(weights.get(path, 0.0)))
    if len(paths) < 2:  # noqa: PLR2004 - a plane has two axes
        return pd.DataFrame(columns=["x", "y", "value", "x_path", "y_path"])
    one, two = (numbers[numbers["path"] == path].set_index("number") for path in paths[:2])
    both = one.join(two["x"].rename("y"), how="inner")
    named = both.assign(x_path=paths[0], y_path=paths[1])
    return pd.DataFrame(named[["x", "y", "value", "x_path", "y_path"]])


def draw_contour(plane: pd.DataFrame, axis: Axis) -> Drawing:
    """Draws the value over two hyperparameters, on log scales where they span a tenfold.

    Args:
        plane: The columns of :func:`pair_of`.
        axis: How the metric is written.
    """
    with styled():
        figure = figure_of(WIDTH, 3.4)
        axes = figure.subplots()
        logs = {side: plane[side].max() > 10 * plane[side].min() for side in ("x", "y")}
        x, y = (np.log10(plane[side]) if logs[side] else plane[side] for side in ("x", "y"))
        is_plane = np.linalg.matrix_rank(np.column_stack([x - x.mean(), y - y.mean()])) > 1
        if is_plane:  # else there is no triangle between the trials
            filled = axes.tricontourf(x, y, plane["value"], levels=10, cmap="Blues")
            figure.colorbar(filled, ax=axes, label=axis.unit or axis.metric)
        axes.plot(x, y, "o", color="#24292f", markersize=3)
        for side, which in (("x", axes.xaxis), ("y", axes.yaxis)):
            label = plane[f"{side}_path"].iloc[0].rpartition(".")[2]
            if logs[side]:
                which.set_major_formatter(lambda at, _: f"{10**at:.2g}")
            which.set_label_text(plain(label))
    return figure
