"""Turns a table of anyone's into tidy runs: one row per arm and seed, with value and status."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ablation.errors import Refused, nearest
from ablation.results.question import Question

TIDY = ("arm", "seed", "value", "status", "reason")
"""One row per run. Status is FINISHED, FAILED (no value, and a reason) or MISSING (no outcome);
the seed is the text that the table has, unique within its arm."""

FINISHED = frozenset({"finished", "complete", "completed", "success", "succeeded", "done", "ok"})
"""Statuses, in lower case, of runs that left a value."""

LARGEST = 1e100
"""Values of a metric are below it, so that their squares are numbers."""

MOST_NAMED = 6
"""Rows, runs or seeds that a refusal names."""


def tidy(frame: pd.DataFrame, question: Question, status: str | None = None) -> pd.DataFrame:
    """Returns the runs that are asked for as the columns :data:`TIDY`.

    Args:
        frame: A table of results, a row per run or per seed, the oldest first.
        question: What is asked of it.
        status: Column that says how a run ended, unless the question names one.

    Raises:
        Refused: If a column is not there, or a run has no arm, no seed or no number.
    """
    named = frame.set_axis([str(name) for name in frame], axis="columns")
    _check_table(named)
    rows = select(named, question.where)
    if question.arms is not None:
        rows, question = _melted(rows, question), _of_melted(question)
    status = question.status or status
    for name in (question.arm, question.metric, question.seed, status):
        _check_column(rows, name)
    runs = pd.DataFrame(
        {
            "arm": _texts(rows[question.arm]),
            "seed": _numbered(rows[question.arm]) if question.seed is None
            else _texts(rows[question.seed]),
        }
    )  # fmt: skip
    ended = pd.Series("finished", index=rows.index) if status is None else _texts(rows[status])
    runs = runs.assign(status=_statuses(ended, question), reason=None)
    runs["reason"] = ended.where(runs["status"] == "FAILED", None)
    runs["value"] = _values(rows[question.metric], runs["status"] == "FINISHED", question.metric)
    _check_names(runs, question)
    return _one_each(runs[list(TIDY)].reset_index(drop=True), question)


def select(frame: pd.DataFrame, where: Iterable[str]) -> pd.DataFrame:
    """Returns the rows that fulfil all conditions ``COLUMN=VALUE``.

    Raises:
        Refused: If a column is not there, or no row is left.
    """
    for condition in where:
        name, _, value = condition.partition("=")
        _check_column(frame, name)
        kept = frame[_texts(frame[name]).map(lambda text, value=value: same(text, value))]
        if kept.empty:
            known = list(dict.fromkeys(_texts(frame[name])))
            raise Refused(
                f"No row has {condition}.{nearest(value, known)}",
                f"{name} has: {few(known)}.",
            )
        frame = kept
    return frame


def _check_table(frame: pd.DataFrame) -> None:
    doubled = list(frame.columns[frame.columns.duplicated()])
    if doubled:
        raise Refused(f"Two columns have one name: {few(doubled)}.", "Rename one of them.")
    if frame.empty:
        raise Refused("The table has no row.", "Give one with a row per run.")


def values_of(frame: pd.DataFrame, column: str) -> list[str]:
    """Returns the values of a column as text, in their order.

    Raises:
        Refused: If it is not there, or a row has none.
    """
    _check_column(frame, column)
    names = list(dict.fromkeys(_texts(frame[column])))
    if "" in names:
        raise Refused(
            f"There are rows without a value in {column!r}.",
            "Fill it in, or leave these rows out (--where COLUMN=VALUE).",
        )
    return names


def _check_column(frame: pd.DataFrame, name: str | None) -> None:
    if name is not None and name not in frame:
        known = [str(column) for column in frame]
        raise Refused(
            f"The table has no column {name!r}.{nearest(name, known)}",
            f"Columns: {', '.join(known)}.",
        )


def _melted(frame: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Returns a table with a column per arm as one with a row per run."""
    assert question.arms is not None
    if question.status is not None:
        raise Refused(
            "A table with a column per arm has no status of single runs.",
            "Leave --status out, or give a table with a row per run.",
        )
    _check_column(frame, question.seed)
    others = {question.seed, *(each.partition("=")[0] for each in question.where)}
    names = list(question.arms)
    if names == ["*"]:
        names = [str(name) for name in frame if name not in others]
    for name in names:
        _check_column(frame, name)
    kept: list[str] = [] if question.seed is None else [question.seed]
    long = frame.melt(kept, names, var_name="arm ", value_name=f"{question.metric} ")
    # Ragged columns are written with empty cells at their ends: no run, not a run without value.
    return long[_texts(long[f"{question.metric} "]) != ""].reset_index(drop=True)


