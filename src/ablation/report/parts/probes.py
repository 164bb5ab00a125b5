"""Probes: what the attention does over the epochs, and how far its tensors move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, table
from ablation.report.numbers import significant
from ablation.report.parts.curves import drawing, note_on_grey, panels_of, seeds_of

MOVING = ("displacement_", "gradient_")
"""How the probes begin that tell of tensors and not of texts."""


def find(basis: Basis) -> pd.DataFrame:
    """Returns the bands of the probes: one row per arm, probe and epoch."""
    return basis.bands[basis.bands["split"] == "probe"]


def section(basis: Basis) -> Iterator[Block]:
    """Yields the probes of texts and those of tensors, and a table of their first and last."""
    probes = find(basis)
    if probes.empty:
        return
    panels = panels_of(probes)
    tensors = [panel for panel in panels if panel.metric.startswith(MOVING)]
    texts = [panel for panel in panels if panel not in tensors]
    if texts:
        yield Figure(
            "probes",
            "What the attention does over the epochs",
            drawing(basis, texts),
            f"Mean and pointwise 95 % t band, {seeds_of(basis)}; epoch 0 is the model as it was "
            "initialised." + note_on_grey(basis),
        )
    if tensors:
        yield Figure(
            "movement",
            "How far the attention's tensors move, and their gradients",
            drawing(basis, tensors),
            "How far each tensor has moved, as a share of the length that it started with, and "
            "how long its gradient was at the last step.",
        )
    yield probe_table(probes, sorted({int(probes["epoch"].min()), int(probes["epoch"].max())}))


def probe_table(probes: pd.DataFrame, epochs: Sequence[int]) -> Table:
    """Returns the means of the probes at some epochs, an arm to a row."""
    kept = probes[probes["epoch"].isin(epochs)]
    values = kept.set_index(["arm", "metric", "epoch"])["mean"].to_dict()
    recorded = set(zip(kept["metric"], kept["epoch"], strict=True))
    names = dict.fromkeys(kept["metric"])
    columns = [(name, epoch) for name in names for epoch in epochs if (name, epoch) in recorded]
    rows = [
        [Cell(arm), *(significant(values.get((arm, *column))) for column in columns)]
        for arm in dict.fromkeys(kept["arm"])
    ]
    headings = [f"{name.replace('_', ' ')}, epoch {epoch}" for name, epoch in columns]
    return table(["arm", *headings], rows, numeric="lr*")
