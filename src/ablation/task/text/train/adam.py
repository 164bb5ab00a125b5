"""Adam by PyTorch's fused kernel, and at the cost of the rows that a step reads of a table."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ablation.task.text.train.rows import BETA1, BETA2, EPSILON, Fitted, Table


class Adam:
    """Fits parameters by Adam (Kingma and Ba, 2015), bit for bit ``torch.optim.Adam(fused=True)``.

    One of them may be a table of which each step reads some rows: dense Adam all the same, up to
    rounding, at the cost of these rows (:class:`ablation.task.text.train.rows.Table`).

    Args:
        parameters: Tensors to fit; frozen ones are left out.
        learning_rate: Step size.
        table: One of the parameters, read by :meth:`look_up` alone; None if there is none.
        epsilon: Added to the root of the mean square.
    """

    # PyTorch's optimizer object is not used: making one loads the compiler, a second in every
    # worker, and each of its steps does 30 us of bookkeeping that nothing here needs.

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        *,
        table: nn.Parameter | None = None,
        epsilon: float = EPSILON,
    ) -> None:
        self.learning_rate = learning_rate
        self.epsilon = epsilon
        self.table = None if table is None else Table(table, learning_rate, epsilon)
        self._fitted = [
            Fitted(parameter, torch.zeros_like(parameter), torch.zeros_like(parameter))
            for parameter in parameters
            if parameter.requires_grad and parameter is not table
        ]

    def clear_gradients(self) -> None:
        """Sets every gradient to None."""
        for each in self._fitted:
            each.parameter.grad = None

    def look_up(self, ids: Int[Tensor, " distinct"]) -> Float[Tensor, "distinct size"]:
        """Returns some rows of the table, up to date; the next step fits them by their gradient.

        Args:
            ids: Distinct rows, on the CPU; the first is padding's, which is never moved.
        """
        assert self.table is not None
        return self.table.look_up(ids)

    @torch.no_grad()
    def step(self) -> None:
        """Moves every parameter that has a gradient, and the rows that were looked up last."""
        rows = None if self.table is None else self.table.looked_up()
        live = [each for each in self._fitted if each.parameter.grad is not None]
        if rows:
            live.append(rows)
        # One group, unless a parameter had no gradient at some step.
        for _, group in groupby(live, key=attrgetter("steps")):
            self._move(list(group))
        if rows:
            assert self.table is not None
            self.table.put_back(rows)

    def settle(self) -> None:
        """Brings every row of the table up to date."""
        if self.table is not None:
            self.table.settle()

    def _move(self, group: list[Fitted]) -> None:
        """Takes one step with tensors that have taken equally many before."""
        for each in group:
            each.steps += 1
        device = group[0].parameter.device
        # A third of the time that torch.tensor takes.
        steps = torch.full((), group[0].steps, dtype=torch.float32, device=device)
        torch._fused_adam_(
            [each.parameter for each in group],
            [each.parameter.grad for each in group],  # type: ignore[misc]  # none is None
            [each.mean for each in group],
            [each.square for each in group],
            [],
            [steps] * len(group),
            amsgrad=False,
            beta1=BETA1,
            beta2=BETA2,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=self.epsilon,
            maximize=False,
        )
