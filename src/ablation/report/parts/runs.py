"""Runs: the metric of every run by arm and seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ablation.report import foreign
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Table, Text, table
from ablation.report.numbers import Scale

LINKED = 2000
"""Runs up to which each links to its own page; beyond, a page is too heavy to mail."""


def section(basis: Basis) -> Iterator[Block]:
    """Yields the runs as a matrix of arms and seeds, each linked to its page in MLflow."""
    record, scores = basis.content.record, basis.scores
    arms = list(basis.shown["arm"])
    if not basis.content.is_recorded:
        by = "seed" if basis.declaration.paired else "run"
        yield Text(f"The metric on test of every run, by arm and {by}.")
        yield run_table(arms, scores, basis.scale, "")
        return
    link = " Each links to its run in MLflow"
    link += " while `make ui` runs." if record["address"].startswith("http://127.0.0.1") else "."
    pages = foreign.link(record["address"], record["experiment"])
    linked = bool(pages) and len(scores) <= LINKED
    pages = pages if linked else ""
    yield Text("The metric on test of every run, by arm and seed." + (link if linked else ""))
    yield run_table(arms, scores, basis.scale, pages)


def run_table(arms: Sequence[str], scores: pd.DataFrame, scale: Scale, pages: str) -> Table:
    """Returns the metric of every run, an arm to a row and a seed to a column.

    Args:
        arms: The arms, in order.
        scores: One row per run.
        scale: How the metric is written.
        pages: Address below which each run has its page; empty for no links.
    """
    cells = {(row["arm"], row["seed"]): _cell(row, scale, pages)
             for row in scores.to_dict("records")}  # fmt: skip
    seeds = range(1 + int(scores["seed"].max())) if len(scores) else range(0)
    rows = [[Cell(arm), *(cells.get((arm, seed), Cell("")) for seed in seeds)] for arm in arms]
    return table(["arm", *(str(seed) for seed in seeds)], rows, numeric="lr*", is_matrix=True)


def _cell(row: dict[Any, Any], scale: Scale, pages: str) -> Cell:
    failed = row["status"] == "FAILED"
    text = (row["reason"] or "failed") if failed else scale.value(row["value"]).text
    href = f"{pages}/{row['run_id']}" if pages and foreign.RUN.fullmatch(row["run_id"]) else ""
    return Cell(text, row["value"], href, "WORSE" if failed else "")
