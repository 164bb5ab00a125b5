"""Failures: which runs failed and why, and how often an arm may fail."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ablation.records.metric import percent
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Table, Text, table
from ablation.report.parts.method import level


def section(basis: Basis) -> Iterator[Block]:
    """Yields the failed runs, or the rate that having none still allows."""
    if not (basis.scores["status"] == "FAILED").any():
        bound = basis.effects["failed_upper95"].max()
        yield Text(
            "No run failed; that still allows a failure rate of up to "
            f"{percent(bound)} (one-sided 95 %)."
        )
        return
    floor = basis.declaration.floor
    yield failure_table(basis.effects, basis.scores)
    yield Text(
        "No floor is declared, so an arm with a failed run has no verdict but by identity."
        if floor is None
        else f"A failed run is an outcome of its arm and counts as one with "
        f"{basis.scale.metric.title} {level(floor, basis.declaration)}."
    )


def failure_table(effects: pd.DataFrame, scores: pd.DataFrame) -> Table:
    """Returns the arms of which runs failed: how many, why, and how often that may be."""
    failed = scores[scores["status"] == "FAILED"]
    rows = []
    for row in effects[effects["failed"] > 0].to_dict("records"):
        of = failed[failed["arm"] == row["arm"]]
        reasons = of["reason"].value_counts(sort=False)
        said = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
        seeds = ", ".join(str(seed) for seed in sorted(of["seed"]))
        bound = Cell(percent(row["failed_upper95"]), row["failed_upper95"])
        rows.append([Cell(row["arm"]), Cell(f"{row['failed']} of {row['n']}", row["failed"]),
                     Cell(said), Cell(seeds), bound])  # fmt: skip
    return table(["arm", "failed", "reasons", "seeds", "rate up to (95 %)"], rows, numeric="lrllr")
