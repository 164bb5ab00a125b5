"""One measured share beside the bound that a promise, or a negative control, has to meet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 1979
ALPHA, UNION, COVERAGE = 0.05, 0.08, 0.95
MONTE_CARLO, SLACK = 3.3, 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A share of simulated studies, arms or intervals, and its bound."""

    promise: str
    """The promise; checks of one promise are one line of the table."""
    cell: str
    """Where it was measured."""
    seen: float
    bound: float
    at_least: bool = False
    """Whether the share must reach the bound, not stay within it."""
    control: bool = False
    """Whether something known to be wrong was measured, which must break the bound."""

    @property
    def holds(self) -> bool:
        """Whether the share is on the right side of the bound, or a control on the wrong one."""
        kept = self.seen >= self.bound if self.at_least else self.seen <= self.bound
        return kept != self.control

    @property
    def room(self) -> float:
        """Distance to the bound, negative where a promise is broken."""
        gap = self.seen - self.bound if self.at_least else self.bound - self.seen
        return -gap if self.control else gap


def within(rate: float, studies: int, *, slack: float = SLACK) -> float:
    """Returns the bound of a rate that is promised to be at most `rate`."""
    return float(rate + MONTE_CARLO * np.sqrt(rate * (1 - rate) / studies) + slack)


def covers(cases: int) -> float:
    """Returns the bound of a 95 % interval's coverage, over so many independent cases."""
    return float(COVERAGE - MONTE_CARLO * np.sqrt(COVERAGE * (1 - COVERAGE) / cases) - SLACK)


def any_of(claims: NDArray[np.bool_]) -> float:
    """Returns the share of studies with any false claim, of ``[study, arm]``."""
    return float(claims.any(axis=-1).mean())


def error_checks(
    cell: str,
    studies: int,
    difference: NDArray[np.bool_],
    equivalence: NDArray[np.bool_],
    said: NDArray[np.bool_],
) -> list[Check]:
    """Returns the checks of both families and their union, from false claims ``[study, arm]``.

    Args:
        cell: Where they were made.
        studies: Number of studies.
        difference: False rejections in the family of differences, words or not.
        equivalence: False EQUIVALENT.
        said: False words of any kind.
    """
    family = within(ALPHA, studies)
    return [
        Check(promise="false difference", cell=cell, seen=any_of(difference), bound=family),
        Check(promise="false EQUIVALENT", cell=cell, seen=any_of(equivalence), bound=family),
        Check(
            promise="false verdict",
            cell=cell,
            seen=any_of(said),
            bound=within(UNION, studies, slack=0.0),
        ),
    ]
