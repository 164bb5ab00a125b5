"""Finds the test texts on which the attention weights of arms disagree most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

SHOWN = 6
"""Texts that a report shows."""
DIGITS = 3
"""Digits after the point of a weight in a report."""


def disagreements(
    attention: pd.DataFrame,
    examples: pd.DataFrame,
    texts: Sequence[Mapping[str, Any]],
    arms: Sequence[str],
) -> list[dict[str, Any]]:
    """Returns the texts on which arms disagree most, each with every arm's mean weights.

    Two arms disagree on a text by half the sum of the absolute differences between their mean
    weights (total variation); a text counts by the mean over pairs of arms.

    Args:
        attention: Arm, seed and weights of the judged runs; see ``tracking.ATTENTIONS``.
        examples: An examples frame, for whether a run classified the text correctly.
        texts: The texts in the order of the weights: ``place`` in test, ``label``, ``words``.
        arms: The arms, in the order in which they are shown.

    Returns:
        Of each text ``label``, ``words`` and ``arms``, a row per arm: ``arm``, ``n`` (runs),
        ``right`` (how many of them were), ``weights`` and ``spread``, the standard deviation
        over seeds, both a number per word.
    """
    lengths = [len(text["words"]) for text in texts]
    runs = {arm: _weights(rows["weights"], sum(lengths)) for arm, rows in attention.groupby("arm")}
    kept = [arm for arm in arms if len(runs.get(arm, ()))]
    if len(kept) < 2:  # noqa: PLR2004 - one arm agrees with itself
        return []
    starts = np.cumsum([0, *lengths])
    means = np.stack([runs[arm].mean(axis=0) for arm in kept])
    apart = np.abs(means[:, None] - means[None]).sum(axis=(0, 1)) / 2
    order = np.argsort(-np.add.reduceat(apart, starts[:-1]), kind="stable")[:SHOWN]
    return [
        {
            "label": texts[text]["label"],
            "words": list(texts[text]["words"]),
            "arms": [
                _row(arm, runs[arm][:, starts[text] : starts[text + 1]])
                | {"right": _right(examples[examples["arm"] == arm], int(texts[text]["place"]))}
                for arm in kept
            ],
        }
        for text in order.tolist()
    ]


def _weights(packed: pd.Series[Any], words: int) -> Float[np.ndarray, "runs words"]:
    """Returns the weights of some runs; one of another length is left out."""
    rows = [np.frombuffer(each, np.float16) for each in packed if len(each) == 2 * words]
    return np.nan_to_num(np.array(rows, np.float64).reshape(-1, words))


def _row(arm: str, weights: NDArray[np.float64]) -> dict[str, Any]:
    spread = weights.std(axis=0, ddof=1) if len(weights) > 1 else np.zeros(weights.shape[1])
    return {
        "arm": arm,
        "n": len(weights),
        "weights": weights.mean(axis=0).round(DIGITS).tolist(),
        "spread": spread.round(DIGITS).tolist(),
    }


def _right(runs: pd.DataFrame, place: int) -> int:
    """Returns how many of some runs classified an example correctly."""
    bits = (np.frombuffer(each, np.uint8) for each in runs["correct"])
    return sum(
        int(each[place // 8]) >> (7 - place % 8) & 1 for each in bits if place // 8 < len(each)
    )
