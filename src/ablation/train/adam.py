"""Adam by PyTorch's fused kernel, and the same Adam for a table of which a step reads few rows."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from ablation.model import PADDING

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""PyTorch's own defaults."""

HORIZON = 400
"""Steps after which a gradient moves its row no more: 0.9005 ** 400 is 6e-19."""

BLOCK = 1024
"""Steps whose sums are computed together, and rows that are brought up to date together."""

EARLY = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24, 29, 35, 42, 50, 60, 72, 86, 103, 124))
"""Steps after which all rows are brought up to date: while epsilon's share changes quickly, no
sum may span more than a fifth of the steps so far."""

TINY = 1e-300
"""In place of an empty sum, so that the quotient of two is a number."""


@dataclasses.dataclass(slots=True)
class _Fitted:
    """A tensor with the running means of its gradient and of its gradient's square."""

    parameter: Tensor
    mean: Tensor
    square: Tensor
    steps: int = 0


class Adam:
    """Adam (Kingma and Ba, 2015), bit for bit ``torch.optim.Adam(fused=True)``.

    Args:
        parameters: Tensors to fit; frozen ones are left out.
        learning_rate: Step size.
        epsilon: Added to the root of the mean square.
    """

    # PyTorch's optimizer object is not used: making one loads the compiler, a second in every
    # worker, and its step does 30 us of bookkeeping that nothing here needs.

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        *,
        epsilon: float = EPSILON,
    ) -> None:
        self.learning_rate = learning_rate
        self.epsilon = epsilon
        self._fitted = [
            _Fitted(parameter, torch.zeros_like(parameter), torch.zeros_like(parameter))
            for parameter in parameters
            if parameter.requires_grad
        ]

    def clear_gradients(self) -> None:
        """Sets every gradient to None."""
        for each in self._fitted:
            each.parameter.grad = None

    def step(self) -> None:
        """Moves every parameter that has a gradient."""
        live = [each for each in self._fitted if each.parameter.grad is not None]
        # One group, unless a parameter had no gradient at some step.
        for _, group in groupby(live, key=lambda each: each.steps):
            _move(list(group), self.learning_rate, self.epsilon)


@torch.no_grad()
def _move(group: list[_Fitted], learning_rate: float, epsilon: float) -> None:
    """Takes one step with tensors that have taken equally many before."""
    device = group[0].parameter.device
    steps = torch.tensor(group[0].steps + 1, dtype=torch.float32, device=device)
    torch._fused_adam_(
        [each.parameter for each in group],
        [each.parameter.grad for each in group if each.parameter.grad is not None],
        [each.mean for each in group],
        [each.square for each in group],
        [],
        [steps] * len(group),
        amsgrad=False,
        beta1=BETA1,
        beta2=BETA2,
        lr=learning_rate,
        weight_decay=0.0,
        eps=epsilon,
        maximize=False,
    )
    for each in group:
        each.steps += 1


