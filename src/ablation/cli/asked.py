"""Turns command-line options into a plan, and reads the plan's state from the mirror."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ablation import mirror
from ablation.analysis.due import due_trials
from ablation.mirror import DONE, Mirrored
from ablation.records.metric import Metric
from ablation.records.outcome import Outcome
from ablation.records.places import places
from ablation.records.typed import portable, read_typed, typed
from ablation.study.load import run_by
from ablation.study.plan import Plan, Trial, make_plan
from ablation.study.spec import Study
from ablation.task import Redirection
from ablation.tracking import outbox_of

START_UP = 0.2
"""Minutes until the workers have started and the databases are open."""


def plan_of(study: Study, other: Redirection, seeds: int | None = None) -> Plan:
    """Applies the options to a study, prepares its data and returns the plan.

    Args:
        study: The study.
        other: Data that replace the study's own.
        seeds: Seeds per arm; replaces the study's seeds and looks.

    Raises:
        Refused: If the study or its data cannot be used.
    """
    config = study.task.redirect(study.config, other)
    is_redirected = config != study.config
    command = _command(study, other, seeds)
    if is_redirected:  # deriving 3,000 arms anew takes a second
        study = dataclasses.replace(study, config=config)
    if seeds is not None:
        study = dataclasses.replace(study, seeds=seeds, looks=(), spend=())
    study = run_by(command, study)
    return make_plan(study, cache_folder(), is_redirected=is_redirected)


def check_arms(given: Plan) -> Sequence[str]:
    """Refuses arms that cannot be trained; returns warnings about those that can.

    Raises:
        Refused: If a configuration does not suit its data, or user-defined code fails.
    """
    from ablation.execute.alone import alone

    arms = given.study.complete_arms
    with alone(0):  # user-defined code may set anything for the process
        return given.study.task.check([(arm.config, given.data_by_arm[arm.name]) for arm in arms])


def replan(given: Plan, study: Study) -> Plan:
    """Returns the plan of a study that follows from a planned one, on the same data."""
    return make_plan(study, cache_folder(), is_redirected=given.is_redirected)


def _command(study: Study, other: Redirection, seeds: int | None) -> str:
    """Returns the arguments that run a study with these options; nothing where no command does."""
    if not study.command:
        return ""
    name, _ = read_typed(study.command)
    data = None if other.data is None else portable(other.data)
    options = {"data": data, "text": other.text, "label": other.label, "seeds": seeds}
    return typed(name, options)


def cache_folder() -> Path:
    """Returns the folder where prepared data are kept."""
    return Path(os.environ.get("ABLATION_CACHE", ".cache/ablation"))


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """The state of a study, read from its mirror."""

    label: str
    measure: Metric
    planned: Sequence[Trial]
    note: str
    """A warning about the mirror or an interrupted run; empty if all is well."""
    mirrored: Mapping[str, Mirrored]
    unsent: int = 0
    """Trials that are acknowledged and not recorded yet."""
    deviation: float | None = None
    """Standard deviation over test examples of a difference, as earlier runs showed it."""

    @property
    def metric(self) -> str:
        """The name of the study's metric."""
        return self.measure.name

    @property
    def heading(self) -> str:
        """The label, and what a cell of the matrix shows."""
        unit = f" in {self.measure.unit}" if self.measure.unit else ""
        return f"{self.label}, {self.measure.title} on test{unit}"

    def state(self, trial: Trial) -> str:
        """Returns COMPLETE, FAIL, RUNNING or WAITING."""
        return self.mirrored[trial.key].state if trial.key in self.mirrored else "WAITING"

    def outcome(self, trial: Trial) -> Outcome | None:
        """Returns the outcome of a trial, None if it has none yet."""
        return self.mirrored[trial.key].outcome if trial.key in self.mirrored else None

    @property
    def missing(self) -> list[Trial]:
        """The planned trials that are not done, in the plan's order."""
        return [trial for trial in self.planned if self.state(trial) not in DONE]

    def counts(self) -> tuple[Counter[str], Counter[str]]:
        """Returns arm to its number of planned trials, and to that of the missing ones."""
        planned, missing = (
            Counter(trial.arm.name for trial in trials) for trials in (self.planned, self.missing)
        )
        return planned, missing

    def shown(self, trial: Trial) -> str:
        """Returns the text of a matrix cell: the metric, the reason of a failure, or the state."""
        outcome = self.outcome(trial)
        if outcome is None:
            return "running" if self.state(trial) == "RUNNING" and not self.note else "."
        value = outcome.metrics.get(f"test/{self.metric}")
        if value is None:
            return outcome.reason or "failed"
        return f"{self.measure.factor * value:.{self.measure.digits - 1}f}"

    def took(self, trial: Trial) -> str:
        """Returns the duration of the training, such as ``" 3 s"``; empty before it has ended."""
        outcome = self.outcome(trial)
        return "" if outcome is None else f" {outcome.seconds:.0f} s"

    def values(self, arm: str) -> list[float]:
        """Returns the sorted test metrics of an arm's finished runs."""
        outcomes = [self.outcome(trial) for trial in self.planned if trial.arm.name == arm]
        found = (o.metrics.get(f"test/{self.metric}") for o in outcomes if o is not None)
        return sorted(value for value in found if value is not None)


def look_up(plan: Plan, store: Path | None) -> Seen:
    """Returns the state of a plan, read from the mirror alone."""
    where, metric = places(store), plan.declaration.metric
    label, found, seeds, deviation = plan.label({}), {}, {}, None
    if where.mirror_exists:
        with mirror.reading(where.storage) as query:
            label = plan.label(mirror.labels_taken(query))
            found = mirror.trials(query, label, metric)
            seeds = mirror.planned_seeds(query, label, plan.declaration.hash)
            deviation = mirror.example_deviation(query, label, plan.declaration.data, metric)
    planned = due_trials(plan, seeds)
    outbox = outbox_of(where, plan.study.name)
    unsent = {key: Mirrored("COMPLETE" if each.status == "FINISHED" else "FAIL", each)
              for key, each in outbox.outcomes(label).items()}  # fmt: skip
    recorded = {key for key, each in found.items() if each.outcome is not None}
    found = {**found, **{key: unsent[key] for key in unsent.keys() - recorded}}
    note = ""
    if not where.mirror_exists and where.record_exists:
        note = "The mirror is missing, so no trial is shown as done; run the study to rebuild it."
    elif any(
        trial.key in found and found[trial.key].state == "RUNNING" for trial in planned
    ) and not where.is_busy(plan.study.name):
        note = "The last run was interrupted; run the study again to continue."
    left = len(unsent.keys() - recorded)
    return Seen(label, plan.declaration.measure, planned, note, found, left, deviation)


def estimate(plan: Plan, seen: Seen, missing: Sequence[Trial], workers: int) -> str:
    """Returns a sentence that estimates the time for the missing trials.

    Args:
        plan: The plan.
        seen: The state of the plan.
        missing: The missing trials.
        workers: Number of training processes.
    """
    timed = [each.outcome.seconds for each in seen.mirrored.values() if each.outcome]
    if timed:
        seconds, basis = len(missing) * sum(timed) / len(timed), "from the finished trials"
    else:
        guesses = plan.guess_seconds(missing)
        seconds = sum(guesses[trial.config_hash] for trial in missing)
        basis = "a rough guess until a trial has finished"
    minutes = seconds / workers / 60
    return f"About {minutes + START_UP:.1f} minutes with {workers} workers ({basis})."


def cores() -> int:
    """Returns the number of cores that affinity and the container's quota allow this process."""
    from loky.backend.context import cpu_count

    return int(cpu_count())
