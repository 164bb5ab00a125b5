"""The article's attention pooling: a learned weighted mean over the tokens of a sequence."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ablation.config import Fill


class AttentionPooling(nn.Module):
    r"""Pools token states into one vector with a single learned query.

    .. math:: k_l = W^\top h_l + b, \quad s_l = q^\top k_l, \quad a = \mathrm{softmax}(s),
        \quad y = \sum_l a_l k_l

    It is computed in a factored form that is equal to this one: :math:`s_l = h_l^\top (W q) +
    b^\top q`, and since the sum over the tokens is linear, :math:`y = W^\top \sum_l a_l h_l + b
    \sum_l a_l`. The product of all states with W, the costly part, is never formed.

    The bias adds the same number to every score, and a softmax does not see it: where no weight
    reaches padding, ``bias`` cannot change the weights, only the output.

    Args:
        hidden_size: Width of a token state.
        bias: Whether there is a bias b at all.
        fill: Score written over padding before the softmax, ``"min"`` being the lowest number of
            the scores' dtype. The study ``mask_fill`` shows what each value leaks.
        second_masking: Whether the weights of padding are set to zero after the softmax.
    """

    def __init__(
        self,
        hidden_size: int,
        *,
        bias: bool = True,
        fill: Fill = -1e32,
        second_masking: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(hidden_size)) if bias else None
        self.query = nn.Parameter(torch.empty(hidden_size))
        self.fill = fill
        self.second_masking = second_masking

    def weights(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length"]:
        """Returns the attention weights; a row with a token and a tight fill sums to one."""
        scores = states @ (self.weight @ self.query)
        if self.bias is not None:
            scores = scores + self.bias @ self.query
        fill = torch.finfo(scores.dtype).min if self.fill == "min" else float(self.fill)
        weights = scores.masked_fill(~mask, fill).softmax(dim=1)
        return weights.masked_fill(~mask, 0.0) if self.second_masking else weights

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights."""
        weights = self.weights(states, mask)
        pooled = (weights.unsqueeze(1) @ states).squeeze(1) @ self.weight
        if self.bias is not None:
            pooled = pooled + weights.sum(dim=1, keepdim=True) * self.bias
        return pooled, weights
