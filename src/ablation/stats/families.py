"""Families of comparisons: Holm's correction, and intervals that agree with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One family of comparisons after Holm's step-down, ``[..., comparison]``."""

    adjusted: Floats
    """Adjusted p values; NaN for a comparison that was not tested or is not in the family."""
    rejected: Bools
    """Whether the adjusted p value is at most alpha."""
    divisor: Ints
    """What alpha is divided by in the adjusted interval: the divisor at which the comparison
    was rejected, else the number of comparisons that are not rejected."""


def holm(p: ArrayLike, remain: ArrayLike | None = None) -> Floats:
    """Returns Holm's adjusted p values along the last axis.

    Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Args:
        p: p values ``[..., comparison]``. NaN is a comparison that could not be tested: it
            counts in the size of the family, as if its p value were 1, and stays NaN.
        remain: Which comparisons belong to the family; the others count for nothing and come
            out NaN. All where None.
    """
    return _step_down(p, remain)[0]


def holm_family(p: ArrayLike, remain: ArrayLike | None = None, *, alpha: float = 0.05) -> Family:
    """Returns Holm's decisions at `alpha`, with the divisors of the adjusted intervals.

    An interval at level 1 - alpha/divisor excludes 0 exactly where Holm rejects: a rejected p
    value is at most alpha/divisor at its own step, and the first one kept is above alpha over
    the number that is left, as are all larger ones. The intervals agree with Holm one by one;
    jointly they cover less than 1 - alpha.
    """
    adjusted, rank, size = _step_down(p, remain)
    rejected = adjusted <= alpha
    left = size - rejected.sum(axis=-1, keepdims=True)
    divisor = np.maximum(np.where(rejected, size - rank, left), 1)
    return Family(adjusted=adjusted, rejected=rejected, divisor=divisor)


def holm_late(
    p: ArrayLike, remain: Bools, late: Bools, size: Ints, *, alpha: float = 0.05
) -> Family:
    """Returns Holm's decisions where some comparisons came after the others were decided.

    A late comparison is rejected at alpha over the size of the whole family, and counts as not
    rejected for the others, whose decisions are final. Holm over all of them at once would reject
    all of that and more, so the error rate of the family stays at most alpha.

    Args:
        p: p values ``[..., comparison]``.
        remain: Which comparisons belong to the family.
        late: Which of them came late.
        size: Size of the whole family, ``[..., 1]``.
        alpha: Error rate of the family.
    """
    p = np.asarray(p, dtype=np.float64)
    family = holm_family(np.where(late, np.nan, p), remain, alpha=alpha)
    if not late.any():
        return family
    adjusted = np.where(late & remain, np.minimum(p * size, 1.0), family.adjusted)
    return Family(
        adjusted=adjusted,
        rejected=adjusted <= alpha,
        divisor=np.where(late & remain, np.maximum(size, 1), family.divisor),
    )


def _step_down(p: ArrayLike, remain: ArrayLike | None) -> tuple[Floats, Ints, Ints]:
    """Returns adjusted p values, ranks from 0, and the family's size ``[..., 1]``."""
    p = np.asarray(p, dtype=np.float64)
    members = np.broadcast_to(True if remain is None else np.asarray(remain), p.shape)
    size = members.sum(axis=-1, keepdims=True)
    tested = members & ~np.isnan(p)
    # Untested members come last (their p is 1 at best), strangers behind them.
    keys = np.where(tested, p, np.where(members, 2.0, 3.0))
    order = np.argsort(keys, axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1, kind="stable")
    steps = np.maximum(size - np.arange(p.shape[-1]), 0)
    climbing = np.maximum.accumulate(np.take_along_axis(keys, order, axis=-1) * steps, axis=-1)
    adjusted = np.minimum(np.take_along_axis(climbing, rank, axis=-1), 1.0)
    return np.where(tested, adjusted, np.nan), rank, size
