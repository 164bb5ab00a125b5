"""From scores to weights: what is written over padding, and what turns scores into weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ablation.task.text.config import AttentionConfig, Fill

LOWEST = -2.0
"""Scores far below the largest are raised to this. The threshold is at least -1 before rounding,
so they stay below it."""

Normaliser = Callable[[Tensor], Tensor]


START = 0.05
"""Standard deviation by which a part's tensors start, as the article's do."""


def drawn(*shape: int) -> nn.Parameter:
    """Returns a parameter as a part's constructor makes it, from PyTorch's global generator.

    Where the part is one of a model's own, the run configuration fills it anew.
    """
    return nn.Parameter(START * torch.randn(*shape))


def softmax(scores: Float[Tensor, "*rows length"]) -> Float[Tensor, "*rows length"]:
    r"""Returns :math:`p_l = e^{s_l} / \sum_j e^{s_j}`."""
    return scores.softmax(dim=-1)


def sparsemax(scores: Float[Tensor, "*rows length"]) -> Float[Tensor, "*rows length"]:
    r"""Returns the point of the simplex that is nearest to the scores: some weights are zero.

    .. math:: p_l = \max(0, s_l - \tau), \quad \sum_l p_l = 1

    Martins and Astudillo (2016), algorithm 1.
    """
    # The threshold is at least the largest score minus one: all that is below gets no weight, and
    # may be raised to near it. So no fill, not even -inf, reaches the arithmetic, which is at
    # least that of float32: a sum over a long text has no room in fewer digits.
    lifted = _at_least_float32(scores)
    raised = (lifted - lifted.amax(dim=-1, keepdim=True)).clamp(min=LOWEST)
    sorted_, _ = raised.sort(dim=-1, descending=True)
    sums = sorted_.cumsum(dim=-1) - 1
    count = _count(sorted_)
    supported = (count * sorted_ > sums).sum(dim=-1, keepdim=True)
    threshold = sums.gather(-1, (supported - 1).clamp(min=0)) / supported  # 0 where all is NaN
    return (raised - threshold).relu().to(scores.dtype)


def entmax15(scores: Float[Tensor, "*rows length"]) -> Float[Tensor, "*rows length"]:
    r"""Returns the 1.5-entmax of the scores: between softmax and sparsemax.

    .. math:: p_l = \max(0, s_l / 2 - \tau)^2, \quad \sum_l p_l = 1

    Peters, Niculae and Martins (2019), algorithm 2.
    """
    # As above: the threshold is at least the largest of the halves minus one.
    lifted = _at_least_float32(scores)
    halves = ((lifted - lifted.amax(dim=-1, keepdim=True)) / 2).clamp(min=LOWEST)
    sorted_, _ = halves.sort(dim=-1, descending=True)
    count = _count(sorted_)
    mean = sorted_.cumsum(dim=-1) / count
    mean_of_squares = sorted_.square().cumsum(dim=-1) / count
    root = (1 / count - (mean_of_squares - mean.square())).clamp(min=0)
    # The gradient of a root is infinite at zero, and such an entry is never the threshold's.
    thresholds = mean - torch.where(root > 0, root, 1.0).sqrt() * (root > 0)
    supported = (thresholds <= sorted_).sum(dim=-1, keepdim=True)
    threshold = thresholds.gather(-1, (supported - 1).clamp(min=0))  # 0 where all is NaN
    return (halves - threshold).relu().square().to(scores.dtype)


def _at_least_float32(scores: Tensor) -> Tensor:
    return scores.float() if torch.finfo(scores.dtype).bits < 32 else scores  # noqa: PLR2004 - bits


def _count(sorted_: Float[Tensor, "*rows length"]) -> Float[Tensor, " length"]:
    return torch.arange(1, sorted_.shape[-1] + 1, dtype=sorted_.dtype, device=sorted_.device)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Masking:
    """Turns scores into weights where some tokens are padding.

    The study ``mask_fill`` shows what each fill leaks.
    """

    fill: Fill = -1e32
    """Score written over padding; ``"min"`` is the lowest number of the dtype."""
    second_masking: bool = True
    """Whether the weights of padding are set to zero after the normaliser."""
    dtype: torch.dtype | None = None
    """Precision of scores and weights; None leaves the scores' own."""
    normaliser: Normaliser = softmax
    """From scores to weights, over the last axis."""

    @classmethod
    def of(cls, config: AttentionConfig, normaliser: Normaliser = softmax) -> Masking:
        """Returns what the configuration says; float32 there leaves the scores' own precision."""
        dtype = None if config.dtype == "float32" else getattr(torch, config.dtype)
        return cls(
            fill=config.fill,
            second_masking=config.second_masking,
            dtype=dtype,
            normaliser=normaliser,
        )

    def unmasked(
        self, scores: Float[Tensor, "batch *heads length"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch *heads length"]:
        """Returns the weights before the second masking, padding's share among them."""
        return self._filled(scores, ~broadcast(mask, scores))

    def _filled(self, scores: Tensor, padding: Tensor) -> Tensor:
        """Returns the normaliser's weights where padding has the fill for its score."""
        lowered = self._lowered(scores)
        return self.normaliser(lowered.masked_fill(padding, self.number(lowered.dtype)))

    def number(self, dtype: torch.dtype) -> float:
        """Returns the fill as a number of a precision."""
        return torch.finfo(dtype).min if self.fill == "min" else float(self.fill)

    def _lowered(self, scores: Tensor) -> Tensor:
        """Returns the scores in the precision of the weights."""
        return scores if self.dtype is None else scores.to(self.dtype)

    def __call__(
        self, scores: Float[Tensor, "batch *heads length"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch *heads length"]:
        """Returns the weights; a row with a token and a tight fill sums to one."""
        # Two thirds of the batches of like length have no padding to write over: the same numbers
        # with two operations less. On a GPU asking would wait for the device.
        if not mask.is_cuda and mask.all():
            return self.normaliser(self._lowered(scores)).to(scores.dtype)
        padding = ~broadcast(mask, scores)
        weights = self._filled(scores, padding).to(scores.dtype)
        return weights.masked_fill(padding, 0.0) if self.second_masking else weights


def broadcast(mask: Tensor, scores: Tensor) -> Tensor:
    """Gives the mask an axis for each head or hop that the scores have."""
    return mask if scores.ndim == mask.ndim else mask.unsqueeze(-2)
