"""Decides which trials are due, given the verdicts of the looks so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ablation import tracking
from ablation.records.outcome import Outcome
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


def decide_seeds(
    plan: Plan, outcomes: Mapping[str, Outcome], examples: Callable[[], pd.DataFrame]
) -> Mapping[str, int]:
    """Judges the looks that are reached; returns arm to the seeds planned for it.

    Before the first look no arm can be decided, so the judging code is not even imported, and
    nothing is returned.

    Args:
        plan: The plan.
        outcomes: Key to outcome of the trials that are done.
        examples: Reads the examples frame, on which verdicts about new examples rest.
    """
    declared = plan.declaration
    opening = due_trials(plan, {})
    if len(declared.looks) == 1 or any(trial.key not in outcomes for trial in opening):
        return {}
    from ablation.analysis.evidence import gather_evidence

    runs = tracking.runs_frame(plan.study.name, declared, outcomes)
    hashes = tracking.hashes_frame(declared, outcomes)
    evidence = gather_evidence(runs, hashes, declared, examples())
    return dict(zip(evidence.arms, evidence.walk().seeds.tolist(), strict=True))
