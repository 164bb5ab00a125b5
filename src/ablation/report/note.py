"""The answer of a study as a note: Markdown that is short enough for a tag."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablation.analysis import answer
from ablation.tracking.notes import LIMIT, text

if TYPE_CHECKING:
    from ablation.report import Content

LABEL = 150
"""Characters of an arm's label."""


def note(content: Content) -> str:
    """Returns question, answer and the table of verdicts as Markdown, never above the limit.

    Where there are too many arms, the last ones are left to the report.
    """
    effects = content.judged.effects
    lines = [
        f"**{text(content.wording['question'])}**",
        "",
        text(answer(effects, content.declaration)),
        "",
        "| arm | verdict | n | mean | difference | 95 % | failed |",
        "|:--|:--|--:|--:|--:|:--|--:|",
        *(_row(row) for row in effects.to_dict("records")),
    ]
    closing = ["", "The whole report is among the artifacts, in `report`."]
    left = 0
    while len("\n".join([*lines, *closing])) > LIMIT:
        lines.pop()
        left += 1
        closing[0] = f"\n{left} more arms are in the report.\n"
    return "\n".join([*lines, *closing])


def _row(row: Mapping[Any, Any]) -> str:
    first = not row["verdict"]
    interval = "" if first else _interval(row["low"], row["high"])
    effect = "" if first or math.isnan(row["effect"]) else f"{row['effect']:+.4f}"
    cells = (
        text(row["arm"], LABEL),
        row["verdict"] or "baseline",
        row["n"],
        "" if math.isnan(row["mean"]) else f"{row['mean']:.4f}",
        effect,
        interval,
        row["failed"],
    )
    return f"| {' | '.join(map(str, cells))} |"


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{low:+.4f} to {high:+.4f}"
