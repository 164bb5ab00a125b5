"""Reads the rows of local files, most of them without ``datasets``: it takes a second to load."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ablation.task.text.config import DataConfig
from ablation.task.text.data.source import Source
from ablation.task.text.data.splits import Rows
from ablation.task.text.data.tables import read_table

_STRINGS = ("string", "large_string")


def read_files(config: DataConfig, source: Source, *, work: Path) -> dict[str, Rows]:
    """Returns the rows of each split of a local source.

    Args:
        config: Names the columns.
        source: The source, from :func:`ablation.task.text.data.source.locate`.
        work: Scratch folder for the library's copies of files; the caller removes it.

    Raises:
        Refused: If a file cannot be read, or lacks a column, a text or a class.
    """
    return {
        name: _join([_file(path, name, config, work) for path in paths])
        for name, paths in source.files.items()
    }


def _join(parts: list[Rows]) -> Rows:
    return Rows(
        [text for part in parts for text in part.texts],
        [label for part in parts for label in part.labels],
    )


def _file(path: Path, split: str, config: DataConfig, work: Path) -> Rows:
    if path.suffix.lower() != ".parquet":
        return read_table(path, split, config)
    rows = _plain(path, config)
    if rows is not None:
        return rows
    from ablation.task.text.data.read import read_parquet

    return read_parquet(path, split, config, work)


def _plain(path: Path, config: DataConfig) -> Rows | None:
    """Returns the rows of a Parquet file of texts and of classes or integers, or None.

    None where anything is missing, damaged, or for ``datasets`` to interpret or to refuse.
    """
    import pyarrow.parquet

    refused = (OSError, ValueError, NotImplementedError)
    with contextlib.suppress(*refused), pyarrow.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        places = [schema.get_field_index(name) for name in (config.text, config.label)]
        if min(places) < 0 or b"huggingface" in (schema.metadata or {}):
            return None
        text, label = (str(schema.types[place]) for place in places)
        if text not in _STRINGS or not (label in _STRINGS or label.startswith(("int", "uint"))):
            return None
        table = file.read([config.text, config.label])
        texts, labels = (table.column(each).to_pylist() for each in (config.text, config.label))
        if None in texts or None in labels or "" in labels:
            return None
        return Rows(texts, [str(each) for each in labels])
    return None
