"""Questions about factors: the trend of an ordered one, the effects of crossed ones."""

from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Bools, Floats, Ints
from ablation.stats.blocks import Blocks, complete_blocks
from ablation.stats.critical import Critical, difference_p
from ablation.stats.families import holm_family
from ablation.stats.paired import error_of, moments
from ablation.stats.rule import FEWEST_SEEDS

_POINTWISE_TAIL: Final = 0.025


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """The mean slope of the metric over a factor's levels, ``[...]``."""

    slope: Floats
    """Change of the metric per unit of the level, or per tenfold of it on the log scale."""
    standard_error: Floats
    """Its standard error over seeds; NaN where every seed has one slope."""
    low: Floats
    """Lower end of the two-sided 95 % interval."""
    high: Floats
    """Upper end of the two-sided 95 % interval."""
    p: Floats
    """Two-sided p value; NaN below three seeds."""
    n: Ints
    """Complete blocks."""
    used: Bools
    """Levels in the fit, ``[arm]``: on the log scale a level of 0 is left out."""


def trend(
    values: ArrayLike,
    levels: ArrayLike,
    *,
    log: bool = False,
    quantum: float = 0.0,
    status: ArrayLike | None = None,
    floor: ArrayLike | None = None,
    scores: ArrayLike | None = None,
) -> Trend:
    """Fits a least-squares slope in each seed, and asks whether their mean is 0.

    Args:
        values: Metric ``[..., arm, seed]``, the baseline among the arms.
        levels: The factor's level of each arm, ``[arm]``.
        log: Whether the slope is on the decimal logarithm of the level.
        quantum: Step of the metric, which bounds the spread of a slope from below.
        status: As in `verdicts`.
        floor: As in `verdicts`.
        scores: As in `verdicts`: the slope is then taken example by example, and the trend is
            about new examples too.

    Raises:
        ValueError: If the levels are not one finite number per arm, fewer than two of them
            differ, or one is negative on the log scale.
    """
    blocks = complete_blocks(values, status, floor, scores)
    at, used = _positions(np.asarray(levels, dtype=np.float64), blocks.scores.shape[-2], log)
    centred = np.where(used, at - at[used].mean(), 0.0)
    weights = centred / np.sum(centred**2)
    cells = _estimate(blocks, weights[None], quantum)
    return Trend(
        slope=cells.mean[..., 0],
        standard_error=cells.error[..., 0],
        low=cells.low[..., 0],
        high=cells.high[..., 0],
        p=cells.p[..., 0],
        n=blocks.n[..., 0],
        used=used,
    )


