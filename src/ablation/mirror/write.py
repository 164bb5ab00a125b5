"""Writes the mirror: creates it, updates trials and reconciles it with the record."""

from __future__ import annotations

import datetime
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ablation.mirror.read import ARM, DATA, DECLARATION, KEY, LABEL, OUTCOME, PLANNED, RUN, SEED
from ablation.records.outcome import Outcome
from ablation.records.paths import flatten
from ablation.study.arm import Arm
from ablation.study.design import level_name, short
from ablation.study.plan import Plan, Trial
from ablation.tracking import LOGITS, WEIGHTS

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

    from ablation.records.declaration import Declaration

HASHES = (WEIGHTS, LOGITS)

Curve = Mapping[int, float]
"""Epoch to the metric on validation."""


class Mirror:
    """One Optuna study: a study label under one declaration.

    Args:
        storage: The Optuna storage.
        name: ``label [declaration hash]``.
        study_id: Optuna's id.
        plan: The plan; its metric on test becomes the value of a finished trial.
    """

    def __init__(self, storage: RDBStorage, name: str, study_id: int, plan: Plan) -> None:
        self._storage, self._study, self._metric = storage, study_id, plan.declaration.metric
        self._name = name
        self._levels = _levels(plan)
        self._names = self._levels.keys()
        self._distributions = _distributions(plan.trials, self._levels)
        self._ids: dict[str, int] = {}

    def reconcile(
        self,
        trials: Sequence[Trial],
        outcomes: Mapping[str, Outcome],
        curves: Callable[[], Mapping[str, Curve]],
    ) -> None:
        """Updates the mirror from the recorded outcomes; rebuilds it if it contradicts them.

        Args:
            trials: The planned trials.
            outcomes: Trial key to outcome.
            curves: Reads trial key to curve; called only if an outcome is not mirrored.
        """
        mirrored = {cell.user_attrs.get(KEY, ""): cell for cell in self._cells()}
        if any(
            _contradicts(cell, outcomes.get(key)) or cell.params.keys() != self._names
            for key, cell in mirrored.items()
        ):
            self._clear()
            mirrored = {}
        self._ids = {key: cell._trial_id for key, cell in mirrored.items()}
        behind = []
        for trial in trials:
            cell, outcome = mirrored.get(trial.key), outcomes.get(trial.key)
            if outcome is not None and (cell is None or not cell.state.is_finished()):
                behind.append((trial, outcome))
            elif outcome is None and cell is not None:
                self.wait(trial)
        known = curves() if behind else {}
        for trial, outcome in behind:
            self.start(trial)
            self.finish(trial, outcome, known.get(trial.key, {}))

    def reconcile_others(self, label: str, outcomes: Mapping[str, Outcome]) -> None:
        """Updates the label's mirrors under earlier declarations.

        Their RUNNING trials were interrupted and become WAITING. A mirror with a run that is not
        in the record is deleted.
        """
        import optuna

        for study in self._storage.get_all_studies():
            if study._study_id == self._study or study.user_attrs.get(LABEL) != label:
                continue
            cells = self._storage.get_all_trials(study._study_id, deepcopy=False)
            known = (outcomes.get(cell.user_attrs.get(KEY, "")) for cell in cells)
            if any(map(_contradicts, cells, known)):  # Optuna forbids changing an ended trial
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
            params={name: level_of(trial.arm) for name, level_of in self._levels.items()},
            distributions=self._distributions,
            # No parameter: importance is asked of the factors, and a seed is no level of one.
            user_attrs={KEY: trial.key, ARM: trial.arm.name, SEED: trial.seed},
        )
        self._ids[trial.key] = self._storage.create_new_trial(self._study, template)

    def wait(self, trial: Trial) -> None:
        """Shows an interrupted trial as WAITING."""
        import optuna

        known = self._ids[trial.key]
        self._storage.set_trial_state_values(known, optuna.trial.TrialState.WAITING)

    def finish(self, trial: Trial, outcome: Outcome, curve: Curve) -> None:
        """Shows a trial as COMPLETE with its test metric, or as FAIL with the reason.

        Args:
            trial: The trial.
            outcome: Its outcome.
            curve: Its metric on validation, which become Optuna's intermediate values.
        """
        _finish(self._storage, self._ids[trial.key], self._metric, outcome, curve)

    def _cells(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._study, deepcopy=False)

    def _clear(self) -> None:
        """Replaces the Optuna study by an empty one of the same name, attributes and note."""
        storage, old = self._storage, self._study
        directions = storage.get_study_directions(old)
        ours, theirs = storage.get_study_user_attrs(old), storage.get_study_system_attrs(old)
        storage.delete_study(old)
        self._study = storage.create_new_study(directions, self._name)
        for name, value in ours.items():
            storage.set_study_user_attr(self._study, name, value)
        for name, value in theirs.items():
            storage.set_study_system_attr(self._study, name, value)


