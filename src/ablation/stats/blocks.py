"""From the runs of a study to its complete blocks: what failed, what is missing, what is left.

A block is the runs that share a seed, one per arm. A failure is an outcome and stays in its
block at a declared floor; a missing run says nothing about its arm, so its block is left out
for every arm, which keeps all comparisons on the same seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Bools, Floats, Ints
from ablation.stats.crossed import Sample, check_examples


class Status(IntEnum):
    """The end of a planned run."""

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
    """Whether the block is complete, ``[..., 1, seed]``; ``[..., arm, seed]`` where arms with
    missing runs take nothing from the others."""
    failed: Bools
    """Failed runs of complete blocks, ``[..., arm, seed]``."""
    incomplete: Bools
    """Arms with a missing run in a block that counts for the others, ``[..., arm]``."""
    examples: Sample | None = None
    """Scores by example, where there are any."""

    @property
    def n(self) -> Ints:
        """Number of complete blocks, ``[..., 1]`` or ``[..., arm]``."""
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
        """Returns whether every arm gives one value on all seeds, ``[..., 1]``.

        The seed then has no effect: the runs are copies of one another, not replicates, and
        their agreement says nothing about the noise.
        """
        known = self.kept & ~np.isnan(self.scores)
        highest = np.max(self.scores, axis=-1, where=known, initial=-np.inf)
        lowest = np.min(self.scores, axis=-1, where=known, initial=np.inf)
        constant = highest - lowest <= self.rounding
        return np.asarray(constant.all(axis=-1, keepdims=True))

    def without(self, seed: int, arms: ArrayLike = True) -> Blocks:
        """Returns the blocks but for one seed, given by its place, of some arms, ``[arm]``."""
        left_out = (np.arange(self.kept.shape[-1]) == seed) & np.asarray(arms)[..., None]
        kept = self.kept & ~left_out
        scores, failed = np.where(kept, self.scores, 0.0), self.failed & kept
        return replace(self, scores=scores, kept=kept, failed=failed)


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The checked runs of one or many studies, ``[..., arm, seed]``; arm 0 is the baseline."""

    scores: Floats
    """The metric; a failed run at the floor, NaN without one."""
    states: Ints
    """`Status` of each run."""
    floor: float = np.nan
    """Value of a failed run; NaN where none is declared."""
    examples: Sample | None = None
    """Scores by example, where there are any."""

    def failing(self, fallen: Bools) -> Runs:
        """Returns the runs with some of them, ``[..., arm, seed]``, made FAILED."""
        if not fallen.any():
            return self
        return replace(
            self,
            scores=np.where(fallen, self.floor, self.scores),
            states=np.where(fallen, np.int64(Status.FAILED), self.states),
        )

    def lacking(self, absent: Bools) -> Runs:
        """Returns the runs with some of them, ``[..., arm, seed]``, made MISSING."""
        if not absent.any():
            return self
        return replace(self, states=np.where(absent, np.int64(Status.MISSING), self.states))

    def blocks(
        self,
        seeds: int | None = None,
        asked: Bools | None = None,
        excused: ArrayLike = False,
    ) -> Blocks:
        """Returns the complete blocks among the first seeds.

        Args:
            seeds: How many seeds are looked at; all where None.
            asked: Arms whose runs count, ``[..., arm]``, the baseline among them; all where
                None. The others have a score of 0, and no run of theirs is missed.
            excused: Whether a missing run takes only its own arm out of a block, and not the
                block out of the study, ``[...]``. A missing run of the baseline always does.
        """
        scores, states = self.scores[..., :seeds], self.states[..., :seeds]
        counted = np.ones((1, 1), np.bool_) if asked is None else asked[..., None]
        present = (states != Status.MISSING) | ~counted
        kept = present.all(axis=-2, keepdims=True)
        incomplete = np.zeros(scores.shape[:-1], np.bool_)
        if np.any(excused):
            own = present & present[..., :1, :]
            lone = np.asarray(excused)[..., None, None]
            kept = np.where(lone, own, kept)
            incomplete = (lone & ~own & present[..., :1, :]).any(axis=-1)
        counted = kept & counted
        return Blocks(
            scores=np.where(counted, scores, 0.0),
            kept=kept,
            failed=(states == Status.FAILED) & counted,
            incomplete=incomplete,
            examples=None if self.examples is None else self.examples.first(seeds),
        )


def complete_blocks(
    values: ArrayLike,
    status: ArrayLike | None = None,
    floor: ArrayLike | None = None,
    scores: ArrayLike | None = None,
) -> Blocks:
    """Puts failures at the floor and leaves blocks with a missing run out.

    The arguments and errors are those of `check_runs`.
    """
    return check_runs(values, status, floor, scores).blocks()


def check_runs(
    values: ArrayLike,
    status: ArrayLike | None = None,
    floor: ArrayLike | None = None,
    scores: ArrayLike | None = None,
) -> Runs:
    """Returns the runs of a study, failures at the floor, once they are all sound.

    Args:
        values: Metric ``[..., arm, seed]``; only finished runs are read.
        status: `Status` of each run, of the same shape; all FINISHED where None.
        floor: Value of a failed run, in units of the metric, or its score on each example;
            None leaves it undefined.
        scores: Scores by example ``[..., arm, seed, example]`` whose mean is the metric.

    Raises:
        ValueError: On a shape without two arms and a seed, an unknown status, a floor that is
            not finite, a finished run without a finite value, or scores that do not fit.
    """
    table = np.array(values, dtype=np.float64)
    if table.ndim < 2 or table.shape[-2] < 2 or table.shape[-1] < 1:  # noqa: PLR2004 - two of each, the least that varies
        raise ValueError(
            "values must be [..., arm, seed] with the baseline, at least one other arm and at "
            f"least one seed; got shape {table.shape}. Pass the whole family in one array."
        )
    chance = np.asarray(np.nan if floor is None else floor)
    if floor is not None and (not np.isfinite(chance).all() or (chance.ndim and scores is None)):
        raise ValueError(
            f"floor must be finite, one number unless there are scores by example; got {floor}. "
            "Pass the chance level of the split, or None."
        )
    states = _states(table, status)
    examples = None
    if scores is not None:
        examples = check_examples(table, states == Status.FINISHED, scores, chance)
    value = float(chance.mean())
    table[states == Status.FAILED] = value
    return Runs(scores=table, states=states, floor=value, examples=examples)


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
