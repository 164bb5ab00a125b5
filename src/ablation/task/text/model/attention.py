"""The article's attention pooling: a learned weighted mean over the tokens of a sequence."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ablation.task.text.model.weights import Masking, drawn


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
        bias: Whether there is a bias b at all. Without keys in the output it could change
            nothing, so with ``values="states"`` it is left out.
        values: What is summed: the keys, as in the article, or the states, :math:`y = \sum_l a_l
            h_l`.
        masking: From scores to weights.
    """

    def __init__(
        self,
        hidden_size: int,
        *,
        bias: bool = True,
        values: Literal["keys", "states"] = "keys",
        masking: Masking = Masking(),  # noqa: B008 - it is frozen
    ) -> None:
        super().__init__()
        self.weight = drawn(hidden_size, hidden_size)
        self.bias = nn.Parameter(torch.zeros(hidden_size)) if bias and values == "keys" else None
        self.query = drawn(hidden_size)
        self.values = values
        self.masking = masking

    def scores(
        self, states: Float[Tensor, "batch length hidden"]
    ) -> Float[Tensor, "batch length"]:
        """Returns the scores, those of padding too."""
        direction = self.weight.mv(self.query)
        if self.bias is None:
            return states @ direction
        flat = torch.addmv(self.bias.dot(self.query), states.flatten(0, 1), direction)
        return flat.view(states.shape[:2])

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights; zeros for an empty row masked twice."""
        weights = self.masking(self.scores(states), mask)
        pooled = (weights.unsqueeze(1) @ states).squeeze(1)
        if self.values == "states":
            return pooled, weights
        pooled = pooled @ self.weight
        if self.bias is not None:
            pooled = torch.addcmul(pooled, weights.sum(dim=1, keepdim=True), self.bias)
        return pooled, weights
