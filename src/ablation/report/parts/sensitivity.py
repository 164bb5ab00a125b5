"""Sensitivity: what the rule would say under other choices, and for other test examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from ablation.analysis.robustness import generalisation, sensitivity
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Table, Text, table, verdict_cell
from ablation.report.numbers import Scale, count


class Sensitivity(NamedTuple):
    """How far the verdicts depend on choices; each frame may be empty."""

    verdicts: pd.DataFrame
    """One row per arm but the baseline: its verdict, and those under other choices."""
    generalisation: pd.DataFrame
    """One row per arm: the effect for new seeds and new test examples."""


def find(basis: Basis) -> Sensitivity:
    """Returns both frames."""
    return Sensitivity(
        sensitivity(basis.evidence, basis.effects),
        generalisation(basis.content.examples, basis.effects, basis.declaration),
    )


def section(basis: Basis) -> Iterator[Block]:
    """Yields both as tables."""
    found = find(basis)
    if len(found.verdicts):
        yield Text(
            "What the rule would say under other choices; none of it decides. Pooled spread: the "
            "larger of the arm's own spread and that of the family, below eight seeds."
        )
        yield sensitivity_table(found.verdicts)
    if len(found.generalisation):
        yield Text(
            "The difference when the test examples, too, are taken as a sample; an arm with "
            "failed runs has none:"
        )
        yield generalisation_table(found.generalisation, basis.scale)


def sensitivity_table(sensitivity: pd.DataFrame) -> Table:
    """Returns the verdicts beside those that other choices would give."""
    rows = [[Cell(row["arm"]), *(verdict_cell(row[name]) for name in list(sensitivity)[1:])]
            for row in sensitivity.to_dict("records")]  # fmt: skip
    return table(["arm", "verdict", "pooled spread", "half the margin", "double the margin"], rows)


def generalisation_table(generalisation: pd.DataFrame, scale: Scale) -> Table:
    """Returns the effects for new seeds and new test examples."""
    rows = [
        [Cell(row["arm"]), scale.difference(row["effect"]),
         scale.interval(row["low"], row["high"]), count(row["n"]), count(row["examples"])]
        for row in generalisation.to_dict("records")
    ]  # fmt: skip
    return table(["arm", "difference", "95 %", "seeds", "examples"], rows, numeric="lrrrr")
