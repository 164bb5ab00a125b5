"""Writes the mirror: creates it, shows each trial, brings it into line with the record."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused, public
from ablation.mirror.read import DATA, DECLARATION, KEY, LABEL, OUTCOME, PLANNED, RUN
from ablation.records.outcome import Outcome
from ablation.study.plan import Plan, Trial
from ablation.tracking import LOGITS, WEIGHTS

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial
    from sqlalchemy.engine import Connection, Engine

HASHES = (WEIGHTS, LOGITS)


def connect(url: str) -> RDBStorage:
    """Opens an Optuna storage for writing, and creates what is missing.

    Args:
        url: SQLAlchemy address; an SQLite file gets a write-ahead log and waits for locks.

    Raises:
        Refused: If it cannot be reached or was written by another version.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(logging.ERROR)
    sqlite = url.startswith("sqlite:")
    options = {"connect_args": {"timeout": 60}} if sqlite else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
        if sqlite:
            _tune(storage.engine)
    except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError, ImportError) as error:
        raise Refused(
            f"The Optuna storage {public(url)} cannot be used: {str(error).splitlines()[0]}",
            "Check ABLATION_STORAGE or --store; a storage of another Optuna version is brought "
            "up to date by `optuna storage upgrade`.",
        ) from error
    return storage


