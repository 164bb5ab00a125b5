"""Seeds crossed with examples: the part of a variance that more seeds cannot lower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.stats.arrays import Bools, Floats


class Sample(Protocol):
    """Test examples that a study's runs were scored on."""

    @property
    def size(self) -> int:
        """Number of examples."""

    def first(self, seeds: int | None) -> Sample:
        """Returns the scores of the first seeds."""

    def fixed_variance(self, weights: ArrayLike, kept: Bools, failed: Bools) -> Floats:
        """Returns the part of a contrast's variance that more seeds cannot lower, ``[...]``."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Per-example scores of the runs of a study."""

    scores: NDArray[Any]
    """``[..., arm, seed, example]``, booleans or floats; only finished runs are read."""
    chance: NDArray[Any]
    """Scores of a failed run: one per example, or one number for all."""

    @property
    def size(self) -> int:
        """Number of examples."""
        return int(self.scores.shape[-1])

    def first(self, seeds: int | None) -> Examples:
        """Returns the scores of the first seeds."""
        return Examples(self.scores[..., :seeds, :], self.chance)

    def fixed_variance(self, weights: ArrayLike, kept: Bools, failed: Bools) -> Floats:
        """Returns `fixed_variance` of a weighted sum of arms, taken example by example, ``[...]``.

        Args:
            weights: Weight of each arm ``[arm]``; arms of weight 0 are not read.
            kept: Whether the block counts, ``[..., seed]``.
            failed: Failed runs ``[..., arm, seed]``.
        """
        parts = (
            weight * self._floored(arm, failed)
            for arm, weight in enumerate(np.asarray(weights))
            if weight
        )
        return fixed_variance(sum(parts), kept)

    def _floored(self, arm: int, failed: Bools) -> NDArray[Any]:
        """Returns an arm's scores ``[..., seed, example]``, failed runs at the floor.

        Small whole numbers are exact in single precision and take half the time.
        """
        scores = self.scores[..., arm, :, :]
        is_whole = scores.dtype == np.bool_ and self.chance.dtype == np.bool_
        kind = np.float32 if is_whole else np.float64
        fallen = failed[..., arm, :, None]
        if not fallen.any():
            return scores.astype(kind)
        return np.where(fallen, self.chance.astype(kind), scores.astype(kind))


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Examples of which only the spread is known, as a plan knows them."""

    size: int
    """Number of examples."""
    deviation: float
    """Standard deviation over examples of the mean difference."""

    def first(self, seeds: int | None) -> Known:
        """Returns the same examples."""
        return self

    def fixed_variance(self, weights: ArrayLike, kept: Bools, failed: Bools) -> Floats:
        """Returns the variance of a mean difference over so many examples, ``[...]``."""
        return np.full(kept.shape[:-1], self.deviation**2 / self.size)


def check_examples(
    values: Floats, finished: Bools, scores: ArrayLike, chance: ArrayLike
) -> Examples:
    """Returns per-example scores once they fit the metric.

    Args:
        values: Metric ``[..., arm, seed]``.
        finished: Runs that finished, of the same shape.
        scores: Scores ``[..., arm, seed, example]``.
        chance: Scores of a failed run.

    Raises:
        ValueError: On another shape, fewer than two examples, or scores whose mean is not the
            metric.
    """
    table, floor = np.asarray(scores), np.asarray(chance)
    if table.shape[:-1] != values.shape or table.shape[-1] < 2:  # noqa: PLR2004 - a spread needs two
        raise ValueError(
            f"scores must be [..., arm, seed, example] over values {values.shape} with two "
            f"examples or more; got {table.shape}. Pass None where some run has no scores."
        )
    if floor.ndim and floor.shape != table.shape[-1:]:
        raise ValueError(
            f"a floor by example must have one score for each of {table.shape[-1]}; got "
            f"{floor.shape}. Pass those of the chance classifier, or one number."
        )
    gap = np.abs(np.where(finished, table.mean(axis=-1) - values, 0.0))
    if (gap > 1e-6 * np.maximum(np.abs(np.where(finished, values, 0.0)), 1.0)).any():
        at = [int(i) for i in np.unravel_index(np.argmax(gap), gap.shape)]
        raise ValueError(
            f"the mean of a finished run's scores must be its value to 1e-6; run {at} is off by "
            f"{gap.max():.3g}. Pass scores=None for a metric that is no mean over examples."
        )
    return Examples(table, floor)


def fixed_variance(table: ArrayLike, kept: Bools | None = None) -> Floats:
    r"""Returns the part of the variance of a crossed mean that more seeds cannot lower.

    .. math:: (MS_i - MS_e) / (nN)

    of the whole, (MS_s + MS_i - MS_e) / (nN), with the mean squares of seeds, examples and
    error (Cornfield & Tukey, "Average values of mean squares in factorials", 1956). In
    expectation that of the error is the smallest of the three; where by luck it is not, it is
    taken at the smaller of the others.

    Args:
        table: Contrast of runs ``[..., seed, example]``, in units of the metric.
        kept: Whether a seed counts, ``[..., seed]``; all where None.

    Returns:
        One number ``[...]``, in squared units of the metric; 0 below two seeds.
    """
    d = np.asarray(table)
    rows = d.sum(axis=-1, dtype=np.float64)
    counted = np.ones(rows.shape, np.bool_) if kept is None else np.broadcast_to(kept, rows.shape)
    if not counted.all():
        d = np.where(counted[..., None], d, d.dtype.type(0))
        rows = np.where(counted, rows, 0.0)
    size = d.shape[-1]
    runs = np.maximum(counted.sum(axis=-1), 2)
    columns = d.sum(axis=-2).astype(np.float64)
    squares = np.einsum("...si,...si->...", d, d).astype(np.float64)
    common = rows.sum(axis=-1) ** 2 / (runs * size)
    by_seed = np.maximum((rows**2).sum(axis=-1) / size - common, 0.0)
    by_example = np.maximum((columns**2).sum(axis=-1) / runs - common, 0.0)
    error = np.maximum(squares - common - by_seed - by_example, 0.0)
    mean_square = by_example / (size - 1)
    error = np.minimum(error / ((runs - 1) * (size - 1)), mean_square)
    error = np.minimum(error, by_seed / (runs - 1))
    few = counted.sum(axis=-1) < 2  # noqa: PLR2004 - no error from one seed
    return np.where(few, 0.0, (mean_square - error) / (runs * size))
