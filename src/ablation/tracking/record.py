"""Records trials in MLflow, and reads their outcomes back."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused
from ablation.records.failure import Failure
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
from ablation.tracking.home import Home, search
from ablation.tracking.kept import kept_in, with_kept
from ablation.tracking.tags import KIND, LABEL

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


CORRECT = "test_correct.bin"
"""Artifact: one packed bit per test text, in the split's order, or packed scores."""
ATTENTION = "test_attention.f16"
"""Artifact: the weights on the tokens of the shown test texts, float16, one after the other."""
LOG = "log.txt"
"""Artifact: what the run printed."""
TRACEBACK = "traceback.txt"
"""Artifact of a run without an outcome."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A trial whose training has begun."""

    trial: Trial
    began: float
    """Seconds since the epoch, UTC."""
    device: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Finished(Started):
    """A trained trial, ready to be recorded."""

    records: Sequence[EpochRecord]
    result: RunResult
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Tags that only the worker knows."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Unfinished(Started):
    """A trial whose training ended without an outcome."""

    failure: Failure


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Early:
    """An MLflow run whose training has not ended."""

    run_id: str
    artifacts: str
    """Address of the run's artifacts."""
    logged: int
    """Number of epochs whose metrics are logged."""


def outcomes(home: Home) -> dict[str, Outcome]:
    """Returns key to outcome for every finished trial of the label.

    A trial is finished if a run of it FINISHED, or FAILED with a recorded reason. Of two such
    runs the older one always counts. Results that were taken as they are although sources changed
    are there under both keys.
    """
    return with_kept(_recorded(home), kept_in(home.client.get_run(home.parent).data.tags))


def _recorded(home: Home) -> dict[str, Outcome]:
    if not home.shared:
        with tables.reading(str(home.client.tracking_uri)) as query:
            return tables.outcomes(query, home.experiment, home.label)
    found: dict[str, Outcome] = {}
    children = search(home.client, [home.experiment], _children(home))
    for run in sorted(children, key=lambda run: (run.info.start_time, run.info.run_id)):
        if (outcome := _outcome(run)) is not None:
            found.setdefault(run.data.tags[KEY], outcome)
    return found


def recorded(client: MlflowClient, run: str) -> Outcome:
    """Returns the outcome of a run.

    Args:
        client: The store.
        run: MLflow's id of the run.

    Raises:
        Refused: If there is no such run, or it is not a trial with an outcome.
    """
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_run(run)
    except MlflowException as error:
        rule = f"No run {run!r} is recorded."
        raise Refused(rule, "The report's table of runs links to each.") from error
    outcome = _outcome(found)
    if outcome is None or KEY not in outcome.tags:
        raise Refused(
            f"The run {run!r} is not a trial with an outcome.", "Give the run of a trial."
        )
    return outcome


def close_unfinished(home: Home) -> int:
    """Marks every interrupted run of the label as KILLED; returns their number."""
    open_runs = list(
        search(home.client, [home.experiment], f"{_children(home)} AND status = 'RUNNING'")
    )
    for run in open_runs:
        home.client.set_terminated(run.info.run_id, status="KILLED")
    return len(open_runs)


def close(home: Home, *, complete: bool) -> None:
    """Ends the parent run: FINISHED if the study is complete, else KILLED."""
    home.client.set_terminated(home.parent, status="FINISHED" if complete else "KILLED")


def begin(home: Home, started: Started, data: Prepared, versions: Mapping[str, str]) -> Early:
    """Creates the run of a trial that is still training, without metrics.

    Args:
        home: The study label.
        started: The trial.
        data: The trial's data.
        versions: Commit and library versions, as tags.
    """
    run = _create(home, started, tags_of(home, started, data.fingerprint, versions))
    run_id: str = run.info.run_id
    home.client.log_batch(run_id, params=parameters_of(started.trial, data))
    return Early(run_id=run_id, artifacts=run.info.artifact_uri, logged=0)


def append(home: Home, early: Early, began: float, records: Sequence[EpochRecord]) -> Early:
    """Logs the epochs that are not logged yet, and returns the updated run.

    Args:
        home: The study label.
        early: The run.
        began: Start of the training, in seconds since the epoch.
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
    """Records a trained trial as a run and returns its outcome.

    The run's end is written last, so that an interrupted recording leaves no outcome.

    Args:
        home: The study label.
        finished: The trained trial.
        data: The trial's data.
        versions: Commit and library versions, as tags.
        early: The run that showed the training, if it was a long one.
    """
    from mlflow.entities import RunTag

    client, result, began = home.client, finished.result, finished.began
    left = result_tags(result) | dict(finished.facts)
    tags = tags_of(home, finished, data.fingerprint, versions) | left
    if (known := _known(home, finished.trial)) is not None:
        if early is not None:
            client.set_terminated(early.run_id, status="KILLED")
        return known
    if early is None:
        run = _create(home, finished, tags)
        early = Early(run_id=run.info.run_id, artifacts=run.info.artifact_uri, logged=0)
        new: dict[str, Any] = {"params": parameters_of(finished.trial, data)}
    else:
        new = {"tags": [RunTag(name, value) for name, value in left.items()]}
    new["metrics"] = curves_of(finished.records[early.logged :], began) + finals_of(result, began)
    client.log_batch(early.run_id, **new)
    if result.correct:
        _save(home, early.artifacts, CORRECT, result.correct)
    if result.attention:
        _save(home, early.artifacts, ATTENTION, result.attention)
    if result.log:
        _save(home, early.artifacts, LOG, result.log)
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


def record_failure(
    home: Home,
    ended: Unfinished,
    data: Prepared,
    versions: Mapping[str, str],
    early: Early | None = None,
) -> None:
    """Records a training that ended without an outcome, with its traceback as an artifact.

    Args:
        home: The study label.
        ended: The trial and its failure.
        data: The trial's data.
        versions: Commit and library versions, as tags.
        early: The run that showed the training, if it was a long one.
    """
    failure = ended.failure
    early = early or begin(home, ended, data, versions)
    home.client.set_tag(early.run_id, failure.rule.tag, str(failure))
    if failure.trace:
        _save(home, early.artifacts, TRACEBACK, failure.trace.encode())
    home.client.set_terminated(early.run_id, status=failure.rule.status)


def _create(home: Home, started: Started, tags: Mapping[str, str]) -> Run:
    name = f"{started.trial.arm.name} · seed {started.trial.seed:02d}"  # sorts as numbers do
    began = milliseconds(started.began)
    return home.client.create_run(
        home.experiment, start_time=began, run_name=name, tags=dict(tags)
    )


def _known(home: Home, trial: Trial) -> Outcome | None:
    """Returns the trial's outcome if another conductor has already recorded it, else None."""
    if not home.shared:  # an SQLite file has a lock beside it, so no other conductor
        return None
    where = f"{_children(home)} AND tags.`{KEY}` = '{trial.key}' AND status != 'KILLED'"
    found = (_outcome(run) for run in search(home.client, [home.experiment], where))
    return next((outcome for outcome in found if outcome is not None), None)


def _save(home: Home, artifacts: str, name: str, content: bytes) -> None:
    """Saves an artifact at the run's artifact address."""
    # Not by the client, which would read the whole run to learn its address.
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
