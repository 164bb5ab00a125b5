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
        yield own_table(frame, CAPTIONS.get(name, ""))


CAPTIONS = {
    "numerics": (
        "Computed on scores of zero, without training. Overflow: the dtype cannot hold the fill. "
        "Weight half, weight most: the weight on padding after one masking, where padding is 1 of "
        "2 and 19 of 20 positions. Nan once, nan twice: whether a row of padding alone gives NaN, "
        "masked once and masked again after the softmax. Finite gradient: whether the scores' "
        "gradient is finite, in a row with a token."
    )
}
"""Name of a task's own table to its terms."""


def own_table(frame: pd.DataFrame, caption: str = "") -> Table:
    """Returns any frame as a table: numbers short, truth as yes and no."""
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    numeric = "".join(_side(frame[name]) for name in frame)
    return table(
        [str(name).replace("_", " ") for name in frame], rows, numeric=numeric, caption=caption
    )


def _side(column: pd.Series[Any]) -> str:
    return "r" if is_numeric_dtype(column) and not is_bool_dtype(column) else "l"


def _cell(value: Any) -> Cell:
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return Cell("yes" if value else "no")
    if isinstance(value, int | float):
        return Cell("") if math.isnan(value) else significant(float(value))
    return Cell("" if value is None else str(value))
