"""Makes two narrow LaTeX tables for a paper."""

from __future__ import annotations

import dataclasses

from ablation.report.basis import Basis
from ablation.report.blocks import Cell, Table
from ablation.report.parts.forest import INTERVAL
from ablation.report.parts.verdicts import verdict_table
from ablation.report.render import latex

VERDICTS = {"arm": "arm", "verdict": "verdict", "difference": "difference", INTERVAL: "interval"}
"""Column of the verdict table to its heading in the first table."""
BESIDE = {"arm": "arm", "mean": "mean", "p differs": "p differs", "p equivalent": "p equiv.",
          "seeds": "seeds", "runs": "runs", "failed": "failed"}  # fmt: skip
"""Likewise, in the second."""


def tables(basis: Basis) -> dict[str, str]:
    """Returns the names and texts of the tables: the verdicts, and what they rest on."""
    whole = verdict_table(basis.shown, basis.scale, paired=basis.declaration.paired)
    return {
        "table.tex": latex.render(_part(whole, VERDICTS)),
        "table-more.tex": latex.render(_part(whole, BESIDE)),
    }


def _part(whole: Table, names: dict[str, str]) -> Table:
    """Returns some columns of the verdict table, their cells as short as they can be."""
    places = [place for place, name in enumerate(whole.columns) if name in names]
    columns = [whole.columns[place] for place in places]
    order = sorted(range(len(places)), key=lambda at: list(names).index(columns[at]))
    rows = [[_short(columns[at], row[places[at]]) for at in order] for row in whole.rows]
    numeric = {new for new, at in enumerate(order) if places[at] in whole.numeric}
    return Table([names[columns[at]] for at in order], rows, frozenset(numeric))


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
