"""Trains a recorded run again and compares what comes out, bit for bit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused
from ablation.execute.ahead import job_of
from ablation.execute.stamp import stamp
from ablation.execute.worker import THREADS, Ran, run_trial
from ablation.records.failure import Failure
from ablation.tracking import LOGITS, WEIGHTS

if TYPE_CHECKING:
    from pathlib import Path

    from ablation.execute.crew import Crew
    from ablation.records.outcome import Outcome, RunResult
    from ablation.study.plan import Plan, Trial

HASHES = (WEIGHTS, LOGITS)
SURROUNDINGS = ("ablation.version.", "ablation.commit", "ablation.processor", THREADS)
"""Beginnings of the tags that say under what a run was trained."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A recorded run beside the same trial trained again; empty where they are equal."""

    results: Mapping[str, tuple[object, object]]
    """Metric, hash or status to what was recorded and what came out, where they differ."""
    surroundings: Mapping[str, tuple[object, object]]
    """Commit, version, processor or threads to what was recorded and what is now."""
    compared: int
    """Number of results that were compared."""


def trial_of(plan: Plan, outcome: Outcome) -> Trial:
    """Returns the trial of a plan that a run was.

    Raises:
        Refused: If the plan has no arm of the run's configuration, data and code.
    """
    wanted, seed = outcome.tags["ablation.config"], int(outcome.tags["ablation.seed"])
    for trial in plan.trials:
        if trial.config_hash == wanted:
            return dataclasses.replace(trial, seed=seed)
    commit = outcome.tags.get("ablation.commit", "")
    raise Refused(
        f"Arm {outcome.tags['ablation.arm']!r} of study {plan.study.name!r} is not what it was in "
        "this run: its configuration, data or code have changed.",
        f"Check out the commit {commit}, or name the data with --data."
        if commit
        else "Name the study file or the data that it was trained with.",
    )


def rerun(plan: Plan, outcome: Outcome, crew: Crew, folder: Path) -> Comparison:
    """Trains a run's trial again and compares the results.

    Args:
        plan: The plan of the run's study.
        outcome: The run.
        crew: Trains the trial.
        folder: Folder for the progress file.

    Raises:
        Refused: If the plan has no such trial, or its training raises.
    """
    trial, device = trial_of(plan, outcome), outcome.tags.get("ablation.device", "auto")
    ran: Ran = crew.submit(run_trial, job_of(plan, trial, folder, device)).result()
    if isinstance(ran.ending, Failure):
        raise Refused(f"The training raised {ran.ending}.", "Fix it and run it again.")
    before = {name: outcome.tags.get(name) for name in HASHES} | _results_of(outcome)
    now = {WEIGHTS: ran.ending.weights_hash, LOGITS: ran.ending.logits_hash}
    now |= _results_of(ran.ending)
    known = {n: v for n, v in outcome.tags.items() if n.startswith(SURROUNDINGS)}
    here = stamp(plan.study.task.libraries) | dict(ran.facts)
    return Comparison(
        results=_differing(before, now),
        surroundings=_differing(known, {name: here.get(name) for name in known}),
        compared=len(before.keys() | now.keys()),
    )


def _results_of(ended: Outcome | RunResult) -> dict[str, Any]:
    return {"status": ended.status, "reason": ended.reason, **ended.metrics}


def _differing(
    before: Mapping[str, object], now: Mapping[str, object]
) -> dict[str, tuple[object, object]]:
    """Returns the differences; two NaNs are equal."""
    names = sorted(before.keys() | now.keys())
    pairs = {name: (before.get(name), now.get(name)) for name in names}
    return {name: (old, new) for name, (old, new) in pairs.items() if repr(old) != repr(new)}
