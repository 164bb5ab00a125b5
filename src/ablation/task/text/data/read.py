"""Reads the rows of a corpus with Hugging Face ``datasets``; the only module that imports it."""

from __future__ import annotations

import glob
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pyarrow.parquet
from datasets import ClassLabel, Dataset, load_dataset, load_from_disk
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from ablation.errors import Refused, nearest
from ablation.task.text.config import DataConfig
from ablation.task.text.data.docstrings import documents
from ablation.task.text.data.source import BUILT_IN, Source, split_of
from ablation.task.text.data.splits import Rows
from ablation.task.text.data.tables import (
    COLUMNS,
    REPAIR,
    cause_of,
    no_class,
    no_text,
    require_columns,
)

HUB_SECONDS = 20.0
"""Seconds that the Hub has to answer; the libraries' own retries can take minutes."""

_LOCAL = "Give a local folder or file instead: DATA=path (--data path)."


def read(config: DataConfig, source: Source, *, downloads: Path) -> dict[str, Rows]:
    """Returns the rows of each split of a source other than local files.

    Args:
        config: Names the columns.
        source: The source, from :func:`ablation.task.text.data.source.locate`.
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
            tables = _saved(config)
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


def read_parquet(path: Path, split: str, config: DataConfig, work: Path) -> Rows:
    """Returns the rows of a Parquet file.

    Args:
        path: The file.
        split: Split of its rows, for messages.
        config: Names the columns.
        work: Scratch folder for the library's copy; the caller removes it.

    Raises:
        Refused: If it cannot be read, or lacks a column, a text or a class.
    """
    try:
        if pyarrow.parquet.read_metadata(path).num_rows == 0:
            return Rows([], [])
        with _quiet():
            # Escaped, because the library reads names as patterns; one by one, because it demands
            # equal types of files that are loaded together.
            name = glob.escape(str(path.resolve()))
            cache = str(work / f"{split}-{path.stem}")
            table = load_dataset("parquet", data_files=name, split="train", cache_dir=cache)
            return _rows(table, split, config)
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"{path} cannot be read as parquet: {cause_of(error)}", REPAIR) from error


def _saved(config: DataConfig) -> dict[str, Dataset]:
    """Returns the tables of a folder that ``save_to_disk`` wrote."""
    try:
        found = load_from_disk(str(Path(config.source).expanduser()))
    except Exception as error:
        rule = f"{config.source} cannot be read as a saved data set: {cause_of(error)}"
        raise Refused(rule, "Save it again with save_to_disk.") from error
    if isinstance(found, Dataset):
        return {"train": found}
    return _usual(found, config)


def _usual(found: Any, config: DataConfig) -> dict[str, Dataset]:
    """Returns the splits with a usual name, of which two may not be the same."""
    named: dict[str, str] = {}
    for name in found:
        split = split_of(str(name))
        if split is not None and split in named:
            raise Refused(
                f"{config.source!r} has two splits for {split}: {named[split]}, {name}.",
                "Give a copy with one of them.",
            )
        if split is not None:
            named[split] = name
    if "train" not in named:
        raise Refused(f"{config.source!r} has no split train; found: {', '.join(found)}.", _LOCAL)
    return {split: found[name] for split, name in named.items()}


def _hub(config: DataConfig, downloads: Path) -> dict[str, Dataset]:
    _reach(config)
    try:
        found = load_dataset(
            config.source, revision=config.revision, cache_dir=str(downloads / "datasets")
        )
    except Exception as error:
        raise Refused(f"{config.source!r} cannot be loaded: {cause_of(error)}", _LOCAL) from error
    return _usual(found, config)


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
    require_columns(f"The split {split}", table.column_names, config)
    return Rows(_texts(table, split, config.text), _labels(table, split, config.label))


def _texts(table: Dataset, split: str, column: str) -> list[str]:
    values = _values(table, column)
    if None in values:
        raise no_text(values.index(None) + 1, split, column)
    _require_type(table, column, "text", ("string", "large_string", "string_view"))
    return values


def _labels(table: Dataset, split: str, column: str) -> list[str]:
    """Returns class names: a class number's name, and any other integer as digits."""
    values, feature = _values(table, column), table.features[column]
    named = isinstance(feature, ClassLabel)
    missing = [i for i, value in enumerate(values) if value in (None, "") or (named and value < 0)]
    if missing:
        raise no_class(missing[0] + 1, split, column)
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
        raise Refused(f"Column {column!r} must hold {rule}; found: {found}.", COLUMNS)
