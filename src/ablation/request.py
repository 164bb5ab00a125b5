"""What the command line was asked for: a study with its data, and what its mirror shows."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ablation import spec
from ablation.config import DataConfig
from ablation.data import Encoded, prepare
from ablation.errors import Refused
from ablation.execute import looks, mirrored
from ablation.execute.mirrored import Mirrored
from ablation.plan import Trial, check_margin, label_of, seconds_guess, trials_of
from ablation.records.places import places
from ablation.spec import STUDIES, Study

START_UP = 0.2
"""Minutes until workers have started and the databases are open."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A study as the command line asked for it, with its data."""

    study: Study
    corpora: Mapping[DataConfig, Encoded]
    """The encoded data of each arm's configuration."""
    replaced: bool
    """Whether the data stand in for the study's own."""

    @property
    def encoded(self) -> Encoded:
        """The data under the study's own configuration."""
        return self.corpora[self.study.config.data]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial that may come to be planned."""
        return trials_of(self.study, self.encoded.fingerprint)

    def label(self, taken: Mapping[str, str]) -> str:
        """What the study is called with its data, given the labels in use."""
        data = self.encoded.name if self.replaced else None
        return label_of(self.study.name, data, self.encoded.fingerprint, taken)


def ask(
    name: str, data: str | None, text: str | None, label: str | None, seeds: int | None
) -> Asked:
    """Loads the study, puts in what the options replace, and prepares its data.

    Raises:
        Refused: If the study or its data cannot be used.
    """
    study = spec.load(name, STUDIES)
    given = study.config.data
    wanted = dataclasses.replace(given, text=text or given.text, label=label or given.label)
    if data is not None:
        source, at, revision = data.partition("@")
        if Path(data).exists() or not at:
            source, revision = data, ""
        wanted = dataclasses.replace(wanted, source=source, revision=revision or None)
    config = dataclasses.replace(study.config, data=wanted)
    study = dataclasses.replace(study, config=config)
    if seeds is not None:
        study = dataclasses.replace(study, seeds=seeds, looks=(), spend=())
    cache = Path(os.environ.get("ABLATION_CACHE", ".cache/ablation"))
    configs = {config.data, *(arm.config.data for arm in spec.arms_of(study))}
    corpora = {each: prepare(each, cache=cache) for each in configs}
    check_margin(study, corpora[config.data].rows["test"])
    return Asked(study, corpora, replaced=wanted != given)


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A study as its mirror shows it."""

    label: str
    metric: str
    planned: Sequence[Trial]
    note: str
    """What a reader of the mirror should know about it; empty where nothing is amiss."""
    mirrored: Mapping[str, Mirrored]

    def state(self, trial: Trial) -> str:
        """COMPLETE, FAIL, RUNNING or WAITING."""
        return self.mirrored[trial.key].state if trial.key in self.mirrored else "WAITING"

    def shown(self, trial: Trial) -> str:
        """The metric, the reason of a failure, or the state, for a cell of a matrix."""
        outcome = self.mirrored[trial.key].outcome if trial.key in self.mirrored else None
        if outcome is None:
            return "running" if self.state(trial) == "RUNNING" and not self.note else "."
        value = outcome.metrics.get(f"test/{self.metric}")
        return f"{value:.3f}" if value is not None else outcome.reason or "failed"

    def took(self, trial: Trial) -> str:
        """How long the training took, where it has ended."""
        outcome = self.mirrored[trial.key].outcome if trial.key in self.mirrored else None
        return "" if outcome is None else f" {outcome.seconds:.0f} s"

    def values(self, arm: str) -> list[float]:
        """The metric of an arm's runs that are done."""
        keys = {trial.key for trial in self.planned if trial.arm.name == arm}
        outcomes = [self.mirrored[key].outcome for key in keys & self.mirrored.keys()]
        found = (o.metrics.get(f"test/{self.metric}") for o in outcomes if o is not None)
        return sorted(value for value in found if value is not None)


def look_up(asked: Asked, store: Path | None) -> Seen:
    """Reads a study's plan and its state from the mirror alone."""
    where, metric = places(store), asked.study.metric
    label, found = asked.label({}), {}
    if where.mirror_exists:
        with mirrored.reading(where.storage) as query:
            label = asked.label(mirrored.labels_taken(query))
            found = mirrored.trials(query, label, metric)
    outcomes = {key: each.outcome for key, each in found.items() if each.outcome is not None}
    declared = looks.declare(asked.study, asked.encoded)
    planned = looks.planned(asked.trials, outcomes, label, declared)
    note = ""
    if not where.mirror_exists and where.record_exists:
        note = "The mirror is missing, so nothing is shown as done; running the study rebuilds it."
    elif any(
        trial.key in found and found[trial.key].state == "RUNNING" for trial in planned
    ) and not where.is_busy(asked.study.name):
        note = "It was cut off in the midst; running it goes on from here."
    return Seen(label, metric, planned, note, found)


def estimate(asked: Asked, seen: Seen, missing: Sequence[Trial], workers: int) -> str:
    """Returns a sentence: about how long the missing trials take.

    Args:
        asked: The study.
        seen: What its mirror shows.
        missing: The trials.
        workers: Processes that train.
    """
    timed = [each.outcome.seconds for each in seen.mirrored.values() if each.outcome]
    if timed:
        seconds, basis = len(missing) * sum(timed) / len(timed), "from the trials that are done"
    else:
        train = asked.encoded.split("train")
        size = len(train.labels), len(train.tokens)
        seconds = sum(seconds_guess(trial.arm.config, *size) for trial in missing)
        basis = "a rough guess until a trial has run"
    minutes = seconds / workers / 60
    return f"About {minutes + START_UP:.1f} minutes with {workers} workers ({basis})."


def surely_missing(asked: Asked, store: Path | None) -> bool:
    """Whether the mirror leaves no doubt that there is something to train.

    Where it cannot be read the answer is no: whoever opens the record will say why.
    """
    where, opening = places(store), asked.study.schedule[0][0]
    if not where.mirror_exists:
        return not where.record_exists
    try:
        with mirrored.reading(where.storage) as query:
            label = asked.label(mirrored.labels_taken(query))
            found = mirrored.trials(query, label, asked.study.metric)
    except Refused:
        return False
    done = {key for key, each in found.items() if each.outcome is not None}
    return any(trial.key not in done for trial in asked.trials if trial.seed < opening)
