"""Probes: what the attention does over the epochs, and how far its tensors move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from ablation.report.basis import Basis
from ablation.report.blocks import Block, Bullets, Cell, Figure, Table, Text, table
from ablation.report.numbers import significant
from ablation.report.parts.curves import drawing, note_on_grey, own_seeds, panels_of, seeds_of

MOVING = ("displacement_", "gradient_")
"""First letters of the probes that are about tensors, not about texts."""


MEANINGS = {
    "effective_tokens": "the exponential of the entropy: over how many tokens the weight spreads",
    "entropy": "of the weights over a text's tokens, in nats",
    "largest_weight": "the weight of the token that has the most",
    "output_variance": "of the pooled vector's entries over texts",
    "padding_weight": "what padding takes before a second masking",
    "score_spread": "the standard deviation of the scores in a text",
}
"""Probe to what it measures, a mean over 64 texts of validation."""


def find(basis: Basis) -> pd.DataFrame:
    """Returns the bands of the probes: one row per arm, probe and epoch."""
    return basis.bands[basis.bands["split"] == "probe"]


def section(basis: Basis) -> Iterator[Block]:
    """Yields the probes of texts and those of tensors, and a table of their first and last."""
    probes = find(basis)
    if probes.empty:
        return
    moving, constant = apart(probes)
    if constant:
        named = (f"{name.replace('_', ' ')} ({value:.3g})" for name, value in constant.items())
        yield Text(f"The same in all arms and epochs, and not drawn: {', '.join(named)}.")
    panels = panels_of(moving)
    tensors = [panel for panel in panels if panel.metric.startswith(MOVING)]
    texts = [panel for panel in panels if panel not in tensors]
    if texts:
        yield Bullets(
            [
                f"{panel.title}: {MEANINGS[panel.metric]}"
                for panel in texts
                if panel.metric in MEANINGS
            ]
        )
        yield Figure(
            "probes",
            "What the attention does over the epochs",
            drawing(basis, texts),
            f"Mean and pointwise 95 % t band, {seeds_of(basis)}; epoch 0 is the model as it was "
            "initialised." + note_on_grey(basis),
            narrow=partial(drawing(basis, texts), narrow=True),
        )
    if tensors:
        yield Figure(
            "movement",
            "How far the attention's tensors move, and their gradients",
            drawing(basis, tensors),
            "How far each tensor has moved, as a share of the length that it started with (on a "
            "logarithmic axis), and how long its gradient was at the last step.",
            narrow=partial(drawing(basis, tensors), narrow=True),
        )
    note = own_seeds(basis)
    for of in (each for each in (texts, tensors) if each):  # one table of both is too wide
        shown = moving[moving["metric"].isin([panel.metric for panel in of])]
        ends = sorted({int(moving["epoch"].min()), int(moving["epoch"].max())})
        made = probe_table(shown, ends, note)
        if len(made.columns) > 1:
            yield made
            note = ""  # told once


def apart(probes: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Returns the bands of the probes that differ anywhere, and the value of each other one."""
    means = probes.groupby("metric", sort=False)["mean"].agg(["min", "max"])
    same = means["max"] - means["min"] <= 1e-12 * means["max"].abs()
    constant = {str(name): float(value) for name, value in means.loc[same, "min"].items()}
    return probes[~probes["metric"].isin(constant)], constant


def probe_table(probes: pd.DataFrame, epochs: Sequence[int], note: str = "") -> Table:
    """Returns the means of the probes at some epochs, a row per arm with one.

    A note ends the caption.
    """
    kept = probes[probes["epoch"].isin(epochs)]
    values = kept.set_index(["arm", "metric", "epoch"])["mean"].to_dict()
    recorded = set(zip(kept["metric"], kept["epoch"], strict=True))
    names = dict.fromkeys(kept["metric"])
    columns = [
        (name, epoch)
        for name in names
        for epoch in epochs
        if (name, epoch) in recorded and _differs(kept, name, epoch)
    ]
    rows = [
        [Cell(arm), *(significant(values.get((arm, *column))) for column in columns)]
        for arm in dict.fromkeys(kept["arm"])
    ]
    headings = [f"{name.replace('_', ' ')}, epoch {epoch}" for name, epoch in columns]
    caption = f"Means over seeds; probes and epochs in which all arms agree are left out.{note}"
    return table(["arm", *headings], rows, numeric="lr*", caption=caption)


def _differs(probes: pd.DataFrame, name: str, epoch: int) -> bool:
    of = probes.loc[(probes["metric"] == name) & (probes["epoch"] == epoch), "mean"]
    return bool(of.max() > of.min())
