"""The poolings of the literature that weigh tokens by a score, besides the article's.

Each has ``scores`` and a ``masking`` that makes weights of them. The tensors that the run
configuration calls weight, bias and query carry these names here.
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
        bias: Whether there is a bias b.
        masking: From scores to weights.
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
        """Returns the scores, those of padding too."""
        projected = states @ self.weight
        return (projected if self.bias is None else projected + self.bias).tanh() @ self.query

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights; zeros for an empty row masked twice."""
        return weighted(self.masking(self.scores(states), mask), states)


class ScaledDotPooling(nn.Module):
    r"""Scaled dot product with a learned query, and nothing else to learn.

    .. math:: a = \mathrm{softmax}_l(q^\top h_l / \sqrt{d}), \quad y = \sum_l a_l h_l

    The score is that of Vaswani et al. (2017), equation 1, with the states as keys and values.

    Args:
        hidden_size: Width d of a token state.
        masking: From scores to weights.
    """

    def __init__(self, hidden_size: int, *, masking: Masking) -> None:
        super().__init__()
        self.query = drawn(hidden_size)
        self.masking = masking

    def scores(
        self, states: Float[Tensor, "batch length hidden"]
    ) -> Float[Tensor, "batch length"]:
        """Returns the scores, those of padding too."""
        return states @ (self.query / math.sqrt(len(self.query)))

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights; zeros for an empty row masked twice."""
        return weighted(self.masking(self.scores(states), mask), states)


class GatedPooling(nn.Module):
    r"""Attention whose score is gated, so that it is not nearly linear around zero.

    .. math:: s_l = q^\top (\tanh(W^\top h_l) \odot \sigma(G^\top h_l)), \quad
        a = \mathrm{softmax}(s), \quad y = \sum_l a_l h_l

    Ilse, Tomczak and Welling (2018), equation 9. G is called the gate, and starts as the weight.

    Args:
        hidden_size: Width of a token state, and of what the query meets.
        masking: From scores to weights.
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
        """Returns the scores, those of padding too."""
        return ((states @ self.weight).tanh() * (states @ self.gate).sigmoid()) @ self.query

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights; zeros for an empty row masked twice."""
        return weighted(self.masking(self.scores(states), mask), states)


class StructuredPooling(nn.Module):
    r"""Structured self-attention: r hops, each with weights of its own, side by side.

    .. math:: A = \mathrm{softmax}_l(Q \tanh(W^\top H^\top)), \quad y = \mathrm{vec}(A H)

    Lin et al. (2017), equations 6 and 7. The output is r times as wide as a state. The penalty
    by which they keep hops apart is a loss, not a pooling, and is left out.

    Args:
        hidden_size: Width of a token state, and of what the queries meet.
        hops: Number r of hops.
        masking: From scores to weights.
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
        """Returns the scores, those of padding too."""
        return ((states @ self.weight).tanh() @ self.query.T).transpose(1, 2)

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hops_x_hidden"], Float[Tensor, "batch hops length"]]:
        """Returns the pooled states and the weights; zeros for an empty row masked twice."""
        weights = self.masking(self.scores(states), mask)
        return (weights @ states).flatten(1), weights


class MultiHeadPooling(nn.Module):
    r"""Multi-head attention with one learned query per head.

    .. math:: a^{(i)} = \mathrm{softmax}_l(q_i^\top W_i^\top h_l / \sqrt{d / r}), \quad
        y = [\ldots; \sum_l a^{(i)}_l V_i^\top h_l; \ldots] O

    Vaswani et al. (2017), section 3.2.2; with a learned query as in Lee et al. (2019), equation
    11. It is computed in the factored form of :class:`AttentionPooling`: keys and values of all
    tokens are never formed. V and O, the maps of values and output, start as linear layers do.

    Args:
        hidden_size: Width d of a token state.
        heads: Number r of heads; divides the width.
        masking: From scores to weights.
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
        """Returns the scores, those of padding too."""
        keys = self.weight.unflatten(1, self.query.shape)
        asked = (keys * self.query).sum(dim=2) / math.sqrt(self.query.shape[1])
        scores: Tensor = states @ asked
        return scores.transpose(1, 2)

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch heads length"]]:
        """Returns the pooled states and the weights; zeros for an empty row masked twice."""
        weights = self.masking(self.scores(states), mask)
        values = self.value.unflatten(1, self.query.shape)
        heads: Tensor = torch.einsum("brh,hrd->brd", weights @ states, values)
        return heads.flatten(1) @ self.output, weights


def weighted(
    weights: Float[Tensor, "batch length"], states: Float[Tensor, "batch length hidden"]
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
    """Returns the weighted sum of the states, and the weights."""
    return (weights.unsqueeze(1) @ states).squeeze(1), weights
