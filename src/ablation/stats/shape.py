"""A warning where differences are too skewed, or too far apart, for a t test on few seeds."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Bools, Floats, Ints
from ablation.stats.paired import moments

FAMILY_RATE: Final = 0.01
"""Share of families with a warning under normal noise."""
_TAILS: Final = np.array([0.005, 0.0025, 0.001, 0.0005, 0.00025, 0.0001])
_SIZES: Final = np.array([4, 5, 6, 8, 10, 12, 15, 20, 30, 50, 100, 200])
# Quantiles of both statistics under normal noise, [statistic, size, tail], from 4,500,000 draws
# at four seeds to 210,000 at two hundred.
_TABLE: Final = np.array([
    [
        (1.1460, 1.1504, 1.1530, 1.1538, 1.1543, 1.1545),  # 4
        (1.4345, 1.4585, 1.4774, 1.4859, 1.4912, 1.4954),  # 5
        (1.6049, 1.6578, 1.7059, 1.7305, 1.7473, 1.7616),  # 6
        (1.7316, 1.8361, 1.9455, 2.0089, 2.0610, 2.1154),  # 8
        (1.7333, 1.8667, 2.0164, 2.1156, 2.1981, 2.2909),  # 10
        (1.6848, 1.8350, 2.0109, 2.1279, 2.2413, 2.3673),  # 12
        (1.6019, 1.7540, 1.9476, 2.0797, 2.2057, 2.3476),  # 15
        (1.4605, 1.6090, 1.8051, 1.9433, 2.0869, 2.2741),  # 20
        (1.2462, 1.3706, 1.5387, 1.6692, 1.7910, 1.9526),  # 30
        (0.9855, 1.0809, 1.2057, 1.3031, 1.4152, 1.5474),  # 50
        (0.7013, 0.7662, 0.8508, 0.9091, 0.9651, 1.0491),  # 100
        (0.4939, 0.5376, 0.5913, 0.6296, 0.6684, 0.7218),  # 200
    ],
    [
        (1.9420, 1.9596, 1.9748, 1.9823, 1.9875, 1.9921),  # 4
        (2.0575, 2.0980, 2.1373, 2.1594, 2.1759, 2.1923),  # 5
        (2.1172, 2.1792, 2.2425, 2.2798, 2.3080, 2.3386),  # 6
        (2.1582, 2.2519, 2.3522, 2.4154, 2.4686, 2.5300),  # 8
        (2.1589, 2.2713, 2.3997, 2.4839, 2.5559, 2.6362),  # 10
        (2.1462, 2.2709, 2.4168, 2.5151, 2.6028, 2.7069),  # 12
        (2.1195, 2.2582, 2.4228, 2.5283, 2.6236, 2.7470),  # 15
        (2.0800, 2.2278, 2.4074, 2.5383, 2.6582, 2.8128),  # 20
        (2.0075, 2.1630, 2.3561, 2.4921, 2.6220, 2.7818),  # 30
        (1.9221, 2.0727, 2.2680, 2.4173, 2.5650, 2.7271),  # 50
        (1.8033, 1.9644, 2.1604, 2.3119, 2.4215, 2.5896),  # 100
        (1.6985, 1.8579, 2.0439, 2.2074, 2.3345, 2.4696),  # 200
    ],
])  # fmt: skip


def odd_shapes(differences: ArrayLike, kept: ArrayLike | None = None) -> Bools:
    """Returns the arms whose differences no normal noise is likely to give.

    Either they are too skewed, or their largest gap between two neighbours is too wide for the
    spread. Both are compared with their simulated quantiles under normal noise, at .005 over
    the number of arms each, so that one family in a hundred has a warning where none is due.

    Args:
        differences: Paired differences ``[..., arm, seed]``, arm 0 the baseline.
        kept: Whether a seed counts, broadcastable to them; all where None.

    Returns:
        One boolean per arm, ``[..., arm]``; never below four seeds.
    """
    d = np.asarray(differences, dtype=np.float64)
    counted = np.broadcast_to(True if kept is None else np.asarray(kept), d.shape)
    n = counted.sum(axis=-1)
    skewness, gap = _shape(d, counted, n)
    tail = FAMILY_RATE / 2 / max(d.shape[-2] - 1, 1)
    limits = _limits(n, tail)
    known = (n >= _SIZES[0]) & (np.arange(d.shape[-2]) > 0)
    return np.asarray(known & ((skewness > limits[0]) | (gap > limits[1])))


def _shape(d: Floats, counted: Bools, n: Ints) -> tuple[Floats, Floats]:
    """Returns absolute skewness, and the largest gap over the deviation, ``[..., arm]``."""
    mean, deviation = moments(d, counted)
    scale = np.where(deviation > 0, deviation, np.nan)
    z = np.where(counted, (d - mean[..., None]) / scale[..., None], np.nan)
    runs = np.maximum(n, 2)
    cubes = np.sum(np.where(counted, z, 0.0) ** 3, axis=-1) / runs
    skewness = np.abs(cubes) * (runs / (runs - 1)) ** 1.5
    gaps = np.diff(np.sort(z, axis=-1), axis=-1)  # NaN comes last
    gap = np.max(np.nan_to_num(gaps), axis=-1, initial=0.0)
    return np.nan_to_num(skewness), gap


def _limits(n: Ints, tail: float) -> Floats:
    """Returns both critical values, ``[2, ..., arm]``, between those of the table.

    Linear in the logarithm of the tail and in 1/n, which is within a hundredth of simulation.
    """
    log = -np.log(_TAILS)
    at = np.interp(-np.log(tail), log, np.arange(log.size))
    low = min(int(at), log.size - 2)
    column = _TABLE[:, :, low] + (at - low) * (_TABLE[:, :, low + 1] - _TABLE[:, :, low])
    place = -1 / np.clip(n, _SIZES[0], _SIZES[-1])
    return np.stack([np.interp(place, -1 / _SIZES, statistic) for statistic in column])
