"""Scores of the text classifier: how each metric follows from logits, and what guessing has."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Score(NamedTuple):
    """Computes a metric from the classifier's outputs on a split."""

    # Written with the tensors' own methods, so that the conductor imports no PyTorch.
    value: Callable[[Any, Any], float]
    """Maps logits ``[texts, classes]`` and labels ``[texts]`` (class numbers) to the value."""
    chance: Callable[[Sequence[int]], float]
    """Maps the number of test texts per class to the value for always predicting the most
    frequent class."""
    quantum: Callable[[int], float] = lambda _: 0.0
    """Maps the number of test texts to the step between two possible values, 0 if continuous."""


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


SCORES: dict[str, Score] = {
    "accuracy": Score(_accuracy, _commonest, quantum=lambda rows: 1 / rows),
    "macro_f1": Score(
        _macro_f1,
        # Only the most frequent class has an F1: its precision is its share, its recall 1.
        chance=lambda counts: 2 * _commonest(counts) / (1 + _commonest(counts)) / len(counts),
    ),
    "loss": Score(_loss, chance=lambda counts: math.log(len(counts))),
}
"""Name of each of the :data:`ablation.records.metric.METRICS` to its score."""
