"""The plan of a study on its data, and the ordered trials that answer it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from ablation.errors import Refused
from ablation.records.declaration import Declaration, DeclaredArm
from ablation.study.identity import arm_hash, key_of
from ablation.study.spec import Arm, Study
from ablation.task import Prepared


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One cell of the plan."""

    study: str
    """The study's name."""
    arm: Arm
    seed: int
    config_hash: str
    """12 hex digits over the arm's configuration, the data's content and user-defined classes."""

    @property
    def key(self) -> str:
        """``study/config/seed``: what the trial is, whatever its arm is called."""
        return key_of(self.study, self.config_hash, self.seed)

    @property
    def training_seed(self) -> int:
        """The seed that the run's streams derive from: the block's, except for copies in A/A."""
        return self.seed + (self.arm.seed_offset or 0)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A study on its data: everything that is fixed before the first run, derived once."""

    study: Study
    declaration: Declaration
    """What the study fixed, the hash of each arm included."""
    data: Prepared
    """The data under the study's own configuration."""
    data_by_arm: Mapping[str, Prepared]
    """Arm to its data; all of one content."""
    is_redirected: bool
    """Whether other data stand in for the study's own."""
    trials: tuple[Trial, ...]
    """Seed by seed, arms inside, so that what is done is complete blocks. These are all trials
    that may become due; an arm that a look decides leaves out the rest of its trials."""

    def data_of(self, trial: Trial) -> Prepared:
        """Returns the data that a trial is trained on."""
        return self.data_by_arm[trial.arm.name]

    def label(self, taken: Mapping[str, str]) -> str:
        """Returns what the study is called with its data: ``init_std``, or ``init_std@trec``.

        Args:
            taken: Labels in use, with the fingerprint of the data that each stands for.
        """
        name = self.data.name if self.is_redirected else None
        return label_of(self.study.name, name, self.declaration.data, taken)


def make_plan(study: Study, cache: Path, *, is_redirected: bool = False) -> Plan:
    """Prepares a study's data and returns its plan.

    Args:
        study: The study.
        cache: Folder where prepared data are kept.
        is_redirected: Whether other data stand in for the study's own.

    Raises:
        Refused: If the data cannot be used, no single run can show the margin on them, or the
            source of a user-defined class cannot be read.
    """
    arms = study.complete_arms
    data, *by_arm = study.task.prepare([study.config, *(arm.config for arm in arms)], cache)
    identities = [study.task.identify(arm.config) for arm in arms]
    declared = tuple(
        DeclaredArm(
            name=arm.name,
            config=arm_hash(arm, identity, data.fingerprint),
            values=identity.values,
        )
        for arm, identity in zip(arms, identities, strict=True)
    )
    trials = tuple(
        Trial(study=study.name, arm=arm, seed=seed, config_hash=known.config)
        for seed in range(study.most_seeds)
        for arm, known in zip(arms, declared, strict=True)
    )
    return Plan(
        study=study,
        declaration=_declare(study, data, declared),
        data=data,
        data_by_arm={arm.name: of for arm, of in zip(arms, by_arm, strict=True)},
        is_redirected=is_redirected,
        trials=trials,
    )


def _declare(study: Study, data: Prepared, arms: tuple[DeclaredArm, ...]) -> Declaration:
    """Returns everything the study fixed; chance and quantum follow from the test split."""
    metric, rows = study.task.metrics[study.metric], data.rows["test"]
    chance, quantum = metric.chance(data.test_counts()), metric.quantum(rows)
    if study.margin is not None and study.margin < quantum:
        raise Refused(
            f"A margin of {study.margin!r} is below the {study.metric}'s quantum on {rows} test "
            f"texts, {quantum:.2g}.",
            f"Declare a margin of at least {quantum:.2g}, or take data with a larger test split.",
        )
    return Declaration(
        name=study.name,
        arms=arms,
        baseline=study.baseline_name,
        factor=study.factor,
        metric=study.metric,
        margin=_float(study.margin),
        floor=chance if study.floor == "chance" else _float(study.floor),
        chance=chance,
        collapse=study.collapse if isinstance(study.collapse, str) else _float(study.collapse),
        quantum=quantum,
        looks=study.schedule,
        data=data.fingerprint,
        scope=study.scope,
    )


def label_of(study: str, data: str | None, fingerprint: str, taken: Mapping[str, str]) -> str:
    """Returns what a study is called with its data: ``init_std``, or ``init_std@trec``.

    Args:
        study: The study's name.
        data: Name of the data that replace the study's own, None where none do.
        fingerprint: Hash of the content of the data.
        taken: Labels in use, with the fingerprint of the data that each stands for.
    """
    if data is None:
        return study
    label = f"{study}@{re.sub(r'[^A-Za-z0-9_.-]+', '-', data)}"
    return label if taken.get(label, fingerprint) == fingerprint else f"{label}-{fingerprint[:6]}"


def _float(number: float | str | None) -> float | None:
    return None if number is None else float(number)
