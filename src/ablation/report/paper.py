"""Makes two narrow LaTeX tables for a paper."""

from __future__ import annotations

import dataclasses

from ablation.report.basis import Basis
from ablation.report.blocks import Cell, Table
from ablation.report.parts.forest import INTERVAL
from ablation.report.parts.verdicts import whole_table
from ablation.report.render import latex

VERDICTS = {"arm": "arm", "verdict": "verdict", "difference": "difference", INTERVAL: "interval"}
"""Column of the verdict table to its heading in the first table."""
BESIDE = {"arm": "arm", "mean": "mean", "p differs": "p differs", "p equivalent": "p equiv.",
          "seeds": "seeds", "runs": "runs", "failed": "failed"}  # fmt: skip
"""Likewise, in the second."""


def tables(basis: Basis) -> dict[str, str]:
    """Returns the names and texts of the tables: the verdicts, and what they rest on."""
    whole = whole_table(basis.shown, basis.scale, paired=basis.declaration.paired)
    return {
        "table.tex": latex.render(_part(whole, VERDICTS)),
        "table-more.tex": latex.render(_part(whole, BESIDE)),
    }


def _part(whole: Table, names: dict[str, str]) -> Table:
    """Returns some columns of the whole table, their cells as short as they can be."""
    part = whole.only(names, "")
    rows = [
        [_short(column, cell) for column, cell in zip(part.columns, row, strict=True)]
        for row in part.rows
    ]
    return Table([names[column] for column in part.columns], rows, part.numeric)


def _short(column: str, cell: Cell) -> Cell:
    text = cell.text
    if column == "verdict":
        mark = " †" if text.endswith("†") else ""
        text = (cell.word or text).split()[0].lower() + mark
    elif column == INTERVAL and text:
        text = f"[{text.replace(' to ', ', ')}]"
    elif column == "failed":
        text = text.split()[0]
    return dataclasses.replace(cell, text=text)
