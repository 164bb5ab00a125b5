"""Sensitivity: what the rule would say under other choices, and on this test split alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from ablation.analysis.imputed import without_imputed
from ablation.analysis.robustness import on_this_split, sensitivity
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Table, Text, table, verdict_cell
from ablation.report.numbers import Scale, count


class Sensitivity(NamedTuple):
    """The verdicts under other choices; each frame may be empty."""

    verdicts: pd.DataFrame
    """One row per arm but the baseline: its verdict, and those under other choices."""
    split: pd.DataFrame
    """One row per arm: what would be said of new seeds on this test split."""


def find(basis: Basis) -> Sensitivity:
    """Returns both frames, the arms as the page shows them."""
    frames = (sensitivity(basis.evidence, basis.walk), on_this_split(basis.evidence))
    order = list(basis.shown["arm"])
    return Sensitivity(
        *(
            without_imputed(frame, basis.effects).sort_values(
                "arm", key=lambda arms: arms.map(order.index), kind="stable"
            )
            for frame in frames
        )
    )


def section(basis: Basis) -> Iterator[Block]:
    """Yields both as tables."""
    found = find(basis)
    if len(found.verdicts):
        said = "What the rule would say under other choices; none of it decides."
        yield Text(said + (_POOLED if "pooled" in found.verdicts else ""))
        yield sensitivity_table(found.verdicts)
    if len(found.split):
        yield Text(
            "On this split: what would be said of new seeds on these very test examples, and of "
            f"no others.{_fewer(found.split, basis)}{_wider(found.split, basis)}"
        )
        yield split_table(found.split, basis.scale)


def _fewer(split: pd.DataFrame, basis: Basis) -> str:
    """Returns why arms have fewer seeds here than in the table of verdicts, where they have."""
    seeds = basis.effects.set_index("arm")["n"]
    if (split["n"].to_numpy() >= seeds[split["arm"]].to_numpy()).all():
        return ""
    return (
        " Some arms rest on fewer seeds here: where an arm is undecided here and its verdict "
        "above came early, it has no more seeds, and the looks end."
    )


def _wider(split: pd.DataFrame, basis: Basis) -> str:
    """Returns why an interval is wider than the one about new examples, if one is."""
    above = basis.effects.set_index("arm").loc[split["arm"]].reset_index()
    here = split.reset_index()
    widths = (rows["verdict_high"] - rows["verdict_low"] for rows in (here, above))
    if not ((next(widths) > next(widths)) & (here["n"] == above["n"])).any():
        return ""
    return (
        " An interval can be wider than in the verdicts: Holm's steps are taken anew, and the "
        "critical value of few seeds alone is larger than Cochran's of seeds and examples."
    )


_POOLED = (
    " Pooled spread: the larger of the arm's own spread and that of the family, below eight seeds."
)

_HEADINGS = {
    "pooled": "pooled spread",
    "half_margin": "half the margin",
    "double_margin": "double the margin",
}


def sensitivity_table(sensitivity: pd.DataFrame) -> Table:
    """Returns the verdicts beside those that other choices would give."""
    rows = [[Cell(row["arm"]), *(verdict_cell(row[name]) for name in list(sensitivity)[1:])]
            for row in sensitivity.to_dict("records")]  # fmt: skip
    return table([_HEADINGS.get(name, name) for name in map(str, sensitivity)], rows)


def split_table(split: pd.DataFrame, scale: Scale) -> Table:
    """Returns effects, intervals and verdicts on this test split."""
    rows = [
        [Cell(row["arm"]), verdict_cell(row["verdict"]), scale.difference(row["effect"]),
         scale.interval(row["verdict_low"], row["verdict_high"]), count(row["n"])]
        for row in split.to_dict("records")
    ]  # fmt: skip
    columns = ["arm", "on this split", "difference", "interval of the verdict", "seeds"]
    return table(columns, rows, numeric="llrrr")