def _positions(levels: Floats, arms: int, log: bool) -> tuple[Floats, Bools]:
    """Returns each level's position on the scale of the fit, and which levels have one."""
    if levels.shape != (arms,) or not np.isfinite(levels).all():
        raise ValueError(
            f"levels must be one finite number per arm, {arms} in all; got {levels.tolist()}."
        )
    if log and (levels < 0).any():
        raise ValueError(
            f"levels must not be negative on a log scale; got {levels.tolist()}. Pass log=False."
        )
    used = levels > 0 if log else np.ones(arms, dtype=np.bool_)
    at = np.log10(np.where(used, levels, 1.0)) if log else levels
    if np.unique(at[used]).size < 2:  # noqa: PLR2004 - two of each, the least that varies
        raise ValueError(
            f"a trend needs two different levels{' above 0' if log else ''}; "
            f"got {levels.tolist()}."
        )
    return at, used


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The means of some contrasts, each one number per seed, ``[..., cell]``."""

    mean: Floats
    error: Floats
    critical: Critical
    low: Floats
    high: Floats
    p: Floats


def _estimate(blocks: Blocks, weights: Floats, quantum: float) -> _Cells:
    """Estimates contrasts, each a sum of the runs of a block with the weights ``[cell, arm]``.

    A spread within float rounding is none; rounding to the quantum puts a variance of q^2/12
    into each run, hence q^2/12 times the squared weights into the sum.
    """
    mean, seen = moments(_contrasts(blocks.scores, weights), blocks.kept)
    sizes = np.abs(weights).sum(axis=-1)
    seen = np.where(seen <= blocks.rounding * sizes, 0.0, seen)
    fixed, example_df = _by_example(blocks, weights, mean.shape)
    least = quantum**2 * np.sum(weights**2, axis=-1) / 12
    spread = np.sqrt(np.maximum(seen**2, least - blocks.n * fixed))
    known = ((spread > 0) | (fixed > 0)) & ~blocks.are_copies
    error, critical = error_of(np.where(known, spread, np.nan), blocks.n, fixed, example_df)
    half = critical.quantile(_POINTWISE_TAIL) * error
    p = difference_p(mean, np.where(blocks.n >= FEWEST_SEEDS, error, np.nan), critical)
    return _Cells(mean, error, critical, mean - half, mean + half, p)


def _contrasts(scores: Floats, weights: Floats) -> Floats:
    """Returns the weighted sums of arms ``[..., cell, seed]``; weight 0 hides a NaN."""
    cells = [
        sum(weight * scores[..., arm, :] for arm, weight in enumerate(row) if weight)
        for row in weights
    ]
    return np.stack(np.broadcast_arrays(*cells), axis=-2)


def _by_example(blocks: Blocks, weights: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Returns each contrast's variance over examples, and its degrees of freedom."""
    examples = blocks.examples
    if examples is None:
        return np.zeros(shape), np.ones(shape)
    kept = blocks.kept[..., 0, :]
    parts = [examples.fixed_variance(row, kept, blocks.failed) for row in weights]
    return np.stack(parts, axis=-1), np.full(shape, examples.size - 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Weighted sums of arms, each one number per seed, judged as one family: ``[..., cell]``."""

    effect: Floats
    """Mean of the sums over the seeds."""
    standard_error: Floats
    """Its standard error over seeds."""
    low: Floats
    """Lower end of the pointwise 95 % interval."""
    high: Floats
    """Upper end of the pointwise 95 % interval."""
    adjusted_low: Floats
    """Lower end of the interval that agrees with Holm at alpha."""
    adjusted_high: Floats
    """Upper end of the interval that agrees with Holm."""
    p: Floats
    """Two-sided p value, adjusted by Holm over all cells."""
    n: Ints
    """Complete blocks, ``[...]``."""


def contrasts(
    values: ArrayLike,
    weights: ArrayLike,
    *,
    quantum: float = 0.0,
    status: ArrayLike | None = None,
    floor: ArrayLike | None = None,
    scores: ArrayLike | None = None,
    alpha: float = 0.05,
) -> Contrasts:
    """Returns weighted sums of arms, such as the main effects of a factorial, as one family.

    Args:
        values: Metric ``[..., arm, seed]``.
        weights: Weight of each arm in each sum, ``[cell, arm]``.
        quantum: Step of the metric.
        status: As in `verdicts`.
        floor: As in `verdicts`.
        scores: As in `verdicts`: the sums are then taken example by example, and are about new
            examples too.
        alpha: Error rate of the family of cells.
    """
    blocks = complete_blocks(values, status, floor, scores)
    cells = _estimate(blocks, np.asarray(weights, dtype=np.float64), quantum)
    family = holm_family(cells.p, alpha=alpha)
    half = cells.critical.quantile(alpha / (2 * family.divisor)) * cells.error
    return Contrasts(
        effect=cells.mean,
        standard_error=cells.error,
        low=cells.low,
        high=cells.high,
        adjusted_low=cells.mean - half,
        adjusted_high=cells.mean + half,
        p=family.adjusted,
        n=blocks.n[..., 0],
    )


def factorial_weights(
    cells: ArrayLike, pairs: bool = False
) -> tuple[list[tuple[int, ...]], Floats]:
    """Returns the contrasts of arms that combine the levels of factors, level 0 the baseline's.

    A main effect is the mean over the arms at a level less that over those at level 0; an
    interaction of two levels is the difference of two such differences, the other factors
    averaged over.

    Args:
        cells: The place of each factor's level in each arm, ``[arm, factor]``; every pair of
            levels of two factors occurs, in equally many arms.
        pairs: Whether interactions are wanted, not main effects.

    Returns:
        Factor and level of each contrast (of both factors for an interaction), and the weights
        ``[cell, arm]``.
    """
    table = np.asarray(cells)
    shares = [
        [_share(table[:, factor] == level) for level in range(table[:, factor].max() + 1)]
        for factor in range(table.shape[1])
    ]
    if not pairs:
        found = {
            (factor, level): of[level] - of[0]
            for factor, of in enumerate(shares)
            for level in range(1, len(of))
        }
        return list(found), np.array(list(found.values()))
    both: dict[tuple[int, ...], Floats] = {}
    for one, two in combinations(range(len(shares)), 2):
        for first, second in product(range(1, len(shares[one])), range(1, len(shares[two]))):
            signed = ((first, second, 1), (0, 0, 1), (first, 0, -1), (0, second, -1))
            both[one, first, two, second] = sum(
                (
                    sign * _share((table[:, one] == i) & (table[:, two] == j))
                    for i, j, sign in signed
                ),
                np.zeros(len(table)),
            )
    return list(both), np.array(list(both.values()))


def _share(chosen: Bools) -> Floats:
    """Returns the weights of a mean over some arms."""
    return np.asarray(chosen / max(chosen.sum(), 1), dtype=np.float64)
