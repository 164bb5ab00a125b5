"""Failure rates: exact bounds on how often an arm fails, and whether it fails more often."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats import special
from ablation.stats.arrays import Bools, Floats, Ints


def clopper_pearson(
    failed: ArrayLike, n: ArrayLike, *, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Returns the exact two-sided interval of a rate seen as `failed` of `n`.

    Clopper & Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", 1934. Where n is 0 the interval is [0, 1].
    """
    one_sided = (1 + level) / 2
    return _lower(failed, n, one_sided), clopper_pearson_upper(failed, n, level=one_sided)


def clopper_pearson_upper(failed: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Floats:
    """Returns the exact one-sided upper bound of a rate seen as `failed` of `n`.

    Without any failure in 5 runs it is 0.45: few seeds say little about rare failures.

    Raises:
        ValueError: If there are more failures than runs, or fewer than none.
    """
    k, runs = _counts(failed, n)
    rest = np.maximum(runs - k, 1)  # the bound is 1 where nothing is left
    bound = special.betaincinv(k + 1, rest, level)
    return np.where(k < runs, bound, 1.0)


def _lower(failed: ArrayLike, n: ArrayLike, level: float) -> Floats:
    k, runs = _counts(failed, n)
    bound = special.betaincinv(np.maximum(k, 1), runs - k + 1, 1 - level)
    return np.where(k > 0, bound, 0.0)


def _counts(failed: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    k, runs = np.asarray(failed, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if (k < 0).any() or (k > runs).any():
        raise ValueError(
            f"failed must be between 0 and n; got {k} of {runs}. Count both on the same runs."
        )
    return k, runs


def sign_test(more: ArrayLike, less: ArrayLike) -> Floats:
    """Returns the exact two-sided p value of the sign test, 1 where nothing differs.

    With failures: the seeds on which only the arm failed against those on which only the
    baseline did. Seeds on which both or neither failed carry no sign (McNemar 1947).
    """
    more, less = np.asarray(more), np.asarray(less)
    tail = special.bdtr(np.minimum(more, less), more + less, 0.5)
    return np.asarray(np.minimum(2 * tail, 1.0), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Failures:
    """Failures of each arm on the complete blocks, ``[..., arm]``."""

    failed: Ints
    """Failed runs."""
    arm_alone: Ints
    """Seeds on which the arm failed and the baseline did not."""
    baseline_alone: Ints
    """Seeds on which the baseline failed and the arm did not."""
    p: Floats
    """Sign test of the two counts above, times the size of the family (Bonferroni)."""


def count_failures(failed: Bools, kept: Bools, family: Bools) -> Failures:
    """Counts failures against the baseline's, arm 0.

    Args:
        failed: Failed runs ``[..., arm, seed]``.
        kept: Whether a run counts, broadcastable to them.
        family: Arms in the family, ``[..., arm]``.
    """
    baseline = failed[..., :1, :] & kept
    arm_alone = (failed & ~baseline).sum(axis=-1)
    baseline_alone = (baseline & ~failed).sum(axis=-1)
    size = np.maximum(family.sum(axis=-1, keepdims=True), 1)
    return Failures(
        failed=failed.sum(axis=-1),
        arm_alone=arm_alone,
        baseline_alone=baseline_alone,
        p=np.minimum(sign_test(arm_alone, baseline_alone) * size, 1.0),
    )
