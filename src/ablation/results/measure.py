"""The metric of a table: its direction, unit and step, from its name and its values."""

from __future__ import annotations

import math
import re

import pandas as pd

from ablation.errors import Refused
from ablation.records.metric import MOST_LETTERS, Metric, metric_named
from ablation.results.question import Question


def measure_of(question: Question, values: pd.Series[float]) -> Metric:
    """Returns the metric of a table.

    Args:
        question: What is asked of the table.
        values: The values of finished runs.

    Raises:
        Refused: If neither the question nor the name says which way is better.
    """
    plain = re.sub(r"^(metrics[./])?(test[/_])?", "", question.metric.strip())
    named = re.sub(r"[^\w\-. :/]+", "", plain, flags=re.ASCII).strip()
    parts = (part.strip() for part in named[:MOST_LETTERS].split("/"))
    name = "/".join(part for part in parts if part not in {"", ".", ".."}) or "metric"
    known = metric_named(name)
    lower = question.lower_is_better
    if lower is None:
        lower = None if known is None else known.lower_is_better
    if lower is None:
        raise Refused(
            f"The name {question.metric!r} does not tell whether higher is better.",
            "Give --higher or --lower.",
        )
    is_share = known is not None and known.unit == "points"
    return Metric(
        name=name,
        lower_is_better=lower,
        factor=100.0 if is_share and _is_within_one(values) else 1.0,
        unit="points" if is_share else "",
        digits=2 if is_share else _digits(values),
    )


def quantum_of(question: Question, values: pd.Series[float]) -> float:
    """Returns the step between two values of a share of so many examples; 0 if unknown."""
    if question.examples is None:
        return 0.0
    return (1.0 if _is_within_one(values) else 100.0) / question.examples


def _is_within_one(values: pd.Series[float]) -> bool:
    return bool(values.abs().max() <= 1)


def _digits(values: pd.Series[float]) -> int:
    """Returns the digits that show a thousandth of the range of the values, 1 to 8."""
    span = float(values.max() - values.min())
    return 4 if span == 0 else min(max(3 - math.floor(math.log10(span)), 1), 8)
