"""Token embeddings whose gradient is written into one array that is kept between steps."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

PADDING = 0
"""Token id of padding; its embedding is zero and stays so."""


class Embedding(nn.Module):
    """One learned vector per token id; that of padding is zero and stays so.

    A step touches a hundredth of the rows. PyTorch's own lookup allocates and clears a gradient
    of the whole table at every step, which costs more than the lookup; here the gradient is an
    array that stays, and :meth:`clear_gradient` sets only the rows that a step touched to zero.

    All vectors are zero until they are filled.

    Args:
        vocabulary_size: Number of token ids, padding included.
        size: Width of a vector.
    """

    def __init__(self, vocabulary_size: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(vocabulary_size, size))
        self._touched: list[Tensor] = []

    def freeze(self, rows: Int[Tensor, " known"], vectors: Float[Tensor, "known size"]) -> None:
        """Puts pretrained vectors into some rows, and leaves all rows as they then are.

        Args:
            rows: Token ids that have a vector; padding is none of them.
            vectors: Their vectors.
        """
        with torch.no_grad():
            self.weight[rows] = vectors
        self.weight.requires_grad_(False)

    def forward(
        self, tokens: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length embedding"]:
        """Returns the tokens' vectors."""
        if not (self.training and torch.is_grad_enabled() and self.weight.requires_grad):
            return F.embedding(tokens, self.weight)
        if self.weight.grad is None:
            self.weight.grad = torch.zeros_like(self.weight)
        flat = tokens.reshape(-1).long()
        self._touched.append(flat)
        looked_up: Tensor = _Lookup.apply(self.weight, flat, self.weight.grad)  # type: ignore[no-untyped-call]  # torch's own
        return looked_up.view(*tokens.shape, -1)

    def clear_gradient(self) -> None:
        """Sets the gradient to zero, in the rows that were touched since the last call."""
        for tokens in self._touched:
            assert self.weight.grad is not None
            self.weight.grad.index_fill_(0, tokens, 0.0)
        self._touched.clear()


class _Lookup(torch.autograd.Function):
    """Looks rows up; its backward adds to the kept gradient, padding's row left out."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, tokens: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.gradient = gradient
        return weight.index_select(0, tokens)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[None, None, None]:
        (tokens,) = ctx.saved_tensors
        ctx.gradient.index_add_(0, tokens, outputs[0])
        ctx.gradient[PADDING] = 0.0
        return None, None, None
