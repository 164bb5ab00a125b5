"""The one walk over looks: which are reached, whom each judges, what it decides for good."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.stats.blocks import Bools, Ints, Runs, Status, check_runs
from ablation.stats.judge import case_of, judge
from ablation.stats.record import Verdicts
from ablation.stats.rule import Ground, Verdict


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Look:
    """One look of a schedule."""

    seeds: int
    """Blocks looked at."""
    alpha: float
    """Error rate spent."""
    judged: Bools
    """Arms that the look judged, ``[..., arm]``: none where it was not reached."""
    verdicts: Verdicts
    """The numbers of this look; they mean something where an arm was judged."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Walk:
    """Where a schedule of looks has led so far."""

    verdicts: Verdicts
    """The final numbers, every row that of its arm's last look; the baseline's row is from the
    last look that was reached. Short of the first look they are shown and not judged."""
    seeds: Ints
    """Seeds planned for each arm, given what has been decided, ``[..., arm]``."""
    reached: Ints
    """Number of looks that were reached, ``[...]``."""
    looks: tuple[Look, ...]
    """Every look up to the last that any study reached, and the first in any case."""

    @property
    def verdict(self) -> NDArray[np.str_]:
        """The word of every arm; empty for the baseline."""
        return self.verdicts.verdict


def walk_looks(
    values: ArrayLike,
    *,
    looks: Sequence[int],
    spend: Sequence[float],
    margin: float | None,
    status: ArrayLike | None = None,
    floor: float | None = None,
    quantum: float = 0.0,
    identical: ArrayLike | None = None,
) -> Walk:
    """Walks the looks of a study, or of many at once.

    At each look the rule runs at that look's alpha over the arms still undecided; any verdict
    but INCONCLUSIVE is final. What is spent may sum to the whole alpha for any stopping, which
    is Bonferroni over the looks (alpha spending as such: Slud & Wei 1982).

    A look is reached when no run of the arms still undecided, or of the baseline, is MISSING
    among its seeds. Runs between two looks are not judged: a verdict that is asked for after
    every run is false too often (.13 to .22).

    Args:
        values: Metric ``[..., arm, seed]`` with the seeds of the last look, arm 0 the baseline.
        looks: Seeds at each look, rising.
        spend: alpha spent at each look.
        margin: As in `verdicts`.
        status: As in `verdicts`.
        floor: As in `verdicts`.
        quantum: As in `verdicts`.
        identical: Whether each run left the baseline's weights or predictions of its seed,
            ``[..., arm, seed]``. An arm is identical at a look if all its runs there finished
            and are.

    Raises:
        ValueError: If looks and spend differ in length or the looks do not rise, and as
            `verdicts` does.
    """
    runs = check_runs(values, status, floor)
    _check_schedule(looks, spend, runs.scores.shape[-1])
    equal = _equal_runs(runs, identical)
    is_arm = np.arange(runs.scores.shape[-2]) > 0
    undecided = np.broadcast_to(is_arm, runs.scores.shape[:-1])
    walking = np.ones(undecided.shape[:-1], np.bool_)
    seeds = np.full(undecided.shape, looks[0])
    reached = np.zeros(walking.shape, np.int64)
    taken: list[Look] = []
    for n, alpha in zip(looks, spend, strict=True):
        asked = undecided | ~is_arm
        seeds = np.where(walking[..., None] & asked, n, seeds)
        walking = walking & ~_is_short(runs, asked, n)
        if taken and not walking.any():
            break
        same = equal[..., :n].all(axis=-1) & walking[..., None]
        case = case_of(runs.blocks(n, asked), quantum, same & asked, undecided)
        found = judge(case, margin, alpha)
        judged = asked & walking[..., None]
        taken.append(Look(seeds=n, alpha=alpha, judged=judged, verdicts=found))
        reached = reached + walking
        undecided = undecided & ~(judged & (found.verdict != Verdict.INCONCLUSIVE))
        walking = walking & undecided.any(axis=-1)
    return Walk(verdicts=_merge(taken), seeds=seeds, reached=reached, looks=tuple(taken))


def rows_of(shape_of: Verdicts, chosen: Bools, other: Verdicts) -> Verdicts:
    """Returns one record with the chosen rows of `other`, ``[..., arm]``, in place of its own."""
    columns: dict[str, Any] = {
        field.name: np.where(chosen, getattr(other, field.name), getattr(shape_of, field.name))
        for field in fields(Verdicts)
        if field.name != "margin"
    }
    return replace(shape_of, **columns)


def _merge(taken: Sequence[Look]) -> Verdicts:
    """Returns every arm's row of its last look; short of the first look no row is judged."""
    final = _shown_only(taken[0].verdicts, ~taken[0].judged)
    for look in taken[1:]:
        final = rows_of(final, look.judged, look.verdicts)
    return final


def _shown_only(found: Verdicts, rows: Bools) -> Verdicts:
    """Returns the record with some rows, ``[..., arm]``, shown and not judged."""
    hidden: dict[str, Any] = {
        name: np.where(rows, np.nan, getattr(found, name))
        for name in ("p_difference", "p_equivalence", "p_failures")
    }
    is_arm = np.arange(found.ground.shape[-1]) > 0
    ground = np.where(rows & is_arm, np.int64(Ground.NOT_REACHED), found.ground)
    return replace(found, ground=ground, **hidden)


def _is_short(runs: Runs, asked: Bools, n: int) -> Bools:
    """Returns whether a run of an asked arm is missing among the first n seeds, ``[...]``."""
    missing = (runs.states[..., :n] == Status.MISSING).any(axis=-1)
    return np.asarray((missing & asked).any(axis=-1))


def _equal_runs(runs: Runs, identical: ArrayLike | None) -> Bools:
    """Returns the finished runs that are called identical, ``[..., arm, seed]``."""
    if identical is None:
        return np.zeros(runs.states.shape, np.bool_)
    called = np.asarray(identical, np.bool_)
    if called.shape != runs.states.shape:
        raise ValueError(
            f"identical must be [..., arm, seed] with shape {runs.states.shape}; got "
            f"{called.shape}. Pass one boolean per run, the baseline's included."
        )
    return np.asarray(called & (runs.states == Status.FINISHED))


def _check_schedule(looks: Sequence[int], spend: Sequence[float], seeds: int) -> None:
    if len(looks) != len(spend) or not len(looks) or list(looks) != sorted(set(looks)):
        raise ValueError(
            f"looks must rise and have one alpha each; got looks {tuple(looks)} and spend "
            f"{tuple(spend)}. Give as many of one as of the other."
        )
    if looks[0] < 1 or looks[-1] > seeds:
        raise ValueError(
            f"looks must lie between 1 and the seeds of values, {seeds}; got {tuple(looks)}. "
            "Pass the seeds of the last look, MISSING where there is no run yet."
        )
