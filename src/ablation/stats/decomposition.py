"""Variance components: arms, seeds, the rest, and the examples of the test split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Floats
from ablation.stats.blocks import complete_blocks
from ablation.stats.crossed import fixed_variance
from ablation.stats.paired import error_of, moments


@dataclass(frozen=True, slots=True, eq=False)
class VarianceSplit:
    """Variance components of the metric, ``[...]``, in squared units of it, 0 at least."""

    arm: Floats
    """Variance between arms: its root is what choosing the arm moves."""
    seed: Floats
    """Variance between seeds, common to all arms: what pairing removes."""
    residual: Floats
    """What is left: how differently the arms take a seed."""

    @property
    def arm_deviation(self) -> Floats:
        """The deviation between arms, in units of the metric."""
        return np.sqrt(self.arm)

    @property
    def seed_deviation(self) -> Floats:
        """The deviation between runs of one arm, in units of the metric."""
        return np.sqrt(self.seed + self.residual)


def variance_split(
    values: ArrayLike, *, status: ArrayLike | None = None, floor: float | None = None
) -> VarianceSplit:
    r"""Splits the variance of a balanced two-way layout in closed form.

    .. math:: \hat\sigma^2_{arm} = (MS_{arm} - MS_e)/n,
        \quad \hat\sigma^2_{seed} = (MS_{seed} - MS_e)/k, \quad \hat\sigma^2_e = MS_e

    A negative estimate is 0. With fewer than two complete blocks, or an undefined failure, all
    are NaN.

    Args:
        values: Metric ``[..., arm, seed]``, the baseline among the arms.
        status: As in `verdicts`; incomplete blocks are left out.
        floor: As in `verdicts`.
    """
    blocks = complete_blocks(values, status, floor)
    k, n = blocks.scores.shape[-2], blocks.n[..., None]
    known = n > 1
    runs = np.where(known, n, 2)
    centred = np.where(blocks.kept, blocks.scores - _over(blocks.scores, (-2, -1), k * runs), 0.0)
    arms, seeds = _over(centred, -1, runs), _over(centred, -2, k)
    rest = np.where(blocks.kept, centred - arms - seeds, 0.0)
    error = _over(rest**2, (-2, -1), (k - 1) * (runs - 1))
    by_arm = (runs * _over(arms**2, -2, k - 1) - error) / runs
    by_seed = (k * _over(seeds**2, -1, runs - 1) - error) / k
    parts = (np.where(known, np.maximum(p, 0.0), np.nan) for p in (by_arm, by_seed, error))
    return VarianceSplit(*(part[..., 0, 0] for part in parts))


def _over(part: Floats, axis: int | tuple[int, ...], divisor: ArrayLike) -> Floats:
    """Returns the sum over axes, which stay as 1, through a divisor."""
    return np.asarray(part.sum(axis=axis, keepdims=True) / divisor)


@dataclass(frozen=True, slots=True, eq=False)
class Generalisation:
    """The effect as an estimate for new seeds *and* new test examples, ``[...]``."""

    effect: Floats
    """Mean difference over seeds and examples."""
    standard_error: Floats
    """Its standard error when both are samples."""
    weight: Floats
    """Share of the seeds in the critical values; 1 below five seeds."""
    low: Floats
    """Lower end of the two-sided 95 % interval."""
    high: Floats
    """Upper end of the two-sided 95 % interval."""


def generalise(differences: ArrayLike) -> Generalisation:
    r"""Returns the effect with the test examples taken as a sample too.

    .. math:: V = (MS_s + MS_i - MS_e) / (nN)

    with Cochran's critical values (`Critical`). Seeds and examples are crossed: every seed's
    model sees every example. `verdicts` does the same for all arms where it is given scores.

    Args:
        differences: Arm less baseline in correctness (or loss), ``[..., seed, example]``.

    Raises:
        ValueError: If there are fewer than two seeds or two examples, or a value is not finite.
    """
    table = np.asarray(differences, dtype=np.float64)
    if table.ndim < 2 or min(table.shape[-2:]) < 2 or not np.isfinite(table).all():  # noqa: PLR2004 - two of each, the least that varies
        raise ValueError(
            "differences must be finite [..., seed, example] with at least two of each; got "
            f"shape {table.shape}. Leave out seeds without predictions of both arms."
        )
    n, size = table.shape[-2:]
    effect, spread = moments(table.mean(axis=-1))
    error, critical = error_of(
        spread, np.asarray(n), fixed_variance(table), np.asarray(size - 1.0)
    )
    half = critical.quantile(0.025) * np.where(error > 0, error, np.nan)
    return Generalisation(effect, error, critical.weight, effect - half, effect + half)
