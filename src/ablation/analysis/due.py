"""Decides which trials are due, given the verdicts of the looks so far."""

from __future__ import annotations

from collections.abc import Mapping

from ablation import tracking
from ablation.records.outcome import Outcome
from ablation.study.plan import Plan, Trial


def due_trials(plan: Plan, outcomes: Mapping[str, Outcome]) -> tuple[Trial, ...]:
    """Returns the trials that are due, finished ones included; decided arms get no more seeds.

    Args:
        plan: The plan.
        outcomes: Key to outcome of the finished trials.
    """
    declared = plan.declaration
    first = declared.looks[0].seeds
    opening = tuple(trial for trial in plan.trials if trial.seed < first)
    is_only = len(declared.looks) == 1
    if is_only or any(trial.key not in outcomes for trial in opening):
        return opening
    # Before the first look no arm can be decided, so the judging code is not even imported.
    from ablation.analysis.effects import judge

    runs = tracking.runs_frame(plan.study.name, declared, outcomes)
    seeds = judge(runs, tracking.hashes_frame(declared, outcomes), declared).seeds
    return tuple(trial for trial in plan.trials if trial.seed < seeds[trial.arm.name])
