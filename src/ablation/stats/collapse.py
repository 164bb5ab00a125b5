"""Collapsed runs: a fall that a rule fixed before any run calls a failure."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Bools, Floats
from ablation.stats.blocks import Status

GUARD: Final = 8.0
"""Robust standard deviations that an arm's median must gain over chance to be judged."""
KEPT: Final = 0.5
"""Share of that gain that a run must keep."""
_NORMAL: Final = 1.4826
"""Standard deviations per median absolute deviation of normal noise."""


def collapsed(
    values: ArrayLike,
    chance: float,
    *,
    status: ArrayLike | None = None,
    asked: ArrayLike | None = None,
) -> Bools:
    """Returns the finished runs that keep less than half of their arm's gain over chance.

    Asked only of arms whose median gains more than eight robust standard deviations over chance
    (1.48 MAD sqrt(n / (n - 1)), the larger of the arm's own and that over all arms). Without
    that guard .50/.28/.14/.02 of the runs would be flagged under normal noise where the median
    gains 0/1/2/4 SD; with it at most .0005 are.

    Args:
        values: Metric ``[..., arm, seed]``, higher is better; only finished runs are read.
        chance: Value at chance level.
        status: `Status` of each run; all FINISHED where None.
        asked: Arms to look at, ``[..., arm]``; all where None.

    Returns:
        One boolean per run, ``[..., arm, seed]``. A flagged run is FAILED: counted, never a
        score, never dropped.
    """
    table = np.asarray(values, dtype=np.float64)
    counted = np.ones(table.shape, np.bool_)
    if status is not None:
        counted = np.asarray(status) == Status.FINISHED
    if asked is not None:
        counted = counted & np.asarray(asked)[..., None]
    centre = _median(np.where(counted, table, np.nan))
    apart = np.where(counted, np.abs(table - centre), np.nan)
    n = np.maximum(counted.sum(axis=-1, keepdims=True), 2)
    own = _NORMAL * _median(apart) * np.sqrt(n / (n - 1))
    flat = apart.reshape(*apart.shape[:-2], -1)
    everyone = _NORMAL * _median(flat)[..., None] * np.sqrt(n / (n - 1))
    gain = centre - chance
    judged = gain > GUARD * np.fmax(own, everyone)
    return np.asarray(counted & judged & (table - chance < KEPT * gain))


def _median(table: Floats) -> Floats:
    """Returns the median over the last axis, which stays as 1, without NaN; NaN of nothing."""
    ordered = np.sort(table, axis=-1)  # NaN comes last
    n = np.sum(~np.isnan(table), axis=-1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((n - 1) // 2, 0), axis=-1)
    high = np.take_along_axis(ordered, np.minimum(n // 2, table.shape[-1] - 1), axis=-1)
    return np.asarray(np.where(n > 0, (low + high) / 2, np.nan))
