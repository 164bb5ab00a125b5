"""Several data sets, several studies: what holds over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Bools, Floats, Ints
from ablation.stats.critical import t_quantile
from ablation.stats.families import holm
from ablation.stats.paired import moments

FEWEST_SETS: Final = 5
"""Data sets from which a mean over them is estimated."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Holding:
    """In how many data sets a claim holds at least, ``[..., arm]``."""

    above: Ints
    """Sets with an effect above 0."""
    below: Ints
    """Sets with an effect below 0."""
    within: Ints
    """Sets with an effect within the margin."""


def holding_sets(
    above: ArrayLike,
    below: ArrayLike,
    within: ArrayLike,
    *,
    comparisons: ArrayLike,
    alpha: float = 0.05,
) -> Holding:
    """Returns the least number of data sets in which each claim holds, over all arms at once.

    Partial conjunction (Benjamini & Heller, "Screening for partial conjunction hypotheses",
    2008; Dror et al., "Replicability analysis for natural language processing", 2017) at
    alpha over twice the arms for the two directions, which are both asked (at alpha over the
    arms .088-.098 of families hold a false count), and at alpha over the arms for equivalence.
    The data sets may depend on each other.

    Args:
        above: One-sided p values ``[..., set, arm]``, 1 where nothing was tested; of a study
            with looks, those of `Walk.spent`.
        below: Those of the other direction.
        within: Those of equivalence.
        comparisons: Arms besides the baseline.
        alpha: Error rate of each family.
    """
    arms = np.asarray(comparisons)
    return Holding(
        above=partial_conjunction(above, alpha / (2 * arms)),
        below=partial_conjunction(below, alpha / (2 * arms)),
        within=partial_conjunction(within, alpha / arms),
    )


def partial_conjunction(p: ArrayLike, alpha: ArrayLike) -> Ints:
    r"""Returns the largest u for which "at least u of the sets" is shown, ``[..., arm]``.

    .. math:: p(u) = \max_{j \le u} (k - j + 1)\, p_{(j)}

    Args:
        p: One-sided p values ``[..., set, arm]``; NaN counts as 1.
        alpha: Level, ``[..., arm]``.
    """
    table = np.sort(np.nan_to_num(np.asarray(p, dtype=np.float64), nan=1.0), axis=-2)
    left = np.arange(table.shape[-2], 0, -1)[:, None]
    climbing = np.maximum.accumulate(left * table, axis=-2)
    level = np.asarray(alpha)
    level = level[..., None, :] if level.ndim else level
    return np.asarray((climbing <= level).sum(axis=-2))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SetMean:
    """The mean effect over data sets taken as a sample, ``[...]``; NaN below five sets."""

    mean: Floats
    """Mean effect over all such data sets."""
    low: Floats
    """Lower end of Hartung & Knapp's 95 % interval of it."""
    high: Floats
    """Upper end."""
    new_low: Floats
    """Lower end of the 95 % prediction interval for the effect in a new data set."""
    new_high: Floats
    """Upper end."""
    deviation: Floats
    """Standard deviation of the true effect between data sets."""
    sets: Ints
    """Data sets with an effect and a standard error."""


def mean_over_sets(effect: ArrayLike, standard_error: ArrayLike) -> SetMean:
    """Returns the random-effects mean over data sets, with what a new one may show.

    Hartung and Knapp's interval ("A refined method for the meta-analysis of controlled clinical
    trials", 2001) with k - 1 degrees of freedom and equal weights: weights by standard errors
    from a few seeds are noise themselves, and take the coverage of the mean to .931 and that of
    a new set to .875. The prediction interval is that for the effect which a new set of the same
    number of seeds will show, so it covers the true effect there too.

    Args:
        effect: Effect in each data set, ``[..., set]``, in units that the sets share.
        standard_error: Its standard error; where it is NaN the set is left out.
    """
    y, error = np.broadcast_arrays(
        np.asarray(effect, dtype=np.float64), np.asarray(standard_error, dtype=np.float64)
    )
    counted = np.isfinite(y) & np.isfinite(error)
    k = counted.sum(axis=-1)
    enough = k >= FEWEST_SETS
    mean, spread = moments(np.where(counted, y, 0.0), counted)
    own = np.sum(error**2, axis=-1, where=counted) / np.maximum(k, 1)
    critical = t_quantile(0.025, np.maximum(k - 1, 1))
    half = critical * spread / np.sqrt(np.maximum(k, 1))
    reach = critical * spread * np.sqrt(1 + 1 / np.maximum(k, 1))
    between = np.sqrt(np.maximum(spread**2 - own, 0.0))
    columns = (mean, mean - half, mean + half, mean - reach, mean + reach, between)
    names = ("mean", "low", "high", "new_low", "new_high", "deviation")
    shown = {
        name: np.where(enough, column, np.nan) for name, column in zip(names, columns, strict=True)
    }
    return SetMean(sets=np.asarray(k), **shown)


def surviving(families: Sequence[ArrayLike], *, alpha: float = 0.05) -> list[Bools]:
    """Returns which claims of many families survive Holm over all of them together.

    Args:
        families: p values of each family, ``[comparison]``: of studies with looks those of
            `Walk.spent`, in which a claim from look j enters with p times alpha over alpha_j.
            NaN counts as 1, in the size too.
        alpha: Error rate of all families together.
    """
    columns = [np.asarray(family, dtype=np.float64).reshape(-1) for family in families]
    if not columns:
        return []
    kept = holm(np.nan_to_num(np.concatenate(columns), nan=1.0)) <= alpha
    return np.split(kept, np.cumsum([column.size for column in columns])[:-1])


def any_false(families: int, *, alpha: float = 0.05) -> tuple[float, float]:
    """Returns the rate of any false claim over families that each allow alpha.

    Returns:
        The rate where the families are independent, and the most it can be.
    """
    return 1 - (1 - alpha) ** families, min(families * alpha, 1.0)
