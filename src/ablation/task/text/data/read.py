"""Reads the rows of a corpus with Hugging Face ``datasets``; the only module that imports it."""

from __future__ import annotations

import csv
import glob
import itertools
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pyarrow.parquet
from datasets import ClassLabel, Dataset, load_dataset
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from ablation.errors import Refused, nearest
from ablation.task.text.config import DataConfig
from ablation.task.text.data.docstrings import documents
from ablation.task.text.data.encoded import SPLITS
from ablation.task.text.data.source import BUILT_IN, FORMATS, Source
from ablation.task.text.data.splits import Rows

HUB_SECONDS = 20.0
"""Seconds that the Hub has to answer; the libraries' own retries can take minutes."""

_SHOWN = 8
_LONGEST = 160
_EMPTY_JSON = 64
_LOCAL = "Give a local folder or file instead: DATA=path (--data path)."
_COLUMNS = "Name the columns of text and class: TEXT=... LABEL=... (--text, --label)."


def read(config: DataConfig, source: Source, *, work: Path, downloads: Path) -> dict[str, Rows]:
    """Returns the rows of each split in the source.

    Args:
        config: Names the columns.
        source: The source, from :func:`ablation.task.text.data.source.locate`.
        work: Scratch folder for the library's copies of local files; the caller removes it.
        downloads: Folder for files from the Hub.

    Raises:
        Refused: If the source cannot be read, or lacks a column, a text or a class.
    """
    with _quiet():
        if source.kind == "built-in":
            tables = {"train": _built_in()}
        elif source.kind == "hub":
            tables = _hub(config, downloads)
        else:
            tables = {
                name: _file(path, config, work / name) for name, path in source.files.items()
            }
        return {name: _rows(table, name, config) for name, table in tables.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the libraries' progress bars, logs and warnings."""
    datasets.disable_progress_bars()
    disable_progress_bars()
    # Above critical, because every error is reported once, by its exception.
    datasets.logging.set_verbosity(logging.CRITICAL + 1)
    huggingface_hub.logging.set_verbosity(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _built_in() -> Dataset:
    found = documents()
    if not found:
        raise Refused("This Python has no sources of its standard library.", _LOCAL)
    texts, chapters = zip(*found, strict=True)
    return Dataset.from_dict({"text": list(texts), "label": list(chapters)})


def _file(path: Path, config: DataConfig, work: Path) -> Dataset:
    kind = FORMATS[path.suffix.lower()]
    try:
        options = _csv_options(path, config) if kind == "csv" else {}
        if _is_empty(path, kind):
            return Dataset.from_dict({})
        # Escaped, because the library reads names as patterns; one by one, because it demands
        # equal types of files that are loaded together.
        name = glob.escape(str(path.resolve()))
        return load_dataset(kind, data_files=name, split="train", cache_dir=str(work), **options)
    except Refused:
        raise
    except Exception as error:
        raise Refused(
            f"{path} cannot be read as {kind}: {_cause(error)}", "Repair or replace the file."
        ) from error


def _is_empty(path: Path, kind: str) -> bool:
    """Returns whether a file has no rows; the library's errors for such files mislead."""
    if kind == "parquet":
        return bool(pyarrow.parquet.read_metadata(path).num_rows == 0)
    if kind == "csv":
        return not any(_csv_rows(path, skip=1))
    with path.open("rb") as file:
        return file.read(_EMPTY_JSON).strip() in (b"", b"[]")


def _csv_options(path: Path, config: DataConfig) -> dict[str, Any]:
    """Returns options that keep every field unchanged: ``NA`` stays a text, ``01`` a class.

    Raises:
        Refused: If a row has more or fewer fields than the first line.
    """
    # The library would shift or drop the fields of such rows without a warning.
    header = next(_csv_rows(path), [])
    _require_columns(f"The first line of {path}", header, config)
    for number, row in enumerate(_csv_rows(path)):
        if len(row) != len(header):
            raise Refused(
                f"Row {number} of {path} has {len(row)} fields; the first line has {len(header)}.",
                "Put texts that hold a comma in double quotes.",
            )
    columns = list(dict.fromkeys([config.text, config.label]))
    return {
        "usecols": columns,
        "converters": dict.fromkeys(columns, str),
        "na_filter": False,
        "encoding": "utf-8-sig",
    }


def _csv_rows(path: Path, skip: int = 0) -> Iterator[list[str]]:
    """Yields the rows of a CSV file, without blank lines."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from itertools.islice(filter(None, csv.reader(file)), skip, None)
    finally:
        csv.field_size_limit(limit)


def _hub(config: DataConfig, downloads: Path) -> dict[str, Dataset]:
    _reach(config)
    try:
        found = load_dataset(
            config.source, revision=config.revision, cache_dir=str(downloads / "datasets")
        )
    except Exception as error:
        raise Refused(f"{config.source!r} cannot be loaded: {_cause(error)}", _LOCAL) from error
    if "train" not in found:
        raise Refused(f"{config.source!r} has no split train; found: {', '.join(found)}.", _LOCAL)
    return {name: found[name] for name in SPLITS if name in found}


def _reach(config: DataConfig) -> None:
    """Asks the Hub once, in bounded time, whether the corpus exists.

    Raises:
        Refused: If the Hub does not answer, or has no such corpus or revision.
    """
    answers: list[Exception | None] = []

    def ask() -> None:
        try:
            HfApi().dataset_info(config.source, revision=config.revision, timeout=HUB_SECONDS / 2)
            answers.append(None)
        except Exception as error:
            answers.append(error)

    # In a thread, because the library's timeouts do not cover the look-up of the host name.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(HUB_SECONDS)
    answer = answers[0] if answers else TimeoutError()
    if answer is None:
        return
    hint = nearest(config.source, [BUILT_IN])
    if isinstance(answer, RepositoryNotFoundError | RevisionNotFoundError):
        at = f" at revision {config.revision!r}" if config.revision else ""
        raise Refused(f"The Hugging Face Hub has no {config.source!r}{at}.{hint}", _LOCAL)
    raise Refused(
        f"No local path {config.source!r}, and the Hugging Face Hub cannot be reached "
        f"({type(answer).__name__}).{hint}",
        _LOCAL,
    ) from answer


def _rows(table: Dataset, split: str, config: DataConfig) -> Rows:
    if not len(table):
        return Rows([], [])
    _require_columns(f"The split {split}", table.column_names, config)
    return Rows(_texts(table, split, config.text), _labels(table, split, config.label))


def _texts(table: Dataset, split: str, column: str) -> list[str]:
    values = _values(table, column)
    if None in values:
        raise Refused(
            f"Row {values.index(None) + 1} of {split} has no text in column {column!r}.",
            "Fill it in or leave the row out.",
        )
    _require_type(table, column, "text", ("string", "large_string", "string_view"))
    return values


def _labels(table: Dataset, split: str, column: str) -> list[str]:
    """Returns class names: a class number's name, and any other integer as digits."""
    values, feature = _values(table, column), table.features[column]
    named = isinstance(feature, ClassLabel)
    missing = [i for i, value in enumerate(values) if value in (None, "") or (named and value < 0)]
    if missing:
        raise Refused(
            f"Row {missing[0] + 1} of {split} has no class in column {column!r} (hidden labels?).",
            f"Fill it in, or give a copy without {split}: it is then taken from train."
            if split != "train"
            else "Fill it in or leave the row out.",
        )
    if named:
        return [feature.names[value] for value in values]
    types = ("string", "large_string", "string_view", "bool")
    _require_type(table, column, "text or integers", types, prefixes=("int", "uint"))
    return [str(value) for value in values]


def _values(table: Dataset, column: str) -> list[Any]:
    values: list[Any] = table.select_columns([column]).with_format("arrow")[:][column].to_pylist()
    return values


def _require_type(
    table: Dataset, column: str, rule: str, types: tuple[str, ...], prefixes: tuple[str, ...] = ()
) -> None:
    found = str(getattr(table.features[column], "dtype", "list"))
    if found not in types and not found.startswith(prefixes or types):
        raise Refused(f"Column {column!r} must hold {rule}; found: {found}.", _COLUMNS)


def _require_columns(where: str, found: list[str], config: DataConfig) -> None:
    for column in (config.text, config.label):
        if column not in found:
            names = ", ".join(repr(_short(name, 30)) for name in found[:_SHOWN])
            more = ", ..." if len(found) > _SHOWN else ""
            raise Refused(
                f"{where} has no column {column!r}; found: {names or 'nothing'}{more}.", _COLUMNS
            )


def _cause(error: BaseException) -> str:
    """Returns the innermost cause as one short line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return _short(" ".join(str(error).split()) or type(error).__name__, _LONGEST)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."
