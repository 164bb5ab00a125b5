"""Logits of a split in large batches, and the metrics that they give."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ablation.train.batches import Documents, Texts

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


def metrics_of(
    logits: Float[Tensor, "texts classes"], labels: Int[Tensor, " texts"]
) -> dict[str, float]:
    """Returns accuracy, macro-F1 and cross-entropy in nats.

    Macro-F1 is the mean over all classes of 2 tp / (2 tp + fp + fn), zero for a class that is
    neither present nor predicted.
    """
    classes = logits.shape[1]
    predicted = logits.argmax(dim=1)
    right = predicted == labels
    true_positives = torch.bincount(labels[right], minlength=classes).double()
    both = torch.bincount(labels, minlength=classes) + torch.bincount(predicted, minlength=classes)
    return {
        "accuracy": right.double().mean().item(),
        "macro_f1": (2 * true_positives / both.clamp(min=1)).mean().item(),
        "loss": F.cross_entropy(logits.double(), labels).item(),
    }
