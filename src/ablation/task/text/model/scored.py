"""Poolings of the literature that weight tokens by a score, besides the article's attention.

Each has ``scores`` and a ``masking`` that turns scores into weights. Their tensors ``weight``,
``bias`` and ``query`` are those of the run configuration.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ablation.task.text.model.weights import Masking, drawn


class AdditivePooling(nn.Module):
    r"""Additive attention with a tanh, as in the hierarchical attention network.

    .. math:: u_l = \tanh(W^\top h_l + b), \quad a = \mathrm{softmax}_l(q^\top u_l),
        \quad y = \sum_l a_l h_l

    Yang et al. (2016), equations 5 to 7; the form of the score is that of Bahdanau et al. (2015).

    Args:
        hidden_size: Width of a token state, and of u.
        bias: Whether the pooling has a bias b.
        masking: Turns scores into weights.
    """

    def __init__(self, hidden_size: int, *, bias: bool, masking: Masking) -> None:
        super().__init__()
        self.weight = drawn(hidden_size, hidden_size)
        self.bias = nn.Parameter(torch.zeros(hidden_size)) if bias else None
        self.query = drawn(hidden_size)
        self.masking = masking

    def scores(
        self, states: Float[Tensor, "batch length hidden"]
    ) -> Float[Tensor, "batch length"]:
        """Returns the scores of all positions, including padding."""
        projected = states @ self.weight
        return (projected if self.bias is None else projected + self.bias).tanh() @ self.query

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights; an empty row masked twice gives zeros."""
        return weighted(self.masking(self.scores(states), mask), states)


class ScaledDotPooling(nn.Module):
    r"""Scaled dot product with a learned query as the only parameter.

    .. math:: a = \mathrm{softmax}_l(q^\top h_l / \sqrt{d}), \quad y = \sum_l a_l h_l

    The score is that of Vaswani et al. (2017), equation 1, with the states as keys and values.

    Args:
        hidden_size: Width d of a token state.
        masking: Turns scores into weights.
    """

    def __init__(self, hidden_size: int, *, masking: Masking) -> None:
        super().__init__()
        self.query = drawn(hidden_size)
        self.masking = masking

    def scores(
        self, states: Float[Tensor, "batch length hidden"]
    ) -> Float[Tensor, "batch length"]:
        """Returns the scores of all positions, including padding."""
        return states @ (self.query / math.sqrt(len(self.query)))

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights; an empty row masked twice gives zeros."""
        return weighted(self.masking(self.scores(states), mask), states)


class GatedPooling(nn.Module):
    r"""Attention with a gated score, which is not nearly linear around zero.

    .. math:: s_l = q^\top (\tanh(W^\top h_l) \odot \sigma(G^\top h_l)), \quad
        a = \mathrm{softmax}(s), \quad y = \sum_l a_l h_l

    Ilse, Tomczak and Welling (2018), equation 9. The gate G is initialised like the weight W.

    Args:
        hidden_size: Width of a token state, and of the query.
        masking: Turns scores into weights.
    """

    def __init__(self, hidden_size: int, *, masking: Masking) -> None:
        super().__init__()
        self.weight = drawn(hidden_size, hidden_size)
        self.gate = drawn(hidden_size, hidden_size)
        self.query = drawn(hidden_size)
        self.masking = masking

    def scores(
        self, states: Float[Tensor, "batch length hidden"]
    ) -> Float[Tensor, "batch length"]:
        """Returns the scores of all positions, including padding."""
        return ((states @ self.weight).tanh() * (states @ self.gate).sigmoid()) @ self.query

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights; an empty row masked twice gives zeros."""
        return weighted(self.masking(self.scores(states), mask), states)


class StructuredPooling(nn.Module):
    r"""Structured self-attention: r hops, each with its own weights, side by side.

    .. math:: A = \mathrm{softmax}_l(Q \tanh(W^\top H^\top)), \quad y = \mathrm{vec}(A H)

    Lin et al. (2017), equations 6 and 7, without the penalty that keeps the hops apart, which is
    part of the loss. The output is r times as wide as a state.

    Args:
        hidden_size: Width of a token state, and of the queries.
        hops: Number r of hops.
        masking: Turns scores into weights.
    """

    def __init__(self, hidden_size: int, *, hops: int, masking: Masking) -> None:
        super().__init__()
        self.weight = drawn(hidden_size, hidden_size)
        self.query = drawn(hops, hidden_size)
        self.masking = masking
        self.output_size = hops * hidden_size

    def scores(
        self, states: Float[Tensor, "batch length hidden"]
    ) -> Float[Tensor, "batch hops length"]:
        """Returns the scores of all positions, including padding."""
        return ((states @ self.weight).tanh() @ self.query.T).transpose(1, 2)

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hops_x_hidden"], Float[Tensor, "batch hops length"]]:
        """Returns the pooled states and the weights; an empty row masked twice gives zeros."""
        weights = self.masking(self.scores(states), mask)
        return (weights @ states).flatten(1), weights


class MultiHeadPooling(nn.Module):
    r"""Multi-head attention with one learned query per head.

    .. math:: a^{(i)} = \mathrm{softmax}_l(q_i^\top W_i^\top h_l / \sqrt{d / r}), \quad
        y = [\ldots; \sum_l a^{(i)}_l V_i^\top h_l; \ldots] O

    Vaswani et al. (2017), section 3.2.2; with a learned query as in Lee et al. (2019), equation
    11. Computed in the factored form of :class:`AttentionPooling`, which never forms the keys and
    values of all tokens. The maps V and O are initialised like linear layers.

    Args:
        hidden_size: Width d of a token state.
        heads: Number r of heads; must divide d.
        masking: Turns scores into weights.
    """

    def __init__(self, hidden_size: int, *, heads: int, masking: Masking) -> None:
        super().__init__()
        self.weight = drawn(hidden_size, hidden_size)
        self.query = drawn(heads, hidden_size // heads)
        self.value = drawn(hidden_size, hidden_size)
        self.output = drawn(hidden_size, hidden_size)
        self.masking = masking

    def scores(
        self, states: Float[Tensor, "batch length hidden"]
    ) -> Float[Tensor, "batch heads length"]:
        """Returns the scores of all positions, including padding."""
        keys = self.weight.unflatten(1, self.query.shape)
        asked = (keys * self.query).sum(dim=2) / math.sqrt(self.query.shape[1])
        scores: Tensor = states @ asked
        return scores.transpose(1, 2)

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch heads length"]]:
        """Returns the pooled states and the weights; an empty row masked twice gives zeros."""
        weights = self.masking(self.scores(states), mask)
        values = self.value.unflatten(1, self.query.shape)
        heads: Tensor = torch.einsum("brh,hrd->brd", weights @ states, values)
        return heads.flatten(1) @ self.output, weights


def weighted(
    weights: Float[Tensor, "batch length"], states: Float[Tensor, "batch length hidden"]
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
    """Returns the weighted sum of the states, and the weights."""
    return (weights.unsqueeze(1) @ states).squeeze(1), weights
