"""Adam by PyTorch's fused kernel, without the optimizer object around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""PyTorch's own defaults."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Moments:
    """A parameter with the running means of its gradient and of its gradient's square."""

    parameter: nn.Parameter
    mean: Tensor
    square: Tensor
    steps: Tensor


class Adam:
    """Adam (Kingma and Ba, 2015), bit for bit ``torch.optim.Adam(fused=True)``.

    Making one of PyTorch's optimizer objects loads its compiler, which takes a second in every
    process that trains, and each of their steps does bookkeeping that nothing here asks for.

    Args:
        parameters: What is fitted; those that are frozen are left out.
        learning_rate: Step size.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self._moments = [
            _Moments(
                parameter=parameter,
                mean=torch.zeros_like(parameter),
                square=torch.zeros_like(parameter),
                steps=torch.zeros((), dtype=torch.float32, device=parameter.device),
            )
            for parameter in parameters
            if parameter.requires_grad
        ]

    @torch.no_grad()
    def step(self) -> None:
        """Moves every parameter that has a gradient."""
        live = [each for each in self._moments if each.parameter.grad is not None]
        adam(
            [each.parameter for each in live],
            [each.parameter.grad for each in live if each.parameter.grad is not None],
            [each.mean for each in live],
            [each.square for each in live],
            [],
            [each.steps for each in live],
            fused=True,
            amsgrad=False,
            beta1=BETA1,
            beta2=BETA2,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )
