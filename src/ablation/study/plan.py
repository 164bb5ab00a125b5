"""The plan of a study on its data: its declaration and its ordered trials."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ablation.errors import Refused
from ablation.records.declaration import Declaration, DeclaredArm
from ablation.records.metric import METRICS, Metric
from ablation.study.arm import Arm
from ablation.study.identity import arm_hash, key_of
from ablation.study.searched import declared_values, searched_of
from ablation.study.spec import Study
from ablation.task import Identity, Prepared


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One cell of the plan."""

    study: str
    """The study's name."""
    arm: Arm
    seed: int
    config_hash: str
    """12 hex digits over the arm's configuration, the data's content and user-defined code."""
    first_seed: int = 0
    """The study's ``first_seed``."""
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Name to hash of each user-defined source and input."""

    @property
    def key(self) -> str:
        """``study/config/seed``; does not depend on the arm's name."""
        return key_of(self.study, self.config_hash, self.seed)

    @property
    def config(self) -> Any:
        """The run configuration; of an arm that is tuned in every block, that of this one."""
        return self.arm.by_seed.get(self.seed, self.arm.config)

    @property
    def training_seed(self) -> int:
        """The seed that the run's random streams derive from; an A/A copy adds its offset."""
        return self.first_seed + self.seed + (self.arm.seed_offset or 0)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A study on its data: everything that is fixed before the first run, derived once."""

    study: Study
    declaration: Declaration
    """Everything the study fixed, including the hash of each arm."""
    data: Prepared
    """The data under the study's own configuration."""
    data_by_arm: Mapping[str, Prepared]
    """Arm to its data; the content is the same for all."""
    is_redirected: bool
    """Whether other data replace the study's own."""
    trials: tuple[Trial, ...]
    """All trials that may become due, block by block, so that finished trials form complete
    blocks. An arm that a look decides skips the rest of its trials."""

    def data_of(self, trial: Trial) -> Prepared:
        """Returns the data that a trial is trained on."""
        return self.data_by_arm[trial.arm.name]

    def guess_seconds(self, trials: Iterable[Trial]) -> dict[str, float]:
        """Returns configuration hash to a rough guess of the seconds of one training."""
        guess, found = self.study.task.seconds, dict[str, float]()
        for trial in trials:
            if trial.config_hash not in found:
                found[trial.config_hash] = guess(trial.arm.config, self.data_of(trial))
        return found

    def label(self, taken: Mapping[str, str]) -> str:
        """Returns the label of the study on its data: ``init_std``, or ``init_std@trec``.

        Args:
            taken: Labels in use, each with the fingerprint of its data.
        """
        return self.label_as(self.study.name, taken)

    def label_as(self, name: str, taken: Mapping[str, str]) -> str:
        """Returns the label of another study on the same data, as :meth:`label` does."""
        data = self.data.name if self.is_redirected else None
        return label_of(name, data, self.declaration.data, taken)


def make_plan(study: Study, cache: Path, *, is_redirected: bool = False) -> Plan:
    """Prepares a study's data and returns its plan.

    Args:
        study: The study.
        cache: Folder where prepared data are kept.
        is_redirected: Whether other data replace the study's own.

    Raises:
        Refused: If the data cannot be used, the margin is below the metric's quantum on them, or
            the source of a user-defined class cannot be read.
    """
    arms = study.complete_arms
    data, *by_arm = study.task.prepare([study.config, *(arm.config for arm in arms)], cache)
    identities = [_limited(study, study.task.identify(arm.config)) for arm in arms]
    declared = tuple(
        DeclaredArm(
            name=arm.name,
            config=arm_hash(arm, identity, data.fingerprint, study.first_seed),
            values=declared_values(study, identity.values),
        )
        for arm, identity in zip(arms, identities, strict=True)
    )
    trials = tuple(
        Trial(
            study=study.name,
            arm=arm,
            seed=seed,
            config_hash=known.config,
            first_seed=study.first_seed,
            sources=identity.sources,
        )
        for seed in range(study.most_seeds)
        for arm, known, identity in zip(arms, declared, identities, strict=True)
    )
    return Plan(
        study=study,
        declaration=_declare(study, data, declared),
        data=data,
        data_by_arm={arm.name: of for arm, of in zip(arms, by_arm, strict=True)},
        is_redirected=is_redirected,
        trials=trials,
    )


def _limited(study: Study, identity: Identity) -> Identity:
    """Returns an arm's identity with the limits that the study declares for a trial, if any."""
    limits = {"timeout": study.timeout, "memory": study.memory}
    given = {name: repr(float(limit)) for name, limit in limits.items() if limit is not None}
    return identity._replace(values={**identity.values, **given}) if given else identity


def _declare(study: Study, data: Prepared, arms: tuple[DeclaredArm, ...]) -> Declaration:
    """Returns the study's declaration; chance and quantum are the task's.

    Without a chance level, neither the floor ``chance`` nor the rule ``half`` means anything.
    """
    metric, rows = study.measure, data.rows.get("test")
    chance, quantum = study.task.guess(metric.name, data)
    if study.margin is not None and study.margin < quantum:
        raise Refused(
            f"A margin of {study.margin!r} is below the step of {metric.name} on {rows} test "
            f"examples, {quantum:.2g}.",
            f"Declare a margin of at least {quantum:.2g}, or take data with a larger test split.",
        )
    if chance is None and isinstance(study.collapse, float | int):
        raise Refused(
            f"collapse={study.collapse!r} is a distance from chance, and {metric.name!r} has no "
            "chance.",
            "Give the metric a chance: Metric(..., chance=...), or leave collapse out.",
        )
    half = study.collapse if chance is not None else None
    return Declaration(
        name=study.name,
        arms=arms,
        baseline=study.baseline_name,
        factor=study.factor,
        metric=metric.name,
        margin=_float(study.margin),
        floor=chance if study.floor == "chance" else _float(study.floor),
        chance=chance,
        collapse=half if isinstance(study.collapse, str) else _float(study.collapse),
        quantum=quantum,
        looks=study.schedule,
        data=data.fingerprint,
        scope=study.scope,
        first_seed=study.first_seed,
        confirm=study.confirm,
        described=None if study.task.metrics is METRICS else _described(metric),
        searched=searched_of(study, data.fingerprint),
    )


def _described(metric: Metric) -> Metric:
    """Returns a user-defined metric without its chance, which the declaration has."""
    return dataclasses.replace(metric, chance=None)


def label_of(study: str, data: str | None, fingerprint: str, taken: Mapping[str, str]) -> str:
    """Returns the label of a study on its data: ``init_std``, or ``init_std@trec``.

    A name that is taken by other data gets six digits of the fingerprint.

    Args:
        study: The study's name.
        data: Name of the data that replace the study's own, or None.
        fingerprint: Hash of the content of the data.
        taken: Labels in use, each with the fingerprint of its data.

    >>> label_of("init_std", "my texts", "0123456789ab", taken={})
    'init_std@my-texts'
    >>> label_of("init_std", "trec", "0123456789ab", taken={"init_std@trec": "ffffffffffff"})
    'init_std@trec-012345'
    """
    if data is None:
        return study
    label = f"{study}@{re.sub(r'[^A-Za-z0-9_.-]+', '-', data)}"
    return label if taken.get(label, fingerprint) == fingerprint else f"{label}-{fingerprint[:6]}"


def _float(number: float | str | None) -> float | None:
    return None if number is None else float(number)
