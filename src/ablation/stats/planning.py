"""Power at a number of seeds, in closed form."""

import math

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats import special
from ablation.stats.arrays import Floats
from ablation.stats.critical import t_quantile


def difference_noise(run_noise: float) -> float:
    """Returns the standard deviation of one paired difference, if pairing gains nothing.

    Args:
        run_noise: Standard deviation of the baseline over seeds, in units of the metric.
    """
    return math.sqrt(2) * run_noise


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
