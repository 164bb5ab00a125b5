"""Metrics: how the number that scores a run is named, directed and written."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence

from ablation.errors import Refused
from ablation.records.kinds import check_kinds, shown


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """A number that scores a run, and the way it is written.

    Names that are known, such as ``accuracy``, ``f1`` or ``val_loss``, have their direction, and
    shares are shown in points, where nothing else is given.

    Raises:
        Refused: If the name, the chance, the factor or the digits cannot be used.

    >>> Metric("bleu", unit="points").direction, Metric("val_loss").direction
    (1, -1)
    >>> Metric("accuracy").unit, Metric("accuracy", unit="%").factor
    ('points', 1.0)
    """

    name: str
    """As the run returns it; ``test/bleu`` and ``bleu`` are the same metric."""
    _: dataclasses.KW_ONLY
    lower_is_better: bool | None = None
    """By its name if None; False where that says nothing."""
    unit: str = ""
    """The unit of the shown value; may be empty."""
    chance: float | None = None
    """Value of guessing. If None, it is unknown: a failed run has no value then, so that its arm
    is INCONCLUSIVE, and no run counts as collapsed."""
    examples: str | None = None
    """Name of the array, one score per test example, whose mean is the metric; None if there is
    none. With it, verdicts are about new examples, too."""
    factor: float = 1.0
    """Factor applied to a value before it is shown: 100 for metrics in points."""
    digits: int = 4
    """Digits after the decimal point in tables; sentences have one fewer."""

    def __post_init__(self) -> None:
        check_kinds(self, "a Metric")
        object.__setattr__(self, "name", plain_name(self.name))
        last = _last_word(self.name)
        if self.lower_is_better is None:
            object.__setattr__(self, "lower_is_better", last in LOWER)
        if last in SHARES and (self.unit, self.factor, self.digits) == ("", 1.0, 4):
            for name, value in (("unit", "points"), ("factor", 100.0), ("digits", 2)):
                object.__setattr__(self, name, value)
        low, high = self.bounds
        if self.chance is not None and not (
            math.isfinite(self.chance) and low <= self.chance <= high
        ):
            within = "finite" if high == math.inf else "in [0, 1], as it is a share"
            raise Refused(
                f"The chance of the metric {self.name!r} must be {within}; got {self.chance!r}.",
                "Give the value of guessing, or leave it out.",
            )
        if self.digits < 1 or not self.factor > 0:
            raise Refused(
                f"The metric {self.name!r} needs factor > 0 and digits >= 1; got {self.factor!r} "
                f"and {self.digits!r}.",
                "Leave both out.",
            )

    @property
    def direction(self) -> int:
        """1 if higher is better, -1 if lower is better."""
        return -1 if self.lower_is_better else 1

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest value there can be, infinite where that is unknown.

        >>> Metric("macro_f1").bounds, Metric("bleu", unit="points").bounds
        ((0.0, 1.0), (-inf, inf))
        """
        is_share = _last_word(self.name) in SHARES and self.factor == 100.0  # noqa: PLR2004 - %
        return (0.0, 1.0) if is_share else (-math.inf, math.inf)

    @property
    def title(self) -> str:
        """The name as it is shown, with spaces for underscores.

        >>> METRICS["macro_f1"].title, METRICS["loss"].direction
        ('macro f1', -1)
        """
        return self.name.replace("_", " ")


MOST_LETTERS = 200
"""Most letters of a metric's name: MLflow takes 250, with the split."""


def plain_name(name: str) -> str:
    """Returns a metric's name without its split, which is test.

    Raises:
        Refused: If it holds other characters than a record takes, is too long, would be another
            path if it were one, or nothing is left of it.

    >>> plain_name("test/accuracy"), plain_name("top-5")
    ('accuracy', 'top-5')
    """
    plain = name.removeprefix("test/") if isinstance(name, str) else ""
    if not re.fullmatch(r"[\w\-. :/]+", plain, re.ASCII):
        raise Refused(
            f"A metric's name has letters, digits and _ - . : / alone; got {name!r}.",
            "Rename it, in the study and in what the run returns.",
        )
    if len(plain) > MOST_LETTERS or {part.strip() for part in plain.split("/")} & {"", ".", ".."}:
        raise Refused(
            f"A metric's name has at most {MOST_LETTERS} letters, and no empty part, '.' or '..' "
            f"between its slashes; got {shown(name)}.",
            "Rename it, in the study and in what the run returns.",
        )
    return plain


SHARES = ("accuracy", "acc", "f1", "precision", "recall", "auc", "auroc")
"""Last words of the names of metrics in [0, 1], shown in points; higher is better."""

LOWER = ("loss", "error", "perplexity", "ppl", "nll", "mse", "rmse", "mae", "wer", "cer")
"""Last words of the names of metrics of which lower is better."""


def _last_word(name: str) -> str:
    return re.split(r"[^a-z0-9]", name.lower())[-1]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", examples="test/correct"),
        Metric("macro_f1"),
        Metric("loss"),
    )
}
"""Name to metric of the text classifier: all are recorded for validation and test, and a study may
use any of them."""


def metric_named(name: str) -> Metric | None:
    """Returns the metric that a name is known for, without examples; None for any other name.

    >>> metric_named("test/top1_accuracy").unit, metric_named("eval_loss").direction
    ('points', -1)
    >>> metric_named("bleu") is None
    True
    """
    return Metric(name) if _last_word(plain_name(name)) in SHARES + LOWER else None


def metric_of(name: str) -> Metric:
    """Returns how the values of a metric are written; any name has plain numbers."""
    return METRICS.get(name) or metric_named(name) or Metric(name, digits=2)


MORE_DIGITS = 4
"""Digits that a value may get beyond those of its metric."""


def telling_digits(
    values: Sequence[float], edges: Sequence[float], metric: Metric, fewest: int
) -> int:
    """Returns the digits after the point that leave each shown value on its side of each edge.

    Args:
        values: The values; NaN is passed over.
        edges: Values that decide a verdict, such as 0 and the margin.
        metric: How the values are written.
        fewest: Digits that are enough for values far from the edges.

    >>> telling_digits([-0.0004, 0.0155], [0.0, 0.02], METRICS["accuracy"], 1)
    2
    """
    for digits in range(fewest, fewest + MORE_DIGITS):
        if all(
            _side(round(metric.factor * value, digits), metric.factor * edge) == _side(value, edge)
            for value in values
            for edge in edges
        ):
            return digits
    return fewest


def _side(value: float, edge: float) -> int:
    """Returns 1 above an edge, -1 below it, 0 on it but for the error of floating point."""
    return int(value > edge + 1e-9) - int(value < edge - 1e-9)


def percent(share: float, digits: int = 0) -> str:
    """Returns a share in per cent.

    >>> percent(0.312), percent(0.312, 1)
    ('31 %', '31.2 %')
    """
    return f"{100 * share:.{digits}f} %"
