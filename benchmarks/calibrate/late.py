"""Looks that are taken although runs are missing, and runs that come after them."""

import numpy as np
from numpy.typing import NDArray

from ablation.stats import Status, Walk, walk_looks
from calibrate.looks import LOOKS, SPEND, LookCell, draw_looks, false_claims
from calibrate.promise import SEED, Check, error_checks

MISSING = 0.1
"""Share of runs that are missing at the first look they belong to."""
STAY = 0.5
"""Probability that a run that one look lacked is still missing at the next."""


def late_cells() -> list[LookCell]:
    """Returns the cells of the hump, quiet and loud baselines."""
    return [
        LookCell(truth, margin, comparisons, baseline)
        for truth in ("edges", "equal")
        for comparisons in (2, 6)
        for margin in (1.0, 1.2)
        for baseline in (1.0, 0.1)
    ]


def draw_absent(shape: tuple[int, ...], number: int) -> NDArray[np.bool_]:
    """Returns the runs that each look lacks, ``[study, look, arm, seed]``."""
    draw = np.random.default_rng([SEED, 11, number])
    gone = draw.random(shape) < MISSING
    absent = np.zeros((shape[0], len(LOOKS), *shape[1:]), np.bool_)
    seeds = np.arange(shape[-1])
    for place, n in enumerate(LOOKS):
        absent[:, place] = gone & (seeds < n)
        gone &= (draw.random(shape) < STAY) | (seeds >= n)
    return absent


def late_checks(cell: LookCell, studies: int, number: int) -> list[Check]:
    """Returns the error rates with runs missing at every look, before and after they came.

    What is said as of the last look and what is said once every run is there are one study: a
    false claim in either counts.
    """
    values, effects, margin = draw_looks(cell, studies, 500 + number)
    absent = draw_absent(values.shape, number)

    def walked(status: NDArray[np.int64]) -> Walk:
        return walk_looks(values, looks=LOOKS, spend=SPEND, margin=margin, status=status,
                          absent=absent)  # fmt: skip

    complete = np.zeros(values.shape, np.int64)
    torn = np.where(absent.any(axis=1), np.int64(Status.MISSING), complete)
    pairs = [false_claims(walked(status), effects, margin) for status in (torn, complete)]
    apart, equal, said = (first | second for first, second in zip(*pairs, strict=True))
    name = (
        f"missing runs, {cell.truth}, margin {cell.margin}, m={cell.comparisons}, "
        f"baseline SD {cell.baseline}"
    )
    return error_checks(name, studies, apart, equal, said)
