"""Variance components: arms, seeds and the rest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Floats
from ablation.stats.blocks import complete_blocks


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
