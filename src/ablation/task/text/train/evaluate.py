"""Logits of a split in large batches, and the metrics that they give."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ablation.task.text.metrics import SCORES
from ablation.task.text.train.batches import Documents, Texts

TOKENS_PER_BATCH = 8192
"""Padded tokens in a batch of an evaluation: enough to keep the arithmetic busy, and in cache."""

Model = Callable[..., Tensor]


@torch.inference_mode()
def logits_of(model: Model, texts: Texts | Documents) -> Float[Tensor, "texts classes"]:
    """Returns the logits of every text in the split's order; computed in sorted batches."""
    order = texts.lengths.argsort(stable=True)
    ends = texts.lengths[order].tolist()
    parts, start = [], 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * ends[stop] <= TOKENS_PER_BATCH:
            stop += 1
        parts.append(model(*texts.batch(order[start:stop])))
        start = stop
    sorted_logits = torch.cat(parts)
    logits = torch.empty_like(sorted_logits)
    logits[order] = sorted_logits
    return logits


def scores_of(
    logits: Float[Tensor, "texts classes"], labels: Int[Tensor, " texts"]
) -> dict[str, float]:
    """Returns the value of every metric by its name."""
    return {name: score.value(logits, labels) for name, score in SCORES.items()}
