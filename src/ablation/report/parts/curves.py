"""Learning curves: the loss on train and the metric on validation over the epochs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ablation.figures import Panel, draw_curves
from ablation.records.declaration import Declaration
from ablation.records.metric import Metric, metric_of
from ablation.report.basis import COLOURED, Basis
from ablation.report.blocks import Block, Cell, Figure, Table, Text, table

MOST_PANELS = 8
"""Curves that are drawn of a user-defined metric."""

HALF = 0.5
"""Share of runs whose chosen epoch was the last, above which training was cut short."""


def section(basis: Basis) -> Iterator[Block]:
    """Yields the learning curves."""
    recorded = panels_of(basis.bands) | panels_of(basis.cut_short)
    panels = wanted_of(basis.declaration, recorded)
    if panels:
        known, draw = basis.declaration.described is None, drawing(basis, panels)
        yield Figure(
            "curves",
            f"{'Loss on train and metric on validation' if known else 'Metrics'} over the epochs",
            draw,
            f"Mean of the finished runs and pointwise 95 % t band, {seeds_of(basis)}; dotted "
            "lines are failed runs, to their last finite value." + note_on_grey(basis),
            narrow=partial(draw, narrow=True),
        )
    if len(basis.chosen):
        yield Text(
            "Runs whose chosen epoch was the last one. Above one half, training was cut short: "
            "give more epochs before you blame the level."
        )
        yield chosen_table(basis.chosen)


def wanted_of(declaration: Declaration, recorded: Iterable[Panel]) -> list[Panel]:
    """Returns the panels to draw: loss and metric, or whatever a run of its own recorded."""
    if declaration.described is not None:
        return [panel for panel in recorded if panel.split != "probe"][:MOST_PANELS]
    wanted = (Panel("train", "loss"), Panel("validation", declaration.metric))
    return [panel for panel in wanted if panel in set(recorded)]


def chosen_table(chosen: pd.DataFrame) -> Table:
    """Returns how often the chosen epoch was the last, an arm to a row."""
    rows = [
        [Cell(row["arm"]), Cell(_last(row), row["share"], word="WORSE" * (row["share"] > HALF))]
        for row in chosen.to_dict("records")
    ]
    return table(["arm", "the last epoch"], rows, numeric="lr")


def _last(row: Mapping[Any, Any]) -> str:
    cut = "cut short: " if row["share"] > HALF else ""
    return f"{cut}{row['last']} of {row['n']}"


def panels_of(curves: pd.DataFrame) -> dict[Panel, None]:
    """Returns the panels that a frame has rows for, in their order."""
    kinds = curves[["split", "metric"]].drop_duplicates()
    return dict.fromkeys(Panel(*kind) for kind in kinds.itertuples(index=False))


def drawing(basis: Basis, panels: Sequence[Panel]) -> partial[Any]:
    """Returns the drawing of some panels, with the rows of these alone."""
    metrics = {panel: _metric(basis, panel) for panel in panels}
    factors = {(panel.split, panel.metric): of.factor for panel, of in metrics.items()}
    bands = _scaled(_of(basis.bands, panels), factors, ("mean", "low", "high"))
    cut_short = _scaled(_of(basis.cut_short, panels), factors, ("value",))
    named = [dataclasses.replace(panel, unit=of.unit) for panel, of in metrics.items()]
    return partial(draw_curves, bands, cut_short, basis.coloured, named)


def _metric(basis: Basis, panel: Panel) -> Metric:
    """Returns how the values of a panel are written; probes are plain numbers."""
    if panel.split == "probe":
        return Metric(panel.metric, unit="", digits=3)
    own = basis.scale.metric
    return own if panel.metric == own.name else metric_of(panel.metric)


def _scaled(
    curves: pd.DataFrame, factors: Mapping[tuple[str, str], float], columns: Sequence[str]
) -> pd.DataFrame:
    """Returns curves with some columns in the unit of the page."""
    kinds = zip(curves["split"], curves["metric"], strict=True)
    factor = np.array([factors[kind] for kind in kinds])
    return curves.assign(**{name: factor * curves[name] for name in columns})


def _of(curves: pd.DataFrame, panels: Sequence[Panel]) -> pd.DataFrame:
    kinds = [(panel.split, panel.metric) for panel in panels]
    return curves[pd.MultiIndex.from_frame(curves[["split", "metric"]]).isin(kinds)]


def seeds_of(basis: Basis) -> str:
    """Returns how many runs a band is of, as in ``n = 5 to 8``."""
    n = basis.bands["n"]
    return f"n = {n.min()}" if n.min() == n.max() else f"n = {n.min()} to {n.max()}"


def own_seeds(basis: Basis) -> str:
    """Returns a note that arms are shown on their own seeds, where these are not the same."""
    if basis.effects["n"].nunique() == 1:
        return ""
    return (
        " Each arm is shown over the seeds that it was judged on, so that even identical arms "
        "differ where these do."
    )


def note_on_grey(basis: Basis) -> str:
    """Returns a note on the grey lines, where there are any."""
    few = len(basis.effects) <= COLOURED
    return "" if few else " Grey lines are the arms with smaller effects."
