"""Paired differences: effects, spreads, standard errors, intervals.

Everything here works on arrays of any leading shape, one Student statistic per element.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Bools, Floats, Ints
from ablation.stats.blocks import Blocks
from ablation.stats.critical import MIXED_FROM, Critical, t_quantile


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
    """Paired comparisons of each arm with the baseline over complete blocks, ``[..., arm]``."""

    n: Ints
    """Number of complete blocks."""
    mean: Floats
    """Mean of the arm's own values."""
    effect: Floats
    """Mean of the differences from the baseline."""
    spread: Floats
    """Standard deviation of the differences over seeds, not below what the quantum allows; NaN
    where no error is known."""
    fixed: Floats
    """Part of the variance of the effect that more seeds cannot lower; 0 where the examples are
    fixed."""
    example_df: Floats
    """Number of examples less one; 1 where the examples are fixed."""
    rho: Floats
    """Pairing gain: 1 - var(difference) / (var(arm) + var(baseline))."""
    wins: Ints
    """Seeds on which the arm is above the baseline."""
    ties: Ints
    """Seeds on which both are equal."""
    losses: Ints
    """Seeds on which the arm is below the baseline."""


def compare(blocks: Blocks, quantum: float = 0.0, asked: Bools | None = None) -> Paired:
    """Returns the paired comparison of every arm with the baseline, arm 0.

    Args:
        blocks: Complete blocks.
        quantum: Step of the metric (one over the test size for accuracy). A rounded value is
            off by up to half a step, with variance q^2/12; a difference holds two of them, so
            no variance of an effect is taken to be below q^2/(6n).
        asked: Arms whose examples are looked at, ``[..., arm]``; all where None.
    """
    differences = blocks.scores - blocks.scores[..., :1, :]
    mean, own_spread = moments(blocks.scores, blocks.kept)
    effect, seen = moments(differences, blocks.kept)
    seen = np.where(seen <= blocks.rounding, 0.0, seen)
    n = np.broadcast_to(blocks.n, effect.shape).copy()
    fixed, example_df = _by_example(blocks, effect.shape, asked)
    spread = np.sqrt(np.maximum(seen**2, quantum**2 / 6 - n * fixed))
    has_error = (spread > 0) | (fixed > 0)
    return Paired(
        n=n,
        mean=mean,
        effect=effect,
        spread=np.where(has_error & ~blocks.are_copies, spread, np.nan),
        fixed=fixed,
        example_df=example_df,
        rho=_pairing_gain(seen, own_spread),
        wins=np.sum(differences > 0, axis=-1, where=blocks.kept),
        ties=np.sum(differences == 0, axis=-1, where=blocks.kept),
        losses=np.sum(differences < 0, axis=-1, where=blocks.kept),
    )


def _by_example(
    blocks: Blocks, shape: tuple[int, ...], asked: Bools | None
) -> tuple[Floats, Floats]:
    """Returns each difference's variance over examples, and its degrees of freedom."""
    fixed, examples = np.zeros(shape), blocks.examples
    if examples is None:
        return fixed, np.ones(shape)
    kept = np.broadcast_to(blocks.kept, blocks.scores.shape)
    for arm in range(1, shape[-1]):
        if asked is None or asked[..., arm].any():
            weights = np.eye(shape[-1])[arm] - np.eye(shape[-1])[0]
            fixed[..., arm] = examples.fixed_variance(weights, kept[..., arm, :], blocks.failed)
    return fixed, np.full(shape, examples.size - 1.0)


def error_of(
    spread: Floats, n: Ints, fixed: Floats, example_df: Floats
) -> tuple[Floats, Critical]:
    """Returns the standard error of a mean over n seeds, and its critical values.

    Args:
        spread: Standard deviation over seeds.
        n: Number of seeds.
        fixed: Part of the mean's variance that more seeds cannot lower.
        example_df: Number of examples less one.
    """
    df = np.maximum(n - 1.0, 1.0)
    by_seed = spread**2 / (df + 1)
    variance = by_seed + fixed
    mixed = (fixed > 0) & (n >= MIXED_FROM)
    weight = np.where(mixed, by_seed / np.where(mixed, variance, 1.0), 1.0)
    return np.sqrt(variance), Critical(df=df, weight=weight, example_df=example_df)


def _pairing_gain(spread: Floats, own_spread: Floats) -> Floats:
    unpaired = own_spread**2 + own_spread[..., :1] ** 2
    known = (unpaired > 0) & (np.arange(unpaired.shape[-1]) > 0)
    return np.where(known, 1 - spread**2 / np.where(known, unpaired, 1.0), np.nan)