def failures() -> tuple[type[Exception], ...]:
    """Returns the exceptions by which Optuna and its database say that they failed."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    return (OptunaError, SQLAlchemyError)


def _tune(engine: Engine) -> None:
    """Gives an SQLite file a write-ahead log, and transactions that lock it from the start.

    What a power cut may take from the mirror, the record has. A transaction that reads and then
    writes would find the file locked where another process wrote in between, however long it
    waited; one that begins by taking the lock waits its turn.
    """
    from sqlalchemy import event

    def set_up(connection: Any, _: object) -> None:
        connection.isolation_level = None  # or Python would begin by itself, and too late
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # the connections that are open already
    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)


class Mirror:
    """One Optuna study: a study label under one declaration.

    Args:
        storage: Where it lives.
        name: ``label [declaration hash]``.
        study_id: Optuna's id.
        trials: The plan.
        metric: Name of the metric that a finished trial is told with.
    """

    def __init__(
        self, storage: RDBStorage, name: str, study_id: int, trials: Sequence[Trial], metric: str
    ) -> None:
        self._storage, self._study, self._metric = storage, study_id, metric
        self._name = name
        self._distributions = _distributions(trials)
        self._ids: dict[str, int] = {}

    def reconcile(self, trials: Sequence[Trial], outcomes: Mapping[str, Outcome]) -> None:
        """Brings the mirror into line with what is recorded."""
        by_key = {trial.key: trial for trial in trials}
        mirrored = {cell.user_attrs.get(KEY, ""): cell for cell in self._cells()}
        if any(_contradicts(cell, outcomes.get(key)) for key, cell in mirrored.items()):
            self._clear()
            mirrored = {}
        self._ids = {key: cell._trial_id for key, cell in mirrored.items()}
        for key, trial in by_key.items():
            cell, outcome = mirrored.get(key), outcomes.get(key)
            if outcome is not None and (cell is None or not cell.state.is_finished()):
                self.start(trial)
                self.finish(trial, outcome)
            elif outcome is None and cell is not None:
                self.wait(trial)

    def reconcile_others(self, label: str, outcomes: Mapping[str, Outcome]) -> None:
        """Brings the label's mirrors under earlier declarations into line, too.

        What they show as RUNNING was cut off. One that tells of a run which the record does not
        have is dropped, as a trial that has ended cannot be changed.
        """
        import optuna

        for study in self._storage.get_all_studies():
            if study._study_id == self._study or study.user_attrs.get(LABEL) != label:
                continue
            cells = self._storage.get_all_trials(study._study_id, deepcopy=False)
            known = (outcomes.get(cell.user_attrs.get(KEY, "")) for cell in cells)
            if any(map(_contradicts, cells, known)):
                self._storage.delete_study(study._study_id)
                continue
            for cell in cells:
                if cell.state == optuna.trial.TrialState.RUNNING:
                    waiting = optuna.trial.TrialState.WAITING
                    self._storage.set_trial_state_values(cell._trial_id, waiting)

    def keep_planned(self, seeds: Mapping[str, int]) -> None:
        """Keeps what the looks so far decided, arm to planned seeds, for those who judge nothing.

        `plan` and `status` read it: the scores by example that verdicts rest on are the record's.
        """
        known = self._storage.get_study_user_attrs(self._study).get(PLANNED, {})
        if known != dict(seeds):
            self._storage.set_study_user_attr(self._study, PLANNED, dict(seeds))

    def start(self, trial: Trial) -> None:
        """Shows a trial as RUNNING."""
        import optuna

        known = self._ids.get(trial.key)
        if known is not None:
            self._storage.set_trial_state_values(known, optuna.trial.TrialState.RUNNING)
            return
        template = optuna.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=dict(zip(self._distributions, (trial.arm.name, trial.seed), strict=True)),
            distributions=self._distributions,
            user_attrs={KEY: trial.key},
        )
        self._ids[trial.key] = self._storage.create_new_trial(self._study, template)

    def wait(self, trial: Trial) -> None:
        """Shows a trial that was cut short as WAITING."""
        import optuna

        known = self._ids[trial.key]
        self._storage.set_trial_state_values(known, optuna.trial.TrialState.WAITING)

    def finish(self, trial: Trial, outcome: Outcome) -> None:
        """Shows a trial as COMPLETE with its metric on test, or as FAIL with the reason."""
        import optuna

        known = self._ids[trial.key]
        facts = {
            "epoch": outcome.epoch,
            "seconds": outcome.seconds,
            "hashes": {name: outcome.tags[name] for name in HASHES if name in outcome.tags},
        }
        if outcome.reason is not None:
            facts["reason"] = outcome.reason
        # Each is a transaction of its own, so what belongs together is one attribute.
        self._storage.set_trial_user_attr(known, RUN, outcome.run_id)
        self._storage.set_trial_user_attr(known, OUTCOME, facts)
        value = outcome.metrics.get(f"test/{self._metric}")
        states = optuna.trial.TrialState
        if outcome.status == "FINISHED" and value is not None and math.isfinite(value):
            self._storage.set_trial_state_values(known, states.COMPLETE, [value])
        else:
            self._storage.set_trial_state_values(known, states.FAIL)

    def _cells(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._study, deepcopy=False)

    def _clear(self) -> None:
        """Replaces the study by an empty one of the same name."""
        directions = self._storage.get_study_directions(self._study)
        attributes = self._storage.get_study_user_attrs(self._study)
        self._storage.delete_study(self._study)
        self._study = self._storage.create_new_study(directions, self._name)
        for name, value in attributes.items():
            self._storage.set_study_user_attr(self._study, name, value)


def open_mirror(storage: RDBStorage, plan: Plan, *, label: str) -> Mirror:
    """Finds or creates the Optuna study of a label and declaration.

    A changed declaration is a new Optuna study, because a set of choices is frozen in each.

    Args:
        storage: Where it is kept.
        plan: The plan.
        label: Study label.
    """
    import optuna

    declared = plan.declaration
    name = f"{label} [{declared.hash}]"
    directions = optuna.study.StudyDirection
    way = directions.MAXIMIZE if declared.measure.direction > 0 else directions.MINIMIZE
    try:
        study_id = storage.get_study_id_from_name(name)
    except KeyError:
        study_id = storage.create_new_study([way], name)
    attributes = {LABEL: label, DATA: declared.data, DECLARATION: declared.hash}
    for attribute, value in attributes.items():
        storage.set_study_user_attr(study_id, attribute, value)
    return Mirror(storage, name, study_id, plan.trials, declared.metric)


def _contradicts(cell: FrozenTrial, outcome: Outcome | None) -> bool:
    """Whether a mirrored trial says it is finished by a run that the record does not have."""
    if not cell.state.is_finished():
        return False
    other = outcome is None or cell.user_attrs.get(RUN) != outcome.run_id
    return other or OUTCOME not in cell.user_attrs


def _distributions(trials: Sequence[Trial]) -> dict[str, Any]:
    """Returns the two parameters of a trial, so that a dashboard reads like the question."""
    import optuna

    arms = list(dict.fromkeys(trial.arm.name for trial in trials))
    paths = list(dict.fromkeys(path for trial in trials for path in trial.arm.levels))
    factor = paths[0].rpartition(".")[2] if len(paths) == 1 else "arm"
    seeds = [trial.seed for trial in trials]
    return {
        factor: optuna.distributions.CategoricalDistribution(arms),
        "seed": optuna.distributions.IntDistribution(min(seeds), max(seeds)),
    }
