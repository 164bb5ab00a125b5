"""From the runs of a study to its complete blocks: what failed, what is missing, what is left.

A block is the runs that share a seed, one per arm. A failure is an outcome and stays in its
block at a declared floor; a missing run says nothing about its arm, so its block is left out
for every arm, which keeps all comparisons on the same seeds.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Status(IntEnum):
    """How a planned run ended."""

    FINISHED = 0
    """It left a value."""
    FAILED = 1
    """An outcome of the arm (NaN loss, divergence, collapse): counts, at the floor."""
    MISSING = 2
    """No outcome (killed, never started): its block is left out for all arms."""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """The complete blocks of one or many studies; arm 0 is the baseline."""

    scores: Floats
    """Values ``[..., arm, seed]``: a failed run at the floor (NaN without one), 0 where the
    block is left out."""
    kept: Bools
    """Whether the block is complete, ``[..., 1, seed]``."""
    failed: Bools
    """Failed runs of complete blocks, ``[..., arm, seed]``."""

    @property
    def n(self) -> Ints:
        """Number of complete blocks, ``[..., 1]``."""
        return np.asarray(self.kept.sum(axis=-1), dtype=np.int64)

    @property
    def rounding(self) -> Floats:
        """Spread that float rounding alone can produce at the size of the scores, ``[..., 1]``.

        A constant shift of 0.1 on every seed leaves differences that vary by an ulp or two. A
        t statistic would divide by that and call the shift certain; below this bound a spread
        is none.
        """
        size = np.abs(np.nan_to_num(self.scores)).max(axis=(-2, -1))
        return np.asarray(8 * np.finfo(np.float64).eps * size)[..., None]

    @property
    def are_copies(self) -> Bools:
        """Whether every arm gives one value on all seeds, ``[..., 1]``.

        The seed then has no effect: the runs are copies of one another, not replicates, and
        their agreement says nothing about the noise.
        """
        known = self.kept & ~np.isnan(self.scores)
        highest = np.max(self.scores, axis=-1, where=known, initial=-np.inf)
        lowest = np.min(self.scores, axis=-1, where=known, initial=np.inf)
        constant = highest - lowest <= self.rounding
        return np.asarray(constant.all(axis=-1, keepdims=True))


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The checked runs of one or many studies, ``[..., arm, seed]``; arm 0 is the baseline."""

    scores: Floats
    """The metric; a failed run at the floor, NaN without one."""
    states: Ints
    """`Status` of each run."""

    def blocks(self, seeds: int | None = None, asked: Bools | None = None) -> Blocks:
        """Returns the complete blocks among the first seeds.

        Args:
            seeds: How many seeds are looked at; all where None.
            asked: Arms whose runs count, ``[..., arm]``, the baseline among them; all where
                None. The others have a score of 0, and no run of theirs is missed.
        """
        scores, states = self.scores[..., :seeds], self.states[..., :seeds]
        counted = np.ones((1, 1), np.bool_) if asked is None else asked[..., None]
        kept = ((states != Status.MISSING) | ~counted).all(axis=-2, keepdims=True)
        counted = kept & counted
        return Blocks(
            scores=np.where(counted, scores, 0.0),
            kept=kept,
            failed=(states == Status.FAILED) & counted,
        )


def complete_blocks(
    values: ArrayLike, status: ArrayLike | None = None, floor: float | None = None
) -> Blocks:
    """Puts failures at the floor and leaves blocks with a missing run out.

    The arguments and errors are those of `check_runs`.
    """
    return check_runs(values, status, floor).blocks()


def check_runs(
    values: ArrayLike, status: ArrayLike | None = None, floor: float | None = None
) -> Runs:
    """Returns the runs of a study, failures at the floor, once they are all sound.

    Args:
        values: Metric ``[..., arm, seed]``; only finished runs are read.
        status: `Status` of each run, of the same shape; all FINISHED where None.
        floor: Value of a failed run, in units of the metric; None leaves it undefined.

    Raises:
        ValueError: On a shape without two arms and a seed, an unknown status, a floor that is
            not finite, or a finished run without a finite value.
    """
    scores = np.array(values, dtype=np.float64)
    if scores.ndim < 2 or scores.shape[-2] < 2 or scores.shape[-1] < 1:  # noqa: PLR2004 - two of each, the least that varies
        raise ValueError(
            "values must be [..., arm, seed] with the baseline, at least one other arm and at "
            f"least one seed; got shape {scores.shape}. Pass the whole family in one array."
        )
    if floor is not None and not np.isfinite(floor):
        raise ValueError(
            f"floor must be finite; got {floor}. Pass the chance level of the split, or None."
        )
    states = _states(scores, status)
    scores[states == Status.FAILED] = np.nan if floor is None else floor
    return Runs(scores=scores, states=states)


def _states(scores: Floats, status: ArrayLike | None) -> Ints:
    """Returns a checked status per run; a NaN is never dropped in silence."""
    states = np.zeros(scores.shape, dtype=np.int64) if status is None else np.asarray(status)
    if states.shape != scores.shape:
        raise ValueError(
            f"status must have the shape of values {scores.shape}; got {states.shape}. "
            "Pass one Status per run."
        )
    if not np.isin(states, list(Status)).all():
        codes = ", ".join(f"{member.name}={member.value}" for member in Status)
        raise ValueError(f"status must be one of {codes}; got {np.unique(states).tolist()}.")
    bad = (states == Status.FINISHED) & ~np.isfinite(scores)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"a FINISHED run must have a finite value; values{list(at)} is {scores[at]}. "
            "Mark the run FAILED (and declare a floor) or MISSING in status."
        )
    return states.astype(np.int64)
