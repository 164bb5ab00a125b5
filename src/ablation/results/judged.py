"""Judges a whole table: each data set by itself, nothing is pooled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ablation.errors import Refused
from ablation.report import Content
from ablation.results.content import content_of
from ablation.results.question import Question
from ablation.results.read import Table
from ablation.results.tidy import select, tidy, values_of


def judge_table(
    table: Table,
    question: Question,
    *,
    name: str | None = None,
    dataset: str | None = None,
    command: str = "",
) -> Mapping[str, Content]:
    """Returns data set to the content of its report; the only one is called ``""``.

    Args:
        table: The table.
        question: What is asked of each data set.
        name: What the report is labelled with; the table's name if None.
        dataset: Column that names the data set of each run.
        command: The command that judges it again, for the page.

    Raises:
        Refused: If the table, or one data set of it, cannot be judged.
    """
    label = _plain(name or table.name)
    found = {}
    for of, asked in _sets(table, question, dataset):
        try:
            runs = tidy(table.frame, asked, table.status)
            found[of] = content_of(
                runs,
                asked,
                label=f"{label}@{_plain(of)}" if of else label,
                origin=_origin(table, asked, command),
            )
        except Refused as error:
            if not of:
                raise
            raise Refused(f"{dataset} {of}: {error.rule}", error.way_out) from error
    return found


def _sets(table: Table, question: Question, dataset: str | None) -> Iterator[tuple[str, Question]]:
    """Yields each data set's name, and the question with the condition for its rows."""
    if dataset is None:
        yield "", question
        return
    names = values_of(select(table.frame, question.where), dataset)
    for name in names:
        yield name, question.within(f"{dataset}={name}")


def _plain(name: str) -> str:
    """Returns a name that a folder can have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "table"


def _origin(table: Table, question: Question, command: str) -> dict[str, str]:
    found = {"table": table.origin, "its rows": str(len(table.frame))}
    if question.where:
        found["rows with"] = " and ".join(question.where)
    return found | ({"command": command} if command else {})
