"""The poolings without parameters, and the choice of a pooling by its name."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ablation.config import ModelConfig
from ablation.model.attention import AttentionPooling
from ablation.model.named import named_class


class MeanPooling(nn.Module):
    r"""The mean of the real tokens' states, :math:`y = \frac{1}{n} \sum_{l \le n} h_l`."""

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights: 1/n on tokens; zeros for an empty row."""
        counts = mask.sum(dim=1, keepdim=True).clamp(min=1)
        weights = mask.to(states.dtype) / counts
        return (weights.unsqueeze(1) @ states).squeeze(1), weights


class MaxPooling(nn.Module):
    r"""The largest value of each entry over the real tokens, :math:`y_d = \max_l h_{l,d}`."""

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], None]:
        """Returns the pooled states; zeros for a row without a token. There are no weights."""
        lowest = torch.finfo(states.dtype).min
        pooled = states.masked_fill(~mask.unsqueeze(2), lowest).amax(dim=1)
        return pooled * mask.any(dim=1, keepdim=True), None


def build_pooling(config: ModelConfig) -> nn.Module:
    """Returns the pooling that the configuration names; its parameters hold no values yet.

    Raises:
        Refused: If a class of the user's cannot be found.
    """
    if ":" in config.pooling:
        module: nn.Module = named_class(config.pooling)(config.hidden_size)
        return module
    if config.pooling == "attention":
        return AttentionPooling(
            config.hidden_size,
            bias=config.attention.bias_init != "none",
            fill=config.attention.fill,
            second_masking=config.attention.second_masking,
        )
    return {"mean": MeanPooling, "max": MaxPooling}[config.pooling]()
