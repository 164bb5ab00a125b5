"""The question that is asked of a table of results: its columns, the baseline, the margin."""

from __future__ import annotations

import dataclasses
import math

from ablation.errors import Refused
from ablation.records.kinds import check_kinds


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Everything that is asked of a table.

    Raises:
        Refused: If the margin, the chance level or the number of examples cannot be used.
    """

    arm: str
    """Column that names the arm; or, of a table with a column per arm, these columns with commas
    between them, or ``*`` for all that have no other role."""
    metric: str
    """Column of the metric; of a table with a column per arm, the metric's name."""
    baseline: str
    """Name of the arm that all others are compared with."""
    seed: str | None = None
    """Column whose value the runs of a block share: a seed, a fold, a data set."""
    margin: float | None = None
    """Smallest effect worth acting on, in units of the metric."""
    lower_is_better: bool | None = None
    """None if the metric's name says it."""
    status: str | None = None
    """Column that says how a run ended."""
    failed: tuple[str, ...] = ()
    """Values of that column that are an outcome of the arm."""
    chance: float | None = None
    """Value of the metric for guessing, which a failed run counts as."""
    examples: int | None = None
    """Number of test examples of which the metric is a share."""
    where: tuple[str, ...] = ()
    """``COLUMN=VALUE``: the rows that are used fulfil all of them."""
    which: str | None = None
    """``first`` or ``last``: the run to take where an arm has several with one seed; None refuses
    them."""
    unpaired: bool = False
    """Whether arms are compared by their means, because they share no seeds."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "baseline", str(self.baseline))
        check_kinds(self, "the question to a table")
        _require(self.margin is None or 0 < self.margin < math.inf, "margin > 0", self.margin)
        _require(self.chance is None or math.isfinite(self.chance), "finite chance", self.chance)
        _require(self.examples is None or self.examples > 1, "number of examples > 1",
                 self.examples)  # fmt: skip
        _require(self.which in {None, "first", "last"}, "choice of 'first' or 'last'", self.which)
        for each in self.where:
            _require("=" in each, "condition COLUMN=VALUE", each)
        if self.failed and self.status is None:
            raise Refused(
                "The statuses of failed runs are named, and no column that has them.",
                "Give the column, too: --status COLUMN.",
            )

    def within(self, condition: str) -> Question:
        """Returns the question to the rows that fulfil one more ``COLUMN=VALUE``."""
        return dataclasses.replace(self, where=(*self.where, condition))

    @property
    def arm_name(self) -> str:
        """The noun for an arm in sentences."""
        return "arm" if self.arms else self.arm.replace("_", " ")

    @property
    def arms(self) -> tuple[str, ...] | None:
        """The columns of a table with a column per arm, ``("*",)`` for all; else None."""
        if self.arm == "*" or "," in self.arm:
            return tuple(name.strip() for name in self.arm.split(","))
        return None


def _require(condition: bool, rule: str, value: object) -> None:
    if not condition:
        raise Refused(f"A table is judged with a {rule}; got {value!r}.", "Change it.")
