"""The one walk over looks: which are reached, whom each judges, what it decides for good.

Holm over the arms still undecided looks natural and is wrong: an arm on the margin that is
rightly BETTER is still a true null of equivalence, and those that remain are a selected few (any
false EQUIVALENT .064 at six arms and .0755 at fifteen; with the rule here .036 and .034).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Bools, Ints
from ablation.stats.blocks import Runs, Status, check_runs
from ablation.stats.collapse import collapsed
from ablation.stats.judge import Pools, case_of, judge
from ablation.stats.rule import Ground, Verdict
from ablation.stats.walked import Look, Walk, last_rows


def walk_looks(
    values: ArrayLike,
    *,
    looks: Sequence[int],
    spend: Sequence[float],
    margin: float | None,
    status: ArrayLike | None = None,
    floor: ArrayLike | None = None,
    quantum: float = 0.0,
    identical: ArrayLike | None = None,
    scores: ArrayLike | None = None,
    chance: float | None = None,
    absent: ArrayLike | None = None,
) -> Walk:
    """Walks the looks of a study, or of many at once.

    At each look the rule runs at that look's alpha over the arms still undecided; any verdict
    but INCONCLUSIVE is final. What is spent may sum to the whole alpha for any stopping, which
    is Bonferroni over the looks (alpha spending as such: Slud & Wei 1982).

    An arm frees its share only in the family in which it was itself rejected: EQUIVALENT in
    that of equivalence, BETTER and WORSE by their means in that of the difference; identical
    arms leave both, and an arm that only its failures decide frees nothing.

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
        scores: As in `verdicts`.
        chance: Value at chance level: runs that fall below half of their arm's gain over it
            (`collapsed`, asked at each look of its own seeds alone) are FAILED. Off where None.
        absent: Runs that were missing when a look was taken without them,
            ``[..., look, arm, seed]``; a look with any is taken. Blocks that the baseline lacked
            there stay left out for all. Any other arm that lacked a run is INCONCLUSIVE, counts
            as not rejected, and takes nothing from the others. Once complete, it is judged at
            that look at alpha over the whole family, and frees nothing: no verdict of another
            arm depends on what came late.

    Raises:
        ValueError: If looks and spend differ in length or the looks do not rise, and as
            `verdicts` does.
    """
    runs = check_runs(values, status, floor, scores)
    _check_schedule(looks, spend, runs.scores.shape[-1])
    ask = _Asking(
        runs=runs,
        equal=_equal_runs(runs, identical),
        margin=margin,
        quantum=quantum,
        chance=chance,
        absent=_absent_runs(runs, absent, len(looks)),
    )
    return _walk(ask, zip(looks, spend, strict=True))


def walk_runs(
    runs: Runs, *, looks: Sequence[int], spend: Sequence[float], margin: float | None
) -> Walk:
    """Walks the looks of runs that are already checked, none of them identical."""
    _check_schedule(looks, spend, runs.scores.shape[-1])
    ask = _Asking(
        runs=runs,
        equal=_equal_runs(runs, None),
        margin=margin,
        quantum=0.0,
        chance=None,
        absent=_absent_runs(runs, None, len(looks)),
    )
    return _walk(ask, zip(looks, spend, strict=True))


def _walk(ask: _Asking, schedule: Iterable[tuple[int, float]]) -> Walk:
    """Takes one look after the other while any study's next one is there."""
    steps = tuple(schedule)
    state = _start(ask.runs, steps[0][0])
    record: list[Look] = []
    for place, (n, alpha) in enumerate(steps):
        step = _Step(n=n, alpha=alpha, absent=ask.absent[..., place, :, :])
        seeds = np.where(state.walking[..., None] & state.asked, n, state.seeds)
        walking = state.walking & (step.excused | ~_is_short(ask.runs, state.asked, n))
        state = replace(state, seeds=seeds, walking=walking)
        if record and not walking.any():
            break
        fallen = _fallen(ask, state, step)
        record.append(_take(ask, state, step, fallen))
        state = _after(state, record[-1], fallen)
    return Walk(
        verdicts=last_rows(record),
        seeds=state.seeds,
        reached=state.reached,
        looks=tuple(record),
        alpha=float(sum(alpha for _, alpha in steps)),
        collapsed=state.collapsed,
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Asking:
    """The inputs that all looks share."""

    runs: Runs
    equal: Bools
    margin: float | None
    quantum: float
    chance: float | None
    absent: Bools
    """Runs that were missing when each look was taken, ``[..., look, arm, seed]``."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Step:
    """One look of the schedule."""

    n: int
    alpha: float
    absent: Bools
    """Runs that were missing when it was taken, ``[..., arm, seed]``."""

    @property
    def excused(self) -> Bools:
        """Studies in which it was taken although runs were missing, ``[...]``."""
        return np.asarray(self.absent.any(axis=(-2, -1)))

    @property
    def unblocked(self) -> Bools:
        """The baseline's runs among the absent ones, ``[..., arm, seed]``."""
        return np.asarray(self.absent & (np.arange(self.absent.shape[-2])[:, None] == 0))

    def late(self, undecided: Bools) -> Bools:
        """Returns the undecided arms, ``[..., arm]``, that lacked a run of a block that counts."""
        lacking = (self.absent & ~self.absent[..., :1, :])[..., : self.n].any(axis=-1)
        return np.asarray(lacking & undecided)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _State:
    """The decisions of the looks so far, ``[..., arm]`` except for the last three."""

    undecided: Bools
    apart: Bools
    """Arms in the family of the difference: not yet BETTER or WORSE by their means."""
    within: Bools
    """Arms in the family of equivalence: not yet EQUIVALENT."""
    distinct: Bools
    """Arms not identical to the baseline."""
    seeds: Ints
    walking: Bools
    """Studies whose next look may come, ``[...]``."""
    reached: Ints
    """Looks reached, ``[...]``."""
    collapsed: Bools
    """Runs that collapsed by each arm's last look, ``[..., arm, seed]``."""

    @property
    def asked(self) -> Bools:
        """The undecided arms and the baseline."""
        return np.asarray(self.undecided | (np.arange(self.undecided.shape[-1]) == 0))


def _start(runs: Runs, first: int) -> _State:
    shape = runs.scores.shape[:-1]
    arms = np.broadcast_to(np.arange(shape[-1]) > 0, shape)
    return _State(
        undecided=arms,
        apart=arms,
        within=arms,
        distinct=arms,
        seeds=np.full(shape, first),
        walking=np.ones(shape[:-1], np.bool_),
        reached=np.zeros(shape[:-1], np.int64),
        collapsed=np.zeros(runs.scores.shape, np.bool_),
    )


def _fallen(ask: _Asking, state: _State, step: _Step) -> Bools:
    """Returns the runs that collapsed by one look, ``[..., arm, seed]``.

    A late arm's are those of today. For the others, what came late is left out, because it would
    move the spread over all arms that the rule goes by.
    """
    fallen = np.zeros(ask.runs.scores.shape, np.bool_)
    if ask.chance is None:
        return fallen
    scores, chance = ask.runs.scores[..., : step.n], ask.chance

    def flagged(runs: Runs) -> Bools:
        return collapsed(scores, chance, status=runs.states[..., : step.n], asked=state.asked)

    late, then = step.late(state.undecided), flagged(ask.runs.lacking(step.absent))
    now = flagged(ask.runs) if late.any() else then
    fallen[..., : step.n] = np.where(late[..., None], now, then)
    return fallen


def _take(ask: _Asking, state: _State, step: _Step, fallen: Bools) -> Look:
    """Judges the undecided arms at one look.

    Args:
        ask: The inputs that all looks share.
        state: What the looks before have decided.
        step: The look.
        fallen: Runs that collapsed.
    """
    n, alpha, late = step.n, step.alpha, step.late(state.undecided)
    judged = state.asked & state.walking[..., None]
    runs = ask.runs.lacking(step.unblocked).failing(fallen)
    blocks = runs.blocks(n, state.asked, step.excused)
    same = (ask.equal[..., :n] | ~blocks.kept).all(axis=-1) & judged
    case = case_of(blocks, ask.quantum, same, state.undecided)
    counted = ~case.same | late
    pools = Pools(
        difference=state.apart & counted,
        equivalence=state.within & counted,
        failures=state.distinct & counted,
        late=late,
    )
    return Look(
        seeds=n,
        alpha=alpha,
        judged=judged,
        verdicts=judge(case, ask.margin, alpha, pools=pools),
        case=case,
        pools=pools,
        quantum=ask.quantum,
        asked=state.undecided,
    )


def _after(state: _State, look: Look, fallen: Bools) -> _State:
    """Returns the state after a look: final verdicts leave, each its own family."""
    leaves = look.judged & ~look.pools.late  # looks after this one may have been taken already
    ground = np.where(leaves, look.verdicts.ground, Ground.BASELINE)
    apart = (ground == Ground.ABOVE) | (ground == Ground.BELOW)
    same = ground == Ground.IDENTICAL
    word = np.where(look.judged, look.verdicts.verdict, Verdict.INCONCLUSIVE)
    undecided = state.undecided & (word == Verdict.INCONCLUSIVE)
    return _State(
        undecided=undecided,
        apart=state.apart & ~apart & ~same,
        within=state.within & (ground != Ground.WITHIN_MARGIN) & ~same,
        distinct=state.distinct & ~same,
        seeds=state.seeds,
        walking=state.walking & undecided.any(axis=-1),
        reached=state.reached + state.walking,
        collapsed=np.where(look.judged[..., None], fallen, state.collapsed),
    )


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


def _absent_runs(runs: Runs, absent: ArrayLike | None, looks: int) -> Bools:
    """Returns the runs that each look was taken without, ``[..., look, arm, seed]``."""
    *studies, arms, seeds = runs.states.shape
    shape = (*studies, looks, arms, seeds)
    given = np.asarray(False if absent is None else absent, np.bool_)
    if given.ndim and given.shape != shape:
        raise ValueError(
            f"absent must be [..., look, arm, seed] with shape {shape}; got {given.shape}. "
            "Pass one boolean per look and run."
        )
    return np.broadcast_to(given, shape)


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
