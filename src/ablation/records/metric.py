"""Metrics: :data:`METRICS` holds everything the project knows about each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A number that scores a run, and the way it is written."""

    name: str
    # Written with the tensors' own methods, so that this module imports no PyTorch.
    score: Callable[[Any, Any], float] = lambda *_: math.nan
    """Maps logits ``[texts, classes]`` and labels ``[texts]`` (class numbers) to the value. Unused
    where the value is computed elsewhere."""
    chance: Callable[[Sequence[int]], float] = lambda _: math.nan
    """Maps the number of test texts per class to the value for always predicting the most
    frequent class."""
    lower_is_better: bool = False
    quantum: Callable[[int], float] = lambda _: 0.0
    """Maps the number of test texts to the step between two possible values, 0 if continuous."""
    factor: float = 1.0
    """Factor applied to a value before it is shown: 100 for metrics in points."""
    unit: str = ""
    """The unit of the shown value; may be empty."""
    counts_correct: bool = False
    """Whether a value is the share of examples classified correctly: a run's bits, one for each
    test example, are then its scores."""
    digits: int = 4
    """Digits after the decimal point in tables; sentences have one fewer."""

    @property
    def direction(self) -> int:
        """1 if higher is better, -1 if lower is better."""
        return -1 if self.lower_is_better else 1

    @property
    def title(self) -> str:
        """The name as it is shown, with spaces for underscores.

        >>> METRICS["macro_f1"].title, METRICS["loss"].direction
        ('macro f1', -1)
        """
        return self.name.replace("_", " ")


def _accuracy(logits: Any, labels: Any) -> float:
    value: float = (logits.argmax(dim=1) == labels).double().mean().item()
    return value


def _macro_f1(logits: Any, labels: Any) -> float:
    """Returns the mean over the classes of 2 tp / (2 tp + fp + fn).

    A class that is neither present nor predicted counts as 0.
    """
    classes, predicted = logits.shape[1], logits.argmax(dim=1)
    true_positives = labels[predicted == labels].bincount(minlength=classes).double()
    both = labels.bincount(minlength=classes) + predicted.bincount(minlength=classes)
    value: float = (2 * true_positives / both.clamp(min=1)).mean().item()
    return value


def _loss(logits: Any, labels: Any) -> float:
    """Returns the mean cross-entropy in nats, computed in double precision."""
    log_shares = logits.double().log_softmax(dim=1)
    value: float = -log_shares.gather(1, labels[:, None]).mean().item()
    return value


def _commonest(counts: Sequence[int]) -> float:
    return max(counts) / sum(counts)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="accuracy",
            score=_accuracy,
            chance=_commonest,
            quantum=lambda rows: 1 / rows,
            factor=100.0,
            unit="points",
            digits=2,
            counts_correct=True,
        ),
        Metric(
            name="macro_f1",
            score=_macro_f1,
            # Only the most frequent class has an F1: its precision is its share, its recall 1.
            chance=lambda counts: 2 * _commonest(counts) / (1 + _commonest(counts)) / len(counts),
            factor=100.0,
            unit="points",
            digits=2,
        ),
        Metric(
            name="loss",
            score=_loss,
            chance=lambda counts: math.log(len(counts)),
            lower_is_better=True,
        ),
    )
}
"""Name to metric: all are recorded for validation and test, and a study may use any of them."""