def _of_melted(question: Question) -> Question:
    return dataclasses.replace(question, arm="arm ", metric=f"{question.metric} ", where=())


def _texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Returns the cells as text: numbers as Python writes them, and nothing as an empty one."""
    return column.map(_text).astype(object)


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        # A column of whole numbers with an empty cell is one of floats to pandas.
        return str(int(value))
    return str(value.item() if isinstance(value, np.generic) else value).strip()


def same(text: str, asked: str) -> bool:
    """Returns whether a cell is the value that was asked for, as a text or as a number."""
    if text == asked:
        return True
    return _number(text) == _number(asked)


def _number(text: str) -> float:
    """Returns the number that a text is, NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _numbered(arms: pd.Series[Any]) -> pd.Series[Any]:
    """Returns the number of each run in its arm, where a table names no seeds."""
    return arms.groupby(_texts(arms)).cumcount().astype(str).astype(object)


def _statuses(ended: pd.Series[Any], question: Question) -> pd.Series[Any]:
    """Returns FINISHED, FAILED or MISSING for what a table calls them."""
    failed = set(question.failed)
    unknown = failed - set(ended)
    if unknown:
        known = list(dict.fromkeys(ended))
        word = sorted(unknown)[0]
        raise Refused(
            f"No run has the status {word!r}.{nearest(word, known)}",
            f"Statuses: {few(known)}.",
        )

    def status(word: str) -> str:
        if word in failed:
            return "FAILED"
        return "FINISHED" if word.lower() in FINISHED else "MISSING"

    return ended.map(status)


def _values(column: pd.Series[Any], finished: pd.Series[Any], name: str) -> pd.Series[Any]:
    """Returns the metric as numbers, NaN where a run did not finish."""
    numbers = _texts(column).map(_number).where(finished).astype(float)
    bad = finished & ~(numbers.abs() < LARGEST)  # nor is NaN
    if bad.any():
        texts = [_text(cell) for cell in column[bad]]
        is_written = all(re.fullmatch(r"[-+]?\d[\d.,]*\s*%?", text) for text in texts)
        count = int(bad.sum())
        cells = [f"row {row + 1}: {_text(column[row]) or 'empty'!r}" for row in column.index[bad]]
        raise Refused(
            f"{count} finished run{'s have' if count > 1 else ' has'} no finite number in "
            f"{name.strip()!r} ({few(cells)}).",
            "Write plain numbers, such as 80.94: no % sign, a point before decimals alone."
            if is_written
            else "Say how they ended (--status COLUMN --failed VALUE), or leave them out "
            "(--where COLUMN=VALUE).",
        )
    return numbers


def _check_names(runs: pd.DataFrame, question: Question) -> None:
    named = (("arm", "an arm", question.arm), ("seed", "a seed", question.seed))
    for name, what, column in named:
        empty = runs.index[runs[name] == ""]
        if len(empty):
            rows = few([str(row + 1) for row in empty])
            raise Refused(
                f"Rows without {what} in {str(column).strip()!r}: {rows}.",
                "Fill them in, or leave these rows out (--where COLUMN=VALUE).",
            )


def _one_each(runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Returns one run per arm and seed: the one with an outcome, if the others have none.

    Raises:
        Refused: If several have one, and the question does not say which to take.
    """
    keys = ["arm", "seed"]
    has_outcome = runs["status"] != "MISSING"
    tried = has_outcome.groupby([runs["arm"], runs["seed"]]).transform("any")
    first = ~runs.duplicated(keys)
    runs = runs[has_outcome | (~tried & first)].reset_index(drop=True)
    doubled = runs[runs.duplicated(keys, keep=False)]
    if doubled.empty:
        return runs
    if question.which is not None:
        keep: Any = question.which
        return runs.drop_duplicates(keys, keep=keep).reset_index(drop=True)
    counts = doubled.groupby(keys, sort=False).size().rename("n").reset_index()
    named = [f"{arm} seed {seed} has {n}" for arm, seed, n in counts.to_numpy()]
    raise Refused(
        f"A table needs one run per arm and seed; {few(named)}.",
        "Tell them apart (--where COLUMN=VALUE), or take the oldest or newest (--which first|last;"
        " never the best, which is selection).",
    )


def few(names: Sequence[str]) -> str:
    """Returns the first names with commas, and the number of the others.

    >>> few(["a", "b"])
    'a, b'
    """
    shown = ", ".join(names[:MOST_NAMED])
    return f"{shown} and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else shown
