"""A table that dense Adam fits at the cost of the rows that a step reads."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from ablation.task.text.model import PADDING

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""PyTorch's own defaults."""

EARLY = frozenset(
    (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24, 29, 35, 42, 50, 60, 72, 86, 103, 124)
)
"""Steps after which all rows are brought up to date. Epsilon's share changes quickly at first,
with the root of the number of steps: no sum may span more than a fifth of the steps so far. This
is more exact than a hundred dense steps (1.8e-5 instead of 2.8e-5 at worst) and costs less."""

HORIZON = 400
"""Steps after which a gradient moves its row no more: 0.9005 ** 400 is 6e-19."""

BLOCK = 1024
"""Steps whose sums are computed together."""

AT_ONCE = 256
"""Rows that are brought up to date together, so that they stay in cache."""

MANY = 100
"""Number of stale rows among :data:`AT_ONCE` neighbours from which the whole block is updated in
place, in two fifths of the time per row; fewer are copied, updated and written back."""

TINY = 1e-300
"""Takes the place of an empty sum, so that the quotient of two is a number."""


@dataclasses.dataclass(slots=True)
class Fitted:
    """A tensor with the running means of its gradient and of its gradient's square."""

    parameter: Tensor
    mean: Tensor
    square: Tensor
    steps: int = 0


class Table:
    r"""A table that dense Adam fits, at the cost of the rows that are read.

    Adam moves a row at every step, also where its gradient is zero: its means m and v, left by
    its last gradient at step l, then decay by :math:`\beta_1` and :math:`\beta_2`, and until step
    t it moves by a known sum. A row is therefore brought up to date when it is next read:

    .. math:: -\eta \frac{m A}{\sqrt v + \epsilon B / A}, \quad
        A = \sum_{s=l+1}^t r^{s-l} c_s, \quad
        B = \sum_{s=l+1}^t r^{s-l} c_s \sqrt{(1 - \beta_2^s) / \beta_2^{s-l}},

    with :math:`r = \beta_1 / \sqrt{\beta_2}` and :math:`c_s = \sqrt{1 - \beta_2^s} /
    (1 - \beta_1^s)`. Only :math:`\epsilon B / A` is approximate: each step of the sum has an
    epsilon of its own, of which this is the mean. A table's error is below 1e-4 of its movement
    for gradients down to 1e-7, and rounding alone where gradients are large beside epsilon.

    Args:
        weight: The table; a frozen one is only read.
        learning_rate: Step size.
        epsilon: Added to the root of the mean square.
    """

    def __init__(self, weight: nn.Parameter, learning_rate: float, epsilon: float) -> None:
        self.weight = weight.detach()
        self.steps = 0
        self.fitted = weight.requires_grad
        if self.fitted:
            self.mean, self.square = torch.zeros_like(weight), torch.zeros_like(weight)
            self.last = np.zeros(len(weight), np.int64)  # the step that each row is at
            self.sums = Sums(learning_rate, epsilon)
            self.least = torch.finfo(weight.dtype).tiny
            self.kind = str(weight.dtype).removeprefix("torch.")
        self._looked_up: tuple[Tensor, Fitted] | None = None

    def look_up(self, ids: Int[Tensor, " distinct"]) -> Float[Tensor, "distinct size"]:
        """Returns some rows, up to date."""
        if not self.fitted:
            return _read(self.weight, ids)
        rows = self._up_to_date(ids)
        self._looked_up = ids, rows
        return rows.parameter.requires_grad_()

    def looked_up(self) -> Fitted | None:
        """Returns the rows that were looked up last if they have a gradient, padding's zero."""
        if self._looked_up is None:
            return None
        rows = self._looked_up[1]
        gradient = rows.parameter.grad
        if gradient is None:
            return None
        gradient[PADDING].zero_()
        return rows

    def put_back(self, rows: Fitted) -> None:
        """Writes rows that have taken a step into the table."""
        assert self._looked_up is not None
        self.steps = rows.steps
        self._write(self._looked_up[0], rows)
        self._looked_up = None
        if self.steps in EARLY:
            self.settle()

    def settle(self) -> None:
        """Brings every row up to date."""
        if not self.fitted:
            return
        # A row that never had a gradient has not moved either.
        stale = (self.last > 0) & (self.last < self.steps)
        firsts = np.arange(0, len(stale), AT_ONCE)
        many = np.add.reduceat(stale, firsts, dtype=np.int64) >= MANY
        # In place; a row that is up to date stays as it is, and so does one that never moved.
        for first in firsts[many]:
            some = slice(first, first + AT_ONCE)
            self._up_to_date(some)
            self.last[some][stale[some]] = self.steps
        few = np.flatnonzero(stale & ~many.repeat(AT_ONCE)[: len(stale)])
        for ids in torch.from_numpy(few).split(AT_ONCE):
            self._write(ids, self._up_to_date(ids))

    def _up_to_date(self, some: Tensor | slice) -> Fitted:
        """Moves some rows and their means to where dense Adam has them by now.

        Args:
            some: Ids of rows, which are copied, or a slice of the table, which is moved itself.
        """
        rows = some if isinstance(some, slice) else some.numpy()
        factors = self.sums.until(self.steps, self.last[rows]).astype(self.kind)
        sums = torch.from_numpy(factors).to(self.weight.device).unsqueeze(2)
        reach, epsilon, mean_left, square_left = sums.unbind()
        # Each of the three is read just before it is needed, and is in cache then: a tenth less.
        square = _read(self.square, some)
        # The root of zero takes 25 times as long as that of any other number.
        root = square.clamp_min(self.least).sqrt_().add_(epsilon)
        square.mul_(square_left)
        mean = _read(self.mean, some)
        move = mean * reach
        mean.mul_(mean_left)
        weight = _read(self.weight, some).addcdiv_(move, root, value=-1)
        return Fitted(weight, mean, square, self.steps)

    def _write(self, ids: Tensor, rows: Fitted) -> None:
        """Writes rows that are up to date into the table."""
        rows_of_table = ids.numpy()
        self.last[rows_of_table] = self.steps
        for tensor, values in (
            (self.weight, rows.parameter.detach()),
            (self.mean, rows.mean),
            (self.square, rows.square),
        ):
            if tensor.is_cpu:
                # Whole rows at a time: 5 us for 200 rows of 128, where index_copy_ takes 14.
                _whole_rows(tensor)[rows_of_table] = _whole_rows(values)
            else:
                tensor.index_copy_(0, ids.to(tensor.device), values)


