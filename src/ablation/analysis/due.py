"""Decides which trials are due, given the verdicts of the looks so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ablation import tracking
from ablation.records.outcome import Outcome
from ablation.records.taken import Absent, Taken
from ablation.study.plan import Plan, Trial

if TYPE_CHECKING:
    import pandas as pd


def due_trials(plan: Plan, seeds: Mapping[str, int]) -> tuple[Trial, ...]:
    """Returns the trials that are due: a decided arm gets no more seeds.

    Args:
        plan: The plan.
        seeds: Arm to the seeds planned for it, by what the looks so far decided; an arm that is
            not among them has those of the first look.
    """
    first = plan.declaration.looks[0].seeds
    return tuple(t for t in plan.trials if t.seed < seeds.get(t.arm.name, first))


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """The decisions of the looks so far."""

    seeds: Mapping[str, int]
    """Arm to the seeds planned for it; empty before the first look."""
    taken: Taken
    """Looks that were taken although runs were missing."""


def decide_looks(
    plan: Plan,
    outcomes: Mapping[str, Outcome],
    examples: Callable[[], pd.DataFrame],
    *,
    taken: Taken,
    given_up: Absent = frozenset(),
) -> Decided:
    """Takes and judges the looks that are reached.

    Before the first look no arm can be decided, so the judging code is not even imported.

    Args:
        plan: The plan.
        outcomes: Key to outcome of the trials that are done.
        examples: Reads the examples frame, on which verdicts about new examples rest.
        taken: Looks that were taken although runs were missing.
        given_up: Arm and seed of trials that ended without an outcome and are not repeated in
            this start: no look waits for them.
    """
    declared = plan.declaration
    first = declared.looks[0].seeds
    excused = given_up | taken.get(first, frozenset())
    short = any(
        trial.key not in outcomes and (trial.arm.name, trial.seed) not in excused
        for trial in due_trials(plan, {})
    )
    if short or (len(declared.looks) == 1 and not given_up):
        return Decided(seeds={}, taken=taken)
    from ablation.analysis.evidence import gather_evidence
    from ablation.analysis.taken import take_looks

    runs = tracking.runs_frame(plan.study.name, declared, outcomes)
    hashes = tracking.hashes_frame(declared, outcomes)
    evidence = gather_evidence(runs, hashes, declared, examples(), taken)
    evidence = take_looks(evidence, given_up)
    seeds = dict(zip(evidence.arms, evidence.walk().seeds.tolist(), strict=True))
    return Decided(seeds=seeds, taken=evidence.taken)
