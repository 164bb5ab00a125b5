"""What the tests of the data package share: tables on disk, and the real sets."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings

# A deadline would make a busy machine a failure.
settings.register_profile("data", deadline=None, max_examples=60)
settings.load_profile("data")

Columns = dict[str, list[Any]]


def _write(path: Path, columns: Columns) -> Path:
    """Writes columns in the format that the name ends in, by code of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    else:
        path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def write() -> Callable[[Path, Columns], Path]:
    return _write


@pytest.fixture(scope="session")
def small() -> Columns:
    """Forty rows of two classes, no two the same."""
    return {
        "text": [f"the {word} number {i}" for i in range(20) for word in ("red", "Blue")],
        "label": ["warm", "cold"] * 20,
    }
