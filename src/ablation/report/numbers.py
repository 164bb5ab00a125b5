"""Numbers to cells: a metric of a hundred in points, which the CSV files hold as it is."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd

from ablation.analysis.words import p_text
from ablation.records.declaration import Declaration
from ablation.records.metric import Metric, telling_digits
from ablation.report.blocks import Cell


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """Formats the values of a metric as table cells."""

    metric: Metric
    margin: float | None = None
    """The margin, on whose side the end of an interval is shown."""

    @classmethod
    def of(cls, declaration: Declaration) -> Scale:
        """Returns the scale of a study's metric."""
        return cls(declaration.measure, declaration.margin)

    @property
    def factor(self) -> float:
        """The factor from a value to its shown form."""
        return self.metric.factor

    @property
    def unit(self) -> str:
        """The unit after that; may be empty."""
        return self.metric.unit

    @property
    def heading(self) -> str:
        """The metric with its unit and what is better."""
        better = "lower" if self.metric.lower_is_better else "higher"
        unit = f" in {self.unit}" if self.unit else ""
        return f"{self.metric.title} on test{unit}, {better} is better"

    def value(self, value: float) -> Cell:
        """Returns a value."""
        return self._cell(value, "")

    def difference(self, value: float) -> Cell:
        """Returns a difference, with its sign."""
        return self._cell(value, "+")

    def interval(self, low: float, high: float) -> Cell:
        """Returns both ends, sorted by the lower one."""
        if math.isnan(low) or math.isnan(high):
            return Cell("", -math.inf)
        edges = (0.0,) if self.margin is None else (0.0, self.margin, -self.margin)
        digits = telling_digits((low, high), edges, self.metric, self.metric.digits)
        ends = (f"{self.factor * end:+z.{digits}f}" for end in (low, high))
        return Cell(minus(" to ".join(ends)), low)

    def frame(self, frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
        """Returns a frame with some of its columns in the unit of the page, to be drawn."""
        return frame.assign(**{column: self.factor * frame[column] for column in columns})

    def _cell(self, value: float, sign: str) -> Cell:
        if math.isnan(value):
            return Cell("", -math.inf)
        return Cell(minus(f"{self.factor * value:{sign}z.{self.metric.digits}f}"), value)


def p_value(value: float, alpha: float = math.nan) -> Cell:
    """Returns a p value, on its side of alpha."""
    if math.isnan(value):
        return Cell("", math.inf)
    return Cell(p_text(value, alpha), value)


def count(value: float) -> Cell:
    """Returns a whole number."""
    return Cell("", -math.inf) if math.isnan(value) else Cell(f"{value:.0f}", float(value))


def significant(value: float | None) -> Cell:
    """Returns a number to four significant digits; None is an empty cell."""
    return Cell("") if value is None else Cell(minus(f"{value:.4g}"), value)


def minus(text: str) -> str:
    """Writes the minus sign as one, which is as wide as a plus."""
    return text.replace("-", "−")