def _finish(storage: RDBStorage, trial: int, metric: str, outcome: Outcome, curve: Curve) -> None:
    """Shows an Optuna trial, by its id, as :meth:`Mirror.finish` says."""
    import sqlalchemy
    from optuna.storages._rdb import models
    from optuna.storages._rdb.storage import _create_scoped_session
    from optuna.trial import TrialState

    facts = {
        "epoch": outcome.epoch,
        "seconds": outcome.seconds,
        "hashes": {name: outcome.tags[name] for name in HASHES if name in outcome.tags},
    }
    if outcome.reason is not None:
        facts["reason"] = outcome.reason
    value = outcome.metrics.get(f"test/{metric}")
    points = models.TrialIntermediateValueModel
    stored = [(step, *points.intermediate_value_to_stored_repr(y)) for step, y in curve.items()]
    names = ("trial_id", "step", "intermediate_value", "intermediate_value_type")
    rows = [dict(zip(names, (trial, *row), strict=True)) for row in stored]
    # One transaction, because each of Optuna's own calls is one: 47 ms with 22 points, now 9.
    with _create_scoped_session(storage.scoped_session) as session:
        for name, content in {RUN: outcome.run_id, OUTCOME: facts}.items():
            attributes = models.TrialUserAttributeModel
            storage._set_trial_attr_without_commit(session, attributes, trial, name, content)
        session.execute(sqlalchemy.delete(points).where(points.trial_id == trial))
        if rows:
            session.execute(sqlalchemy.insert(points), rows)
        shown = models.TrialModel.find_or_raise_by_id(trial, session)
        if outcome.status == "FINISHED" and value is not None and math.isfinite(value):
            storage._set_trial_value_without_commit(session, shown, 0, value)
            shown.state = TrialState.COMPLETE
        else:
            shown.state = TrialState.FAIL
        shown.datetime_complete = datetime.datetime.now()  # Optuna's are in local time


def finish_known(
    storage: RDBStorage,
    label: str,
    declaration: Declaration,
    ended: Mapping[str, tuple[Outcome, Curve]],
) -> None:
    """Shows trials that are planned in a label's mirror as ended.

    Args:
        storage: The Optuna storage.
        label: Study label.
        declaration: Everything the study fixed.
        ended: Trial key to outcome, and the metric on validation by epoch.
    """
    for study in storage.get_all_studies():
        known = study.user_attrs.get(LABEL), study.user_attrs.get(DECLARATION)
        if known != (label, declaration.hash):
            continue
        for cell in storage.get_all_trials(study._study_id, deepcopy=False):
            key = cell.user_attrs.get(KEY, "")
            if key in ended and not cell.state.is_finished():
                _finish(storage, cell._trial_id, declaration.metric, *ended[key])


def open_mirror(storage: RDBStorage, plan: Plan, *, label: str) -> Mirror:
    """Returns the mirror of a label and declaration; creates its Optuna study if missing.

    A changed declaration is a new Optuna study, because Optuna freezes the set of arms of each.

    Args:
        storage: The Optuna storage.
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
    name_metric(storage, name, f"test {declared.measure.title}")
    return Mirror(storage, name, study_id, plan)


def _contradicts(cell: FrozenTrial, outcome: Outcome | None) -> bool:
    """Returns whether a mirrored trial is finished by a run that is not in the record."""
    if not cell.state.is_finished():
        return False
    other = outcome is None or cell.user_attrs.get(RUN) != outcome.run_id
    return other or OUTCOME not in cell.user_attrs


def name_metric(storage: RDBStorage, study: str, metric: str) -> None:
    """Names the values of an Optuna study, for the dashboard."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.load_study(study_name=study, storage=storage).set_metric_names([metric])


def _levels(plan: Plan) -> dict[str, Callable[[Arm], str]]:
    """Returns the parameters of a trial, each with the function that reads it off an arm.

    They are the factors, or ``arm`` if the arms are listed.
    """
    if factors := list(plan.study.factors):
        return {short(path, factors): partial(_level_at, path) for path in factors}
    trials = plan.trials
    paths = list(dict.fromkeys(path for trial in trials for path in trial.arm.levels))
    return {paths[0].rpartition(".")[2] if len(paths) == 1 else "arm": lambda arm: arm.name}


def _level_at(path: str, arm: Arm) -> str:
    return level_name(flatten(arm.config)[path])


def _distributions(
    trials: Sequence[Trial], levels: Mapping[str, Callable[[Arm], str]]
) -> dict[str, Any]:
    """Returns the distribution of each parameter: the levels that occur."""
    from optuna.distributions import CategoricalDistribution

    arms = list({trial.arm.name: trial.arm for trial in trials}.values())
    return {
        name: CategoricalDistribution(list(dict.fromkeys(map(level_of, arms))))
        for name, level_of in levels.items()
    }
