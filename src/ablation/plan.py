"""The ordered trials that answer a study, and which of them are missing."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from ablation.config import DataConfig, RunConfig
from ablation.data import Encoded
from ablation.errors import Refused
from ablation.records.declaration import Declaration, DeclaredArm
from ablation.records.digest import digest
from ablation.records.metric import METRICS
from ablation.spec import Arm, Study, config_values


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One cell of the plan."""

    study: str
    """The study's name."""
    arm: Arm
    seed: int
    config_hash: str
    """12 hex digits over the arm's configuration, the data's content and the user's classes."""

    @property
    def key(self) -> str:
        """``study/config/seed``: what the trial is, whatever its arm is called."""
        return key_of(self.study, self.config_hash, self.seed)

    @property
    def training_seed(self) -> int:
        """The seed that the run's streams derive from: the block's, but for a copy in an A/A."""
        return self.seed + (self.arm.seed_offset or 0)


def key_of(study: str, config_hash: str, seed: int) -> str:
    """Returns what identifies a trial wherever it is recorded."""
    return f"{study}/{config_hash}/{seed}"


def missing(trials: Iterable[Trial], done: Container[str]) -> tuple[Trial, ...]:
    """Returns the planned trials whose key is not among the done ones, in the plan's order."""
    return tuple(trial for trial in trials if trial.key not in done)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A study on its data: everything that is fixed before the first run, derived once."""

    study: Study
    declaration: Declaration
    """What the study fixed, the hash of each arm included."""
    corpora: Mapping[DataConfig, Encoded]
    """The encoded data of each arm's configuration; all of one content."""
    is_redirected: bool
    """Whether other data stand in for the study's own."""
    trials: tuple[Trial, ...]
    """Seed by seed, arms inside, so that what is done is complete blocks. These are all trials
    that may become due; an arm that a look decides leaves out the rest of its trials."""

    @property
    def encoded(self) -> Encoded:
        """The data under the study's own configuration."""
        return self.corpora[self.study.config.data]

    def data_of(self, trial: Trial) -> Encoded:
        """Returns the data that a trial is trained on."""
        return self.corpora[trial.arm.config.data]

    def label(self, taken: Mapping[str, str]) -> str:
        """Returns what the study is called with its data: ``init_std``, or ``init_std@trec``.

        Args:
            taken: Labels in use, with the fingerprint of the data that each stands for.
        """
        data = self.encoded.name if self.is_redirected else None
        return label_of(self.study.name, data, self.declaration.data, taken)


def make_plan(
    study: Study, corpora: Mapping[DataConfig, Encoded], *, is_redirected: bool = False
) -> Plan:
    """Returns the plan of a study on its data.

    Args:
        study: The study.
        corpora: The encoded data of each arm's configuration.
        is_redirected: Whether other data stand in for the study's own.

    Raises:
        Refused: If no single run can show the margin on this data, or the source of a
            user-defined class cannot be read.
    """
    encoded = corpora[study.config.data]
    metric = METRICS[study.metric]
    quantum = metric.quantum(encoded.rows["test"])
    _check_margin(study, encoded.rows["test"], quantum)
    chance = metric.chance(encoded.test_counts())
    hashes = [arm_hash(arm, encoded.fingerprint) for arm in study.complete_arms]
    hashed = list(zip(study.complete_arms, hashes, strict=True))
    declaration = Declaration(
        name=study.name,
        arms=tuple(
            DeclaredArm(name=arm.name, config=hash_, values=config_values(arm.config))
            for arm, hash_ in hashed
        ),
        baseline=study.baseline_name,
        factor=study.factor,
        metric=study.metric,
        margin=_float(study.margin),
        floor=chance if study.floor == "chance" else _float(study.floor),
        chance=chance,
        collapse=_float(study.collapse),
        quantum=quantum,
        looks=study.schedule,
        data=encoded.fingerprint,
    )
    trials = tuple(
        Trial(study=study.name, arm=arm, seed=seed, config_hash=hash_)
        for seed in range(study.most_seeds)
        for arm, hash_ in hashed
    )
    return Plan(
        study=study,
        declaration=declaration,
        corpora=corpora,
        is_redirected=is_redirected,
        trials=trials,
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


def _check_margin(study: Study, test_rows: int, quantum: float) -> None:
    """Refuses a margin that no single run can show on this data."""
    if study.margin is not None and study.margin < quantum:
        raise Refused(
            f"A margin of {study.margin!r} is below the {study.metric}'s quantum on {test_rows} "
            f"test texts, {quantum:.2g}.",
            f"Declare a margin of at least {quantum:.2g}, or take data with a larger test split.",
        )


def seconds_guess(config: RunConfig, train_rows: int, train_tokens: int) -> float:
    """Returns a rough guess of one training's seconds, for use before any run was timed.

    What one training takes beside another of the same study is nearer to the truth.

    The constants are those of one core of a small cloud machine, for states 128 wide.
    """
    step, token = {
        "none": (1.5e-3, 0.5e-6), "cnn": (1.5e-3, 3e-6), "bilstm": (2e-3, 6e-6)
    }.get(config.model.encoder, (3e-3, 5e-6))  # fmt: skip
    steps = train_rows / config.train.batch_size
    width = config.model.hidden_size / 128
    return config.train.epochs * (steps * step + train_tokens * token * width)


def config_hash(config: RunConfig, fingerprint: str) -> str:
    """Returns 12 hex digits over all that decides a run but its seed.

    That is the configuration, the content of data and embeddings in place of their whereabouts,
    and the source of the modules that hold classes of the user's.
    """
    model = config.model
    sources = [_source(name) for name in model.encoders + model.poolings]
    sources.append(None if model.embedding_file is None else _content(model.embedding_file))
    return digest(config_values(config), fingerprint, sources)


def arm_hash(arm: Arm, fingerprint: str) -> str:
    """Returns the hash of an arm's configuration; that of a copy in an A/A study differs."""
    plain = config_hash(arm.config, fingerprint)
    return plain if arm.seed_offset is None else digest(plain, "copy", arm.seed_offset)


def _float(number: float | str | None) -> float | None:
    return None if number is None else float(number)


@functools.lru_cache
def _content(path: str) -> str:
    """Returns the SHA-256 of a file."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        rule = f"The embeddings {path!r} cannot be read: {error.strerror}."
        raise Refused(rule, "Change model.embedding_file.") from error


def _source(name: str) -> str | None:
    """Returns the text of what ``package.module:Class`` is written in, without running the module.

    That is the module's file, or every file of its package, since a class may lean on its
    neighbours.
    """
    module, colon, _ = name.partition(":")
    if not colon:
        return None
    top, _, _ = module.partition(".")
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        found = None
    folders = [] if found is None else list(found.submodule_search_locations or [])
    origin = None if found is None or folders else found.origin
    files = [Path(origin)] if origin and origin.endswith(".py") else []
    files += sorted(file for folder in folders for file in Path(folder).rglob("*.py"))
    if not files:
        raise Refused(
            f"No module {top!r} written in Python can be imported, which {name!r} names.",
            "Run where it is importable: beside the study file, in this folder, or installed.",
        )
    return "\n".join(file.read_text(encoding="utf-8") for file in files)
