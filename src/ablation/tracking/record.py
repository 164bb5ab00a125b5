"""Trials to MLflow and back: what is done, and recording one outcome."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.records.outcome import EpochRecord, Outcome, RunResult
from ablation.study.plan import Trial
from ablation.task import Prepared
from ablation.tracking import tables
from ablation.tracking.entities import (
    KEY,
    curves_of,
    finals_of,
    milliseconds,
    outcome_of,
    parameters_of,
    result_tags,
    tags_of,
)
from ablation.tracking.store import KIND, LABEL, Home, search

if TYPE_CHECKING:
    from mlflow.entities import Run


CORRECT = "test_correct.bin"
"""Artifact: a bit per text of test, packed, in the split's order."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A trial whose training has begun."""

    trial: Trial
    began: float
    """Seconds since the epoch, UTC."""
    device: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Finished(Started):
    """A trial that was trained, ready to be recorded."""

    records: Sequence[EpochRecord]
    result: RunResult


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Early:
    """A run that shows a training before it has ended."""

    run_id: str
    artifacts: str
    """Address of its artifacts."""
    logged: int
    """Epochs whose metrics it has."""


def outcomes(home: Home) -> dict[str, Outcome]:
    """Returns key to outcome for every trial of the label that is done.

    A trial is done when a run of it FINISHED, or FAILED for a reason that is the arm's own. Where
    two runs claim the same trial the older one counts, at every start alike.
    """
    if not home.shared:
        with tables.reading(str(home.client.tracking_uri)) as query:
            return tables.outcomes(query, home.experiment, home.label)
    found: dict[str, Outcome] = {}
    children = search(home.client, home.experiment, _children(home))
    for run in sorted(children, key=lambda run: (run.info.start_time, run.info.run_id)):
        if (outcome := _outcome(run)) is not None:
            found.setdefault(run.data.tags[KEY], outcome)
    return found


def close_unfinished(home: Home) -> int:
    """Marks every run of the label that was cut short as KILLED; returns their number."""
    open_runs = list(
        search(home.client, home.experiment, f"{_children(home)} AND status = 'RUNNING'")
    )
    for run in open_runs:
        home.client.set_terminated(run.info.run_id, status="KILLED")
    return len(open_runs)


def close(home: Home, *, complete: bool) -> None:
    """Ends the parent run: FINISHED where no planned trial is missing, else KILLED."""
    home.client.set_terminated(home.parent, status="FINISHED" if complete else "KILLED")


def begin(home: Home, started: Started, data: Prepared, versions: Mapping[str, str]) -> Early:
    """Creates the run of a trial that is still training; it has no metrics yet.

    Args:
        home: The study label.
        started: The trial.
        data: Its data.
        versions: Commit and library versions, as tags.
    """
    run = _create(home, started, tags_of(home, started, data.fingerprint, versions))
    run_id: str = run.info.run_id
    home.client.log_batch(run_id, params=parameters_of(started.trial, data))
    return Early(run_id=run_id, artifacts=run.info.artifact_uri, logged=0)


def append(home: Home, early: Early, began: float, records: Sequence[EpochRecord]) -> Early:
    """Adds the epochs that a run does not have yet.

    Args:
        home: The study label.
        early: The run.
        began: When its training began, in seconds since the epoch.
        records: All epochs so far.
    """
    if len(records) > early.logged:
        new = curves_of(records[early.logged :], began)
        home.client.log_batch(early.run_id, metrics=new)
    return dataclasses.replace(early, logged=len(records))


def record(
    home: Home,
    finished: Finished,
    data: Prepared,
    versions: Mapping[str, str],
    early: Early | None = None,
) -> Outcome:
    """Records one trained trial as a run and returns its outcome.

    The run's end is written last: a run without it was cut short and is no outcome.

    Args:
        home: The study label.
        finished: The trained trial.
        data: Its data.
        versions: Commit and library versions, as tags.
        early: The run that showed the training while it went on.
    """
    from mlflow.entities import RunTag

    client, result, began = home.client, finished.result, finished.began
    tags = tags_of(home, finished, data.fingerprint, versions) | result_tags(result)
    if (known := _known(home, finished.trial)) is not None:
        if early is not None:
            client.set_terminated(early.run_id, status="KILLED")
        return known
    if early is None:
        run = _create(home, finished, tags)
        early = Early(run_id=run.info.run_id, artifacts=run.info.artifact_uri, logged=0)
        new: dict[str, Any] = {"params": parameters_of(finished.trial, data)}
    else:
        new = {"tags": [RunTag(name, value) for name, value in result_tags(result).items()]}
    new["metrics"] = curves_of(finished.records[early.logged :], began) + finals_of(result, began)
    client.log_batch(early.run_id, **new)
    if result.correct:
        _save(home, early.artifacts, CORRECT, result.correct)
    ended = milliseconds(began + result.seconds)
    client.set_terminated(early.run_id, status=result.status, end_time=ended)
    return Outcome(
        run_id=early.run_id,
        status=result.status,
        reason=result.reason,
        metrics=result.metrics,
        epoch=result.epoch,
        seconds=result.seconds,
        tags=tags,
        ended=ended,
    )


def _create(home: Home, started: Started, tags: Mapping[str, str]) -> Run:
    name = f"{started.trial.arm.name} · seed {started.trial.seed:02d}"  # sorts as numbers do
    began = milliseconds(started.began)
    return home.client.create_run(
        home.experiment, start_time=began, run_name=name, tags=dict(tags)
    )


def _known(home: Home, trial: Trial) -> Outcome | None:
    """Returns the outcome of the trial that another conductor was quicker to record.

    On a shared server there may be one. An SQLite file has one conductor at a time, since the
    lock lies beside it, and what it holds was read at the start.
    """
    if not home.shared:
        return None
    where = f"{_children(home)} AND tags.`{KEY}` = '{trial.key}' AND status != 'KILLED'"
    found = (_outcome(run) for run in search(home.client, home.experiment, where))
    return next((outcome for outcome in found if outcome is not None), None)


def _save(home: Home, artifacts: str, name: str, content: bytes) -> None:
    """Saves an artifact; the client's own way would read the whole run to learn its address."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(artifacts, tracking_uri=home.client.tracking_uri)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        repository.log_artifact(str(path))  # type: ignore[no-untyped-call]  # MLflow's own


def _children(home: Home) -> str:
    return f"tags.`{KIND}` = 'trial' AND tags.`{LABEL}` = '{home.label}'"


def _outcome(run: Run) -> Outcome | None:
    """Returns the outcome of a run, None for one that is none."""
    info, data = run.info, run.data
    return outcome_of(
        info.run_id, info.status, info.end_time, tags=data.tags, metrics=data.metrics
    )