def _whole_rows(table: Tensor) -> NDArray[Any]:
    """Returns a view of a table on the CPU whose entries are its rows."""
    # An assignment to entries takes a tenth less than one to rows.
    values = table.numpy()
    return values.view(f"V{values.shape[1] * values.itemsize}")[:, 0]


def _read(table: Tensor, some: Tensor | slice) -> Tensor:
    """Returns a copy of some rows of a table by their ids, or a slice of the table itself."""
    if isinstance(some, slice):
        return table[some]
    if table.is_cpu:  # two thirds of what index_select takes
        return torch.from_numpy(table.numpy().take(some.numpy(), axis=0))
    return table.index_select(0, some.to(table.device))


class Sums:
    r"""The sums of :class:`Table`, from any step to any later one.

    Each is the difference of two sums without an end, of which a table is kept:
    :math:`A(l, t) = A(l, \infty) - r^{t-l} A(t, \infty)`, and B likewise.

    Args:
        learning_rate: Step size.
        epsilon: Added to the root of the mean square.
    """

    def __init__(self, learning_rate: float, epsilon: float) -> None:
        self.scale = learning_rate * np.array([[1.0], [epsilon]])
        self.blocks = 0
        self.endless, self.powers = np.empty((2, 0)), np.empty((4, 0))

    def until(self, step: int, last: Int[np.ndarray, " rows"]) -> Float[np.ndarray, "4 rows"]:
        """Returns learning rate times A, epsilon B / A, and the shares of both means left.

        Args:
            step: The last step of the sums.
            last: The step after which each row's sums begin.
        """
        while step >= self.blocks * BLOCK:
            self._extend()
        factors = self.powers.take(step - last, axis=1)
        sums = factors[:2]
        sums *= self.endless[:, step, None]
        np.subtract(self.endless.take(last, axis=1), sums, out=sums)
        np.maximum(sums, TINY, out=sums)
        sums[1] /= sums[0]
        return factors

    def _extend(self) -> None:
        """Appends a block to both tables."""
        endless, powers = _block(self.blocks)
        self.endless = np.concatenate((self.endless, self.scale * endless), axis=1)
        self.powers = np.concatenate((self.powers, powers), axis=1)
        self.blocks += 1


@functools.cache
def _block(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns A and B without an end after each step of a block, and powers up to as many steps.

    The powers are those of r, of B's ratio, of beta 1 and of beta 2.
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
