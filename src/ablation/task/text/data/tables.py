"""Reads text and class of every row of a CSV, TSV or JSON file, and nothing else of it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ablation.errors import Refused, nearest
from ablation.task.text.config import DataConfig
from ablation.task.text.data.splits import Rows

COLUMNS = "Name the columns of text and class: TEXT=... LABEL=... (--text, --label)."
REPAIR = "Repair or replace the file."
_SHOWN = 8
_LONGEST = 160


def read_table(path: Path, split: str, config: DataConfig) -> Rows:
    """Returns the rows of a file whose name ends in ``.csv``, ``.tsv``, ``.json`` or ``.jsonl``.

    Args:
        path: The file.
        split: What its rows are, for messages.
        config: Names the columns.

    Raises:
        Refused: If it cannot be read, or lacks a column, a text or a class.
    """
    kind = path.suffix.lower().lstrip(".")
    read = _csv if kind in {"csv", "tsv"} else _json
    try:
        return read(path, split, config)
    except Refused:
        raise
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        name = "json" if kind == "jsonl" else kind
        way_out = "Save it as UTF-8." if isinstance(error, UnicodeError) else REPAIR
        raise Refused(f"{path} cannot be read as {name}: {cause_of(error)}", way_out) from error


def _csv(path: Path, split: str, config: DataConfig) -> Rows:
    """Returns the rows of a CSV or TSV file; every field is a text, ``NA`` and ``01`` too."""
    rows = _separated(path)
    header = next(rows, [])
    require_columns(f"The first line of {path}", header, config)
    for column in (config.text, config.label):
        if header.count(column) > 1:
            raise Refused(
                f"The first line of {path} has {header.count(column)} columns {column!r}.",
                "Rename all but one of them.",
            )
    text, label = header.index(config.text), header.index(config.label)
    texts, labels = [], []
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise _ragged(path, number, row, len(header))
        texts.append(row[text])
        labels.append(row[label])
        if not row[label]:
            raise no_class(number, split, config.label)
    return Rows(texts, labels)


def _ragged(path: Path, number: int, row: list[str], columns: int) -> Refused:
    said = f"Row {number} of {path} has {len(row)} fields; the first line has {columns}"
    if any("\\" in field for field in row):
        return Refused(
            f"{said}: it has a backslash, and a backslash before a quote does not escape it.",
            'Write a quote inside a quoted text twice: "".',
        )
    return Refused(f"{said}.", "Put texts that hold a comma in double quotes.")


def _separated(path: Path) -> Iterator[list[str]]:
    """Yields the rows of a CSV or TSV file, without blank lines.

    A CSV file whose first line has semicolons and no comma is separated by them, as spreadsheets
    write it where the comma is the decimal sign.
    """
    options: dict[str, Any] = {}
    if path.suffix.lower() == ".csv":
        first = next(_lines(path), [])
        options = {"delimiter": ";"} if len(first) == 1 and ";" in first[0] else {}
    else:
        options = {"delimiter": "\t"}
        if not _is_quoted(path):
            options["quoting"] = csv.QUOTE_NONE
    return _lines(path, **options)


def _is_quoted(path: Path) -> bool:
    """Returns whether the quotes of a TSV file enclose fields, as in a CSV file.

    Most such files have none, and a quote at the start of a text would swallow the rows that
    follow.
    """
    try:
        rows = list(_lines(path, delimiter="\t", strict=True))
    except csv.Error:
        return False
    return len({len(row) for row in rows}) <= 1 and not any(
        "\n" in field and "\t" in field for row in rows for field in row
    )


def _lines(path: Path, **options: Any) -> Iterator[list[str]]:
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from filter(None, csv.reader(file, **options))
    finally:
        csv.field_size_limit(limit)


def _json(path: Path, split: str, config: DataConfig) -> Rows:
    texts, labels = [], []
    for number, row in enumerate(_objects(path), start=1):
        if not isinstance(row, dict):
            raise Refused(
                f"Row {number} of {path} is no object, but {_kind(row)}.",
                f'Give each row as an object, such as {{"{config.text}": "...", '
                f'"{config.label}": "..."}}.',
            )
        require_columns(f"Row {number} of {path}", list(row), config)
        texts.append(_text(row[config.text], number, split, config.text))
        labels.append(_label(row[config.label], number, split, config.label))
    return Rows(texts, labels)


def _objects(path: Path) -> Iterator[Any]:
    """Yields the rows of a file that holds a list, or an object on each line."""
    content = path.read_text(encoding="utf-8-sig")
    if content.lstrip().startswith("["):
        yield from json.loads(content)
        return
    is_first = True
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            if not is_first:
                raise ValueError(f"line {number}: {error.msg}") from None
            # A single object over several lines is one row, as an editor may have formatted it.
            yield json.loads(content)
            return
        is_first = False


def _text(value: Any, number: int, split: str, column: str) -> str:
    if value is None:
        raise no_text(number, split, column)
    if not isinstance(value, str):
        raise Refused(
            f"Column {column!r} must hold text; found: {_kind(value)} in row {number} of {split}.",
            COLUMNS,
        )
    return value


def _label(value: Any, number: int, split: str, column: str) -> str:
    if value is None or value == "":
        raise no_class(number, split, column)
    if not isinstance(value, str | int):
        raise Refused(
            f"Column {column!r} must hold text or integers; found: {_kind(value)} in row {number} "
            f"of {split}.",
            COLUMNS,
        )
    return str(value)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "list", float: "float", int: "int", str: "text"}
    return names.get(type(value), repr(value))


def no_text(number: int, split: str, column: str) -> Refused:
    """Returns the refusal of a row without a text."""
    return Refused(
        f"Row {number} of {split} has no text in column {column!r}.",
        "Fill it in or leave the row out.",
    )


def no_class(number: int, split: str, column: str) -> Refused:
    """Returns the refusal of a row without a class."""
    return Refused(
        f"Row {number} of {split} has no class in column {column!r} (hidden labels?).",
        f"Fill it in, or give a copy without {split}: it is then taken from train."
        if split != "train"
        else "Fill it in or leave the row out.",
    )


def require_columns(where: str, found: list[str], config: DataConfig) -> None:
    """Refuses a table that lacks the column of texts or that of classes."""
    for column in (config.text, config.label):
        if column not in found:
            names = ", ".join(repr(short(str(name), 30)) for name in found[:_SHOWN])
            more = ", ..." if len(found) > _SHOWN else ""
            raise Refused(
                f"{where} has no column {column!r}; found: {names or 'nothing'}{more}."
                f"{nearest(column, map(str, found[:100]))}",
                COLUMNS,
            )


def cause_of(error: BaseException) -> str:
    """Returns the innermost cause as one short line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return short(" ".join(str(error).split()) or type(error).__name__, _LONGEST)


def short(text: str, longest: int) -> str:
    """Returns a text cut to a length."""
    return text if len(text) <= longest else text[: longest - 3] + "..."
