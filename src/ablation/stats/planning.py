"""How many seeds: what a number of seeds can show, and how many more would decide."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ablation.stats.arrays import Floats
from ablation.stats.critical import t_quantile
from ablation.stats.rule import FEWEST_SEEDS

MOST_SEEDS: Final = 200
"""Beyond this many seeds a follow-up is not a plan: widen the margin or cut the noise."""
_LIKELY: Final = 0.8
_SIZES: Final = np.arange(FEWEST_SEEDS, MOST_SEEDS + 1)


def difference_noise(run_noise: float, *, rho: float = 0.0) -> float:
    """Returns the standard deviation of one paired difference.

    Args:
        run_noise: Standard deviation of the baseline over seeds, in units of the metric.
        rho: Pairing gain; 0 until it is measured.
    """
    return float(np.sqrt(2 * (1 - rho)) * run_noise)


def power_better(
    n: ArrayLike, *, effect: float, noise: float, comparisons: int, alpha: float = 0.05
) -> Floats:
    """Returns the probability that one real effect upwards is shown, at its share of alpha.

    The share alpha/comparisons is the first step of Holm, so this is exact for one real effect
    among null ones, up to what their false rejections free, and else a lower bound.

    Args:
        n: Number of seeds, 2 or more.
        effect: True effect, in units of the metric.
        noise: Standard deviation of one paired difference, in units of the metric.
        comparisons: Size of the family.
        alpha: Error rate of the family.
    """
    n = np.asarray(n, dtype=np.float64)
    critical = t_quantile(alpha / (2 * comparisons), n - 1)
    shift = effect / noise * np.sqrt(n)
    return np.asarray(1 - special.nctdtr(n - 1, shift, critical), dtype=np.float64)


def power_equivalent(
    n: ArrayLike,
    *,
    margin: float,
    noise: float,
    comparisons: int,
    effect: float = 0.0,
    alpha: float = 0.05,
) -> Floats:
    r"""Returns the probability that equivalence is shown, at the arm's share of alpha.

    .. math:: \int_0^{u^*} P(|d| \le \delta - t\,u\,\sigma/\sqrt n)\, f_s(u)\, du,
        \quad u^* = \delta\sqrt n / (t \sigma)

    over the density of the estimated spread (in units of the true one). A lower bound where
    other arms are equivalent too, since Holm then leaves this one more (Schuirmann 1987 for the
    single test).

    Args:
        n: Number of seeds, 2 or more.
        margin: Smallest effect worth acting on, in units of the metric.
        noise: Standard deviation of one paired difference, in units of the metric.
        comparisons: Size of the family.
        effect: True effect, in units of the metric.
        alpha: Error rate of the family.
    """
    n = np.asarray(n, dtype=np.float64)[..., None]
    root, critical = np.sqrt(n), t_quantile(alpha / comparisons, n - 1)
    nodes, weights = special.roots_legendre(200)
    # Above 12 standard deviations of a chi the density is nothing; stop there, or at u*.
    top = np.minimum(margin * root / (critical * noise), 1 + 12 / np.sqrt(2 * (n - 1)))
    u = top * (nodes + 1) / 2
    density = _chi_density(u * np.sqrt(n - 1), n - 1) * np.sqrt(n - 1)
    reach, shift = margin / noise * root - critical * u, effect / noise * root
    inside = special.ndtr(reach - shift) - special.ndtr(-reach - shift)
    return np.asarray(np.sum(inside * density * weights, axis=-1) * top[..., 0] / 2)


def _chi_density(x: Floats, df: Floats) -> Floats:
    """Returns the density of the chi distribution; by itself, as scipy.stats takes 2 s to load."""
    log = special.xlogy(df - 1, x) - x**2 / 2 - (df / 2 - 1) * np.log(2) - special.gammaln(df / 2)
    return np.asarray(np.exp(log))


@dataclass(frozen=True, slots=True, eq=False)
class FollowUp:
    """Sizes of a follow-up study; NaN where not asked, ``inf`` for more than 200 seeds."""

    likely: Floats
    """Fewest seeds whose predictive probability of any verdict is at least 0.8."""
    sufficient: Floats
    """Fewest seeds at which some verdict must fall if the spread stays as seen."""


def follow_up(
    *,
    n: ArrayLike,
    effect: ArrayLike,
    spread: ArrayLike,
    margin: float | None,
    comparisons: ArrayLike,
    alpha: float = 0.05,
) -> FollowUp:
    """Returns how many seeds in all would decide each arm, at its share of alpha.

    Args:
        n: Seeds seen so far, ``[...]``.
        effect: Effect seen, ``[...]``, in units of the metric.
        spread: Standard deviation of the differences seen, ``[...]``; NaN gives NaN.
        margin: Smallest effect worth acting on, or None: then no number is sufficient.
        comparisons: Size of the family, ``[...]``.
        alpha: Error rate of the follow-up's family.
    """
    seen = np.broadcast_arrays(n, effect, spread, comparisons)
    columns = [np.asarray(column, dtype=np.float64).reshape(-1, 1) for column in seen]
    known = ~np.isnan(columns[2]) & (columns[0] >= FEWEST_SEEDS)
    runs, mean, sd, family = (np.where(known, column, 3.0) for column in columns)
    outside = t_quantile(alpha / (2 * family), _SIZES - 1) * sd / np.sqrt(_SIZES)
    inside = t_quantile(alpha / family, _SIZES - 1) * sd / np.sqrt(_SIZES)
    room = -np.inf if margin is None else margin
    chance = _chance_of_verdict(runs, mean, sd, outside, room - inside)
    likely = _first_size((chance >= _LIKELY) & (runs < _SIZES), known)
    enough = _first_size(outside + inside <= room, known & (margin is not None))
    return FollowUp(*(sizes.reshape(seen[0].shape) for sizes in (likely, enough)))


def _chance_of_verdict(
    n: Floats, mean: Floats, sd: Floats, outside: Floats, inside: Floats
) -> Floats:
    """Returns P(|future mean| > outside or < inside), ``[arm, size]``.

    The mean of all seeds, those seen among them, is predicted as
    ``mean + t(n - 1) * sd * sqrt(1/n - 1/size)``; the spread is taken to stay.
    """
    width = sd * np.sqrt(np.maximum(1 / n - 1 / _SIZES, np.finfo(np.float64).tiny))
    near = np.minimum(np.maximum(inside, 0.0), outside)

    def below(point: Floats) -> Floats:
        return np.asarray(special.stdtr(n - 1, (point - mean) / width))

    gap = below(outside) - below(near) + below(-near) - below(-outside)
    return 1 - gap


def _first_size(decides: ArrayLike, known: ArrayLike) -> Floats:
    decides = np.asarray(decides)
    first = np.where(decides.any(axis=-1), _SIZES[decides.argmax(axis=-1)], np.inf)
    return np.where(np.asarray(known)[..., 0], first, np.nan)
