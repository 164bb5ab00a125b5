"""Tables of a study's own: whatever it measures besides training, shown as it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Table, table
from ablation.report.numbers import significant


def section(name: str, basis: Basis) -> Iterator[Block]:
    """Yields one of the study's own tables."""
    frame = basis.content.tables[name]
    if len(frame):
        yield own_table(frame)


def own_table(frame: pd.DataFrame) -> Table:
    """Returns any frame as a table: numbers short, truth as yes and no."""
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    numeric = "".join(_side(frame[name]) for name in frame)
    return table([str(name).replace("_", " ") for name in frame], rows, numeric=numeric)


def _side(column: pd.Series[Any]) -> str:
    return "r" if is_numeric_dtype(column) and not is_bool_dtype(column) else "l"


def _cell(value: Any) -> Cell:
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return Cell("yes" if value else "no")
    if isinstance(value, int | float):
        return Cell("") if math.isnan(value) else significant(float(value))
    return Cell("" if value is None else str(value))
