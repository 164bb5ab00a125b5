"""The poolings without parameters. All of them return zeros for a row without tokens."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ablation.task.text.model.scored import weighted


class MeanPooling(nn.Module):
    r"""The mean of the real tokens' states, :math:`y = \frac{1}{n} \sum_{l \le n} h_l`."""

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights, which are 1/n on tokens."""
        counts = mask.sum(dim=1, keepdim=True).clamp(min=1)
        return weighted(mask.to(states.dtype) / counts, states)


class SumPooling(nn.Module):
    r"""The sum of the real tokens' states, :math:`y = \sum_{l \le n} h_l`; grows with n."""

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch hidden"]:
        """Returns the pooled states."""
        return weighted(mask.to(states.dtype), states)[0]


class MaxPooling(nn.Module):
    r"""The largest value of each entry over the real tokens, :math:`y_d = \max_l h_{l,d}`.

    Collobert and Weston (2008).
    """

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch hidden"]:
        """Returns the pooled states."""
        lowest = torch.finfo(states.dtype).min
        pooled = states.masked_fill(~mask.unsqueeze(2), lowest).amax(dim=1)
        return pooled * mask.any(dim=1, keepdim=True)


class LogSumExpPooling(nn.Module):
    r"""A smooth maximum of each entry, :math:`y_d = \log \frac{1}{n} \sum_{l \le n} e^{h_{l,d}}`.

    Pinheiro and Collobert (2015), equation 3, at r = 1; between the mean and the maximum.
    """

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch hidden"]:
        """Returns the pooled states."""
        lowest = torch.finfo(states.dtype).min
        counts = mask.sum(dim=1, keepdim=True).clamp(min=1)
        raised = states.masked_fill(~mask.unsqueeze(2), lowest).logsumexp(dim=1)
        return (raised - counts.to(states.dtype).log()) * mask.any(dim=1, keepdim=True)


class LastPooling(nn.Module):
    r"""The state of the last real token, :math:`y = h_n`."""

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights, all on the last token."""
        later = mask.flip(1).cumsum(dim=1).flip(1)
        return weighted((mask & (later == 1)).to(states.dtype), states)


class FirstPooling(nn.Module):
    r"""The state of the first real token, :math:`y = h_1`."""

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch length"]]:
        """Returns the pooled states and the weights, all on the first token."""
        earlier = mask.cumsum(dim=1)
        return weighted((mask & (earlier == 1)).to(states.dtype), states)


class TopKPooling(nn.Module):
    r"""The mean of the k largest values of each entry, or of all n values if n < k.

    After the k-max pooling of Kalchbrenner, Grefenstette and Blunsom (2014), which keeps the k
    values side by side in their order.

    Args:
        k: Number of values.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(
        self, states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch hidden"]:
        """Returns the pooled states."""
        k = min(self.k, states.shape[1])
        largest = states.masked_fill(~mask.unsqueeze(2), -torch.inf).topk(k, dim=1).values
        counts = mask.sum(dim=1, keepdim=True).clamp(min=1, max=k)
        real = torch.arange(k, device=states.device) < mask.sum(dim=1, keepdim=True)
        return largest.masked_fill(~real.unsqueeze(2), 0.0).sum(dim=1) / counts
