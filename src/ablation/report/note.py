"""The answer and the verdicts in a few lines of Markdown, for a run's page in MLflow."""

from __future__ import annotations

from collections.abc import Sequence

from ablation.report.blocks import Table
from ablation.report.content import Content
from ablation.report.numbers import Scale
from ablation.report.parts.forest import INTERVAL
from ablation.report.parts.verdicts import whole_table
from ablation.tracking.notes import LIMIT, text

COLUMNS = ("arm", "verdict", "difference", INTERVAL, "mean", "seeds", "failed")
"""Of the verdict table."""

LABEL = 150
"""Characters of an arm's label."""

CLOSING = "The whole report is among the artifacts, in `report`."
"""Last sentence of a note in MLflow."""


def brief(content: Content) -> Table:
    """Returns the verdict table with a few of its columns, captioned by what the metric is."""
    scale = Scale.of(content.declaration)
    return whole_table(content.judged.effects, scale).only(COLUMNS, scale.heading)


def note(content: Content, closing: str = CLOSING, most: int = LIMIT) -> str:
    """Returns question, answer and verdict table, the largest effects where not all fit.

    Args:
        content: A report's content.
        closing: The last sentence, as Markdown.
        most: Characters that it may have; MLflow cuts off the rest in silence.
    """
    effects, short = content.judged.effects, brief(content)
    rows = [_row([cell.text for cell in row]) for row in short.rows]
    places = range(len(short.columns))
    sides = _row(["--:" if place in short.numeric else ":--" for place in places], escaped=False)
    sizes = effects["effect"].abs().fillna(0.0).to_list()
    order = sorted(range(1, len(rows)), key=lambda place: -sizes[place])
    said = f"**{text(content.wording['question'], most // 5)}**\n\n"
    said += text(" ".join(content.answer), most // 5)
    for kept in range(len(order), -1, -1):
        lines = [_row(COLUMNS), sides, *(rows[place] for place in sorted([0, *order[:kept]]))]
        rest = len(order) - kept
        more = f"{rest} more arms are in the report. " if rest else ""
        table = "\n".join(lines)
        written = f"{said}\n\n{table}\n\n{more}{closing}"
        if len(written) <= most:
            return written
    return said


def _row(cells: Sequence[str], *, escaped: bool = True) -> str:
    shown = [text(cell, LABEL) for cell in cells] if escaped else cells
    return f"| {' | '.join(shown)} |"
