"""Measurements inside a model on a fixed sample of validation: why an arm differs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ablation.task.text.model import Classifier, pool
from ablation.task.text.model.weights import Masking, broadcast
from ablation.task.text.train.batches import Documents, Texts

SAMPLE = 64
"""Texts, evenly spaced in the split: enough for means, and cheap beside an epoch."""

TENSORS = ("weight", "bias", "query")


class Probes:
    """Measures the last pooling of a model; draws no random number and changes nothing.

    Args:
        model: As it was drawn; how far its tensors move is counted from here.
        split: Where the sample is taken from.
    """

    def __init__(self, model: Classifier, split: Texts | Documents) -> None:
        self.model = model
        spaced = torch.linspace(0, len(split) - 1, min(SAMPLE, len(split)))
        self.batch = split.batch(spaced.long().to(split.labels.device))
        self.start = {
            name: tensor.detach().clone()
            for name in TENSORS
            if isinstance(tensor := getattr(model.pooling, name, None), Tensor)
        }

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Returns ``probe/name`` to value, means over the sample, in evaluation mode.

        ``output_variance``: of the pooled entries. Of a pooling with weights, over real tokens and
        their share of the weight: ``entropy`` in nats; ``effective_tokens``, its exponential;
        ``largest_weight``. Of one with scores: ``score_spread``, their standard deviation in a
        text; ``padding_weight``, the weight that padding takes before any second masking. And
        ``displacement_weight``, ``_bias``, ``_query``: how far each has moved, as a share of the
        length that it started with; left out where that is zero.
        """
        training = self.model.training
        self.model.eval()
        states, mask = self.model.states(*self.batch)
        pooling = self.model.pooling
        pooled, weights = pool(pooling, states, mask)
        found = {"output_variance": pooled.var(correction=0)}
        if weights is not None and weights.shape[-1] == mask.shape[1]:
            found |= _of_weights(weights, mask)
        masking: Any = getattr(pooling, "masking", None)
        if isinstance(masking, Masking):
            found |= _of_scores(self._scores(states), mask, masking)
        for name, start in self.start.items():
            length = start.norm()
            if length > 0:
                found[f"displacement_{name}"] = (getattr(pooling, name) - start).norm() / length
        self.model.train(training)
        return _numbers(found)

    def _scores(self, states: Tensor) -> Tensor:
        pooling: Any = self.model.pooling
        scores: Tensor = pooling.scores(states)
        return scores

    def gradients(self) -> dict[str, float]:
        """Returns ``probe/gradient_*``: how long the gradients are that the last step left."""
        tensors = {name: getattr(self.model.pooling, name) for name in self.start}
        return _numbers(
            {
                f"gradient_{name}": tensor.grad.norm()
                for name, tensor in tensors.items()
                if tensor.grad is not None
            }
        )


def _of_weights(weights: Tensor, mask: Tensor) -> dict[str, Tensor]:
    real = broadcast(mask, weights)
    kept = weights.masked_fill(~real, 0.0)
    # A text all of whose weight leaked to padding has no shares, and no entropy.
    share = kept / kept.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(kept.dtype).tiny)
    entropy = torch.special.entr(share).sum(dim=-1)
    return {
        "entropy": entropy.mean(),
        "effective_tokens": entropy.exp().mean(),
        "largest_weight": share.amax(dim=-1).mean(),
    }


def _of_scores(scores: Tensor, mask: Tensor, masking: Masking) -> dict[str, Tensor]:
    real = broadcast(mask, scores)
    counts = real.sum(dim=-1, keepdim=True)
    mean = scores.masked_fill(~real, 0.0).sum(dim=-1, keepdim=True) / counts
    squares = (scores - mean).square().masked_fill(~real, 0.0).sum(dim=-1, keepdim=True)
    leaked = masking.unmasked(scores, mask).masked_fill(real, 0.0)
    return {
        "score_spread": (squares / counts).sqrt().mean(),
        "padding_weight": leaked.float().sum(dim=-1).mean(),
    }


def _numbers(found: dict[str, Tensor]) -> dict[str, float]:
    """Reads all values in one go: on a GPU each reading waits for the device."""
    if not found:
        return {}
    values = torch.stack([value.float() for value in found.values()]).tolist()
    return {f"probe/{name}": value for name, value in zip(found, values, strict=True)}
