"""Paired differences: effects, spreads, the paired t, the two one-sided tests, intervals.

Everything here works on arrays of any leading shape, one Student statistic per element.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ablation.stats.blocks import Blocks, Bools, Floats, Ints


def t_quantile(tail: ArrayLike, df: ArrayLike) -> Floats:
    """Returns the point of Student's t that is exceeded with probability `tail`."""
    # The lower tail, mirrored: 1 - tail would lose the digits of a small tail.
    df, tail = np.asarray(df, dtype=np.float64), np.asarray(tail, dtype=np.float64)
    return np.asarray(-special.stdtrit(df, tail), dtype=np.float64)


def paired_t(effect: ArrayLike, standard_error: ArrayLike, df: ArrayLike) -> Floats:
    """Returns the two-sided p value of a mean difference, Student's t.

    Args:
        effect: Mean difference, in units of the metric.
        standard_error: Its standard error, above zero; NaN gives NaN.
        df: Degrees of freedom, the number of pairs less one.
    """
    t = np.abs(effect) / np.asarray(standard_error)
    return np.asarray(2 * special.stdtr(df, -t), dtype=np.float64)


def tost(effect: ArrayLike, standard_error: ArrayLike, df: ArrayLike, margin: ArrayLike) -> Floats:
    r"""Returns the p value for equivalence: the larger of two one-sided tests.

    .. math:: p = P\left(T_{df} \ge (\delta - |d|) / se\right)

    Schuirmann, "A comparison of the two one-sided tests procedure and the power approach",
    1987; Lakens, "Equivalence tests", 2017.

    Args:
        effect: Mean difference, in units of the metric.
        standard_error: Its standard error, above zero; NaN gives NaN.
        df: Degrees of freedom, the number of pairs less one.
        margin: Smallest effect anybody would act on, in units of the metric.
    """
    t = (np.abs(effect) - np.asarray(margin)) / np.asarray(standard_error)
    return np.asarray(special.stdtr(df, t), dtype=np.float64)


def interval(
    effect: ArrayLike, standard_error: ArrayLike, df: ArrayLike, tail: ArrayLike
) -> tuple[Floats, Floats]:
    """Returns the two-sided t interval that leaves `tail` on either side."""
    half = t_quantile(tail, df) * np.asarray(standard_error)
    return np.asarray(effect - half), np.asarray(effect + half)


def moments(sample: Floats, kept: Bools | None = None) -> tuple[Floats, Floats]:
    """Returns mean and standard deviation (n - 1) over the last axis.

    Args:
        sample: Values ``[..., n]``.
        kept: Which of them count, broadcastable to the sample; all where None.

    Returns:
        Both ``[...]``; NaN where too few values count.
    """
    counted = np.ones(sample.shape[-1:], dtype=np.bool_) if kept is None else kept
    n = counted.sum(axis=-1)
    mean = np.where(n > 0, _sum(sample, counted) / np.maximum(n, 1), np.nan)
    squares = _sum((sample - mean[..., None]) ** 2, counted)
    deviation = np.sqrt(squares / np.maximum(n - 1, 1))
    return mean, np.where(n > 1, deviation, np.nan)


def _sum(sample: Floats, counted: Bools) -> Floats:
    return np.asarray(np.sum(sample, axis=-1, where=counted), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """What the complete blocks say about each arm against the baseline, ``[..., arm]``."""

    n: Ints
    """Number of complete blocks."""
    mean: Floats
    """Mean of the arm's own values."""
    effect: Floats
    """Mean of the differences from the baseline."""
    spread: Floats
    """Standard deviation of the differences, not below what the quantum allows; NaN where none
    is known: fewer than two blocks, an undefined failure, or one difference on all seeds."""
    rho: Floats
    """Pairing gain: 1 - var(difference) / (var(arm) + var(baseline))."""
    wins: Ints
    """Seeds on which the arm is above the baseline."""
    ties: Ints
    """Seeds on which both are equal."""
    losses: Ints
    """Seeds on which the arm is below the baseline."""


def compare(blocks: Blocks, quantum: float = 0.0) -> Paired:
    """Returns the paired comparison of every arm with the baseline, arm 0.

    Args:
        blocks: Complete blocks.
        quantum: Step of the metric (one over the test size for accuracy). A rounded value is
            off by up to half a step, with variance q^2/12; a difference holds two of them, so
            no spread is taken to be below q/sqrt(6).
    """
    differences = blocks.scores - blocks.scores[..., :1, :]
    mean, own_spread = moments(blocks.scores, blocks.kept)
    effect, seen = moments(differences, blocks.kept)
    seen = np.where(seen <= blocks.rounding, 0.0, seen)
    spread = np.maximum(seen, quantum / np.sqrt(6))
    return Paired(
        n=np.broadcast_to(blocks.n, effect.shape).copy(),
        mean=mean,
        effect=effect,
        spread=np.where(spread > 0, spread, np.nan),
        rho=_pairing_gain(seen, own_spread),
        wins=np.sum(differences > 0, axis=-1, where=blocks.kept),
        ties=np.sum(differences == 0, axis=-1, where=blocks.kept),
        losses=np.sum(differences < 0, axis=-1, where=blocks.kept),
    )


def _pairing_gain(spread: Floats, own_spread: Floats) -> Floats:
    unpaired = own_spread**2 + own_spread[..., :1] ** 2
    known = (unpaired > 0) & (np.arange(unpaired.shape[-1]) > 0)
    return np.where(known, 1 - spread**2 / np.where(known, unpaired, 1.0), np.nan)
