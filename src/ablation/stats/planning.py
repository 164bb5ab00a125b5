"""Power at a number of seeds, in closed form."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ablation.stats.arrays import Floats
from ablation.stats.critical import t_quantile


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


def least_effect(
    *, examples: int, deviation: float, comparisons: int, alpha: float = 0.05
) -> float:
    """Returns the smallest effect that any number of seeds can show on a test split.

    Where the verdict is about new examples, more seeds leave the variance over examples as it
    is: with 200 of them and a deviation of 0.3, six arms and endless seeds, no effect below
    0.057 can be shown.

    Args:
        examples: Size of the test split.
        deviation: Standard deviation over examples of the mean difference, in units of the
            metric.
        comparisons: Size of the family.
        alpha: Error rate of the family.
    """
    critical = t_quantile(alpha / (2 * comparisons), examples - 1)
    return float(critical * deviation / np.sqrt(examples))
