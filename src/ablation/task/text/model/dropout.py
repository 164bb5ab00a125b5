"""Dropout whose random numbers come from a generator of its own, eight entries to a draw."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Dropout(nn.Module):
    """Sets entries to zero and scales the rest so that the mean is kept (Srivastava, 2014).

    Drawing the mask is a large part of a small model's step, so each 64-bit draw decides eight
    entries, a byte each; the share dropped is therefore rounded to a multiple of 1/256, and the
    scale is that of the rounded share.

    Args:
        share: Share of the entries to drop, in [0, 1).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = min(round(share * 256), 255)
        self.generator: torch.Generator | None = None

    def forward(self, states: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Returns the states, some of them dropped while training."""
        if not self.training or self.dropped == 0:
            return states
        return states * self.kept(states)

    def kept(self, states: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Returns a new mask in the shape of the states: 0, or what an entry that stays is times."""
        if self.generator is None:
            raise RuntimeError("Dropout has no generator: call initialise(model, seed) first.")
        draws = torch.empty(
            (states.numel() + 7) // 8, dtype=torch.int64, device=states.device
        ).random_(-(2**63), None, generator=self.generator)
        kept = draws.view(torch.uint8)[: states.numel()].view(states.shape)
        # 0 for a byte below the share and 1 for any other. In place and on bytes this takes 5 us
        # for 45,000 entries, on float32 13 us, a comparison 37 us.
        kept = kept.clamp_(self.dropped - 1, self.dropped).sub_(self.dropped - 1)
        return kept.to(states.dtype).mul_(256 / (256 - self.dropped))
