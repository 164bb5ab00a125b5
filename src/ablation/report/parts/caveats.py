"""Caveats: what the study says of itself, and what was held fixed."""

from __future__ import annotations

from collections.abc import Iterator

from ablation.records.declaration import Declaration
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Bullets, Cell, Table, table


def section(basis: Basis) -> Iterator[Block]:
    """Yields the caveats and the fixed hyperparameters."""
    said = list(basis.content.wording.get("caveats", ()))
    if basis.content.is_recorded:
        said.append(
            "The verdicts hold for the data and the fixed hyperparameters below; "
            + (
                "nothing was tuned for any arm."
                if basis.declaration.searched is None
                else "what was tuned has a section of its own."
            )
        )
    if said:
        yield Bullets(said)
    fixed = fixed_table(basis.declaration)
    if fixed.rows:
        yield fixed


def fixed_table(declaration: Declaration) -> Table:
    """Returns the hyperparameters that are equal in all arms."""
    values = [arm.values for arm in declaration.arms]
    fixed = [(path, value) for path, value in values[0].items()
             if all(of.get(path) == value for of in values)]  # fmt: skip
    rows = [[Cell(path), Cell(value.strip("'"))] for path, value in fixed]
    return table(["held fixed", "value"], rows)