class TableAdam:
    r"""Adam for a table, at the cost of the rows that a step reads.

    Adam moves a row at every step, also where its gradient is zero: its means m and v, left by
    its last gradient at step l, then decay by :math:`\beta_1` and :math:`\beta_2`, and until step
    t it moves by a known sum. A row is therefore brought up to date when it is next read:

    .. math:: -\eta \frac{m A}{\sqrt v + \epsilon B / A}, \quad
        A = \sum_{s=l+1}^t r^{s-l} c_s, \quad
        B = \sum_{s=l+1}^t r^{s-l} c_s \sqrt{(1 - \beta_2^s) / \beta_2^{s-l}},

    with :math:`r = \beta_1 / \sqrt{\beta_2}` and :math:`c_s = \sqrt{1 - \beta_2^s} /
    (1 - \beta_1^s)`. Only the second term of the denominator is approximate: each step of the sum
    has an epsilon of its own, B / A is their mean. A table's error is below 1e-4 of its movement
    for gradients down to 1e-7, and rounding alone where gradients are large beside epsilon.

    Args:
        weight: The table; a frozen one is only read.
        learning_rate: Step size.
        epsilon: Added to the root of the mean square.
    """

    def __init__(
        self, weight: nn.Parameter, learning_rate: float, *, epsilon: float = EPSILON
    ) -> None:
        self.weight = weight
        self.learning_rate = learning_rate
        self.epsilon = epsilon
        self.steps = 0
        self._looked_up: tuple[Tensor, _Fitted] | None = None
        if weight.requires_grad:
            self._mean, self._square = torch.zeros_like(weight), torch.zeros_like(weight)
            self._last = torch.zeros(len(weight), dtype=torch.int64, device=weight.device)
            self._sums = _Sums(learning_rate, epsilon, weight.device)

    @torch.no_grad()
    def look_up(self, ids: Int[Tensor, " distinct"]) -> Float[Tensor, "distinct size"]:
        """Returns some rows, up to date; :meth:`step` fits them by the gradient they then have.

        Args:
            ids: Distinct rows, the first of them padding's, which is never moved.
        """
        if not self.weight.requires_grad:
            return self.weight.index_select(0, ids)
        rows = self._up_to_date(ids)
        rows.parameter.requires_grad_()
        self._looked_up = ids, rows
        return rows.parameter

    @torch.no_grad()
    def step(self) -> None:
        """Moves the rows that were looked up last, if they have a gradient."""
        if self._looked_up is None:
            return
        ids, rows = self._looked_up
        self._looked_up = None
        if rows.parameter.grad is None:
            return
        rows.parameter.grad[PADDING].zero_()
        _move([rows], self.learning_rate, self.epsilon)
        self.steps += 1
        self._put_back(ids, rows)
        if self.steps in EARLY:
            self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        """Brings every row up to date."""
        if not self.weight.requires_grad:
            return
        stale = ((self._last > 0) & (self._last < self.steps)).nonzero().squeeze(1)
        for ids in stale.split(BLOCK):
            self._put_back(ids, self._up_to_date(ids))

    def _up_to_date(self, ids: Tensor) -> _Fitted:
        """Returns copies of some rows and their means, as dense Adam has them by now."""
        row, mean, square = (
            tensor.index_select(0, ids) for tensor in (self.weight, self._mean, self._square)
        )
        if self.steps:
            sums = self._sums.until(self.steps, self._last.index_select(0, ids))
            reach, epsilon, mean_left, square_left = sums.to(row.dtype).unsqueeze(2)
            row.addcdiv_(mean * reach, square.sqrt().add_(epsilon), value=-1)
            mean.mul_(mean_left)
            square.mul_(square_left)
        return _Fitted(row, mean, square, self.steps)

    def _put_back(self, ids: Tensor, rows: _Fitted) -> None:
        self.weight.index_copy_(0, ids, rows.parameter)
        self._mean.index_copy_(0, ids, rows.mean)
        self._square.index_copy_(0, ids, rows.square)
        self._last.index_fill_(0, ids, self.steps)


class _Sums:
    r"""The sums of :class:`TableAdam`, from any step to any later one.

    Each is the difference of two sums without an end, of which a table is kept:
    :math:`A(l, t) = A(l, \infty) - r^{t-l} A(t, \infty)`, and B likewise.

    Args:
        learning_rate: Step size.
        epsilon: Added to the root of the mean square.
        device: Where the table is.
    """

    def __init__(self, learning_rate: float, epsilon: float, device: torch.device) -> None:
        self.scale = torch.tensor([[learning_rate], [learning_rate * epsilon]], dtype=torch.float64)
        self.device = device
        self.blocks = 0
        self.endless = torch.empty(2, 0, dtype=torch.float64, device=device)
        self.powers = torch.empty(4, 0, dtype=torch.float64, device=device)

    def until(self, step: int, last: Int[Tensor, " rows"]) -> Float[Tensor, "4 rows"]:
        """Returns lr A, epsilon B / A, and what is left of either mean, for each row.

        Args:
            step: The last step of the sums.
            last: The step after which each row's sum begins.
        """
        while step >= self.blocks * BLOCK:
            self._extend()
        powers = self.powers.index_select(1, step - last)
        begun = self.endless.index_select(1, last)
        sums = begun.addcmul_(powers[:2], self.endless[:, step, None], value=-1).clamp_(min=TINY)
        sums[1].div_(sums[0])
        powers[:2] = sums
        return powers

    def _extend(self) -> None:
        """Appends a block to both tables."""
        endless, powers = (torch.from_numpy(each) for each in _block(self.blocks))
        endless = (self.scale * endless).to(self.device)
        self.endless = torch.cat((self.endless, endless), dim=1)
        self.powers = torch.cat((self.powers, powers.to(self.device)), dim=1)
        self.blocks += 1


@functools.cache
def _block(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns A and B without an end for the steps of a block, and powers up to as many steps.

    The powers are those of r and of the ratio of B's terms, of beta 1 and of beta 2.
    """
    ratios = np.array([[BETA1 / math.sqrt(BETA2)], [BETA1 / BETA2], [BETA1], [BETA2]])
    first = number * BLOCK
    steps = np.arange(first + 1, first + BLOCK + HORIZON)
    square = 1 - BETA2**steps
    terms = np.sqrt(square) / (1 - BETA1**steps)
    endless = [
        np.correlate(each, ratio ** np.arange(1, HORIZON + 1))
        for each, ratio in zip((terms, terms * np.sqrt(square)), ratios[:2], strict=True)
    ]
    return np.stack(endless), ratios ** np.arange(first, first + BLOCK)
