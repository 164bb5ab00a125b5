"""Questions about factors: the trend of an ordered one, the interaction of two crossed ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Bools, Floats, Ints
from ablation.stats.blocks import Blocks, complete_blocks
from ablation.stats.families import holm_family
from ablation.stats.paired import interval, moments, paired_t
from ablation.stats.rule import FEWEST_SEEDS


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
    floor: float | None = None,
) -> Trend:
    """Fits a least-squares slope in each seed, and asks whether their mean is 0.

    Args:
        values: Metric ``[..., arm, seed]``, the baseline among the arms.
        levels: The factor's level of each arm, ``[arm]``.
        log: Whether the slope is on the decimal logarithm of the level.
        quantum: Step of the metric, which bounds the spread of a slope from below.
        status: As in `verdicts`.
        floor: As in `verdicts`.

    Raises:
        ValueError: If the levels are not one finite number per arm, fewer than two of them
            differ, or one is negative on the log scale.
    """
    blocks = complete_blocks(values, status, floor)
    at, used = _positions(np.asarray(levels, dtype=np.float64), blocks.scores.shape[-2], log)
    centred = np.where(used, at - at[used].mean(), 0.0)
    weights = centred / np.sum(centred**2)
    slopes = np.einsum("a,...as->...s", weights[used], blocks.scores[..., used, :])
    cells = _estimate(slopes[..., None, :], blocks, quantum, weights)
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
    """Returns where each level stands on the scale of the fit, and which stand on it."""
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
    df: Floats
    low: Floats
    high: Floats
    p: Floats


def _estimate(contrasts: Floats, blocks: Blocks, quantum: float, weights: Floats) -> _Cells:
    """Estimates contrasts ``[..., cell, seed]``, each a weighted sum of the runs of a block.

    A spread within float rounding is none; rounding to the quantum puts a variance of q^2/12
    into each run, hence q^2/12 times the squared weights into the sum.
    """
    mean, seen = moments(contrasts, blocks.kept)
    seen = np.where(seen <= blocks.rounding * np.abs(weights).sum(), 0.0, seen)
    spread = np.maximum(seen, quantum * np.sqrt(np.sum(weights**2) / 12))
    spread = np.where((spread > 0) & ~blocks.are_copies, spread, np.nan)
    error, df = spread / np.sqrt(np.maximum(blocks.n, 1)), np.maximum(blocks.n - 1.0, 1.0)
    low, high = interval(mean, error, df, 0.025)
    p = np.where(blocks.n >= FEWEST_SEEDS, paired_t(mean, error, df), np.nan)
    return _Cells(mean, error, df, low, high, p)


@dataclass(frozen=True, slots=True, eq=False)
class Interaction:
    """Differences of differences ``[..., first, second]``, first levels left out of both."""

    effect: Floats
    """What the two levels do together beyond the sum of what each does alone."""
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


def interaction(
    values: ArrayLike,
    *,
    quantum: float = 0.0,
    status: ArrayLike | None = None,
    floor: float | None = None,
    alpha: float = 0.05,
) -> Interaction:
    """Returns the interaction contrasts of two crossed factors, level 0 the baseline of each.

    Args:
        values: Metric ``[..., first, second, seed]``.
        quantum: Step of the metric.
        status: `Status` of each run, of the shape of values.
        floor: As in `verdicts`.
        alpha: Error rate of the family of cells.

    Raises:
        ValueError: If a factor has fewer than two levels, or as `verdicts` does.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim < 3 or min(table.shape[-3:-1]) < 2:  # noqa: PLR2004 - two of each, the least that varies
        raise ValueError(
            "values must be [..., first, second, seed] with two levels or more of each factor; "
            f"got shape {table.shape}."
        )
    *leading, first, second, seeds = table.shape
    arms = (*leading, first * second, seeds)
    states = None if status is None else np.asarray(status).reshape(arms)
    blocks = complete_blocks(table.reshape(arms), states, floor)
    scores = blocks.scores.reshape(table.shape)
    alone = scores[..., 1:, :1, :] + scores[..., :1, 1:, :] - scores[..., :1, :1, :]
    contrasts = (scores[..., 1:, 1:, :] - alone).reshape(*leading, -1, seeds)
    cells = _estimate(contrasts, blocks, quantum, np.array([1.0, -1.0, -1.0, 1.0]))
    family = holm_family(cells.p, alpha=alpha)
    adjusted = interval(cells.mean, cells.error, cells.df, alpha / (2 * family.divisor))
    shape = (*leading, first - 1, second - 1)
    return Interaction(
        effect=cells.mean.reshape(shape),
        standard_error=cells.error.reshape(shape),
        low=cells.low.reshape(shape),
        high=cells.high.reshape(shape),
        adjusted_low=adjusted[0].reshape(shape),
        adjusted_high=adjusted[1].reshape(shape),
        p=family.adjusted.reshape(shape),
        n=blocks.n[..., 0],
    )
