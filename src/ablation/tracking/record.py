"""Records trials in MLflow, and reads their outcomes back."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.errors import Refused
from ablation.records import causes
from ablation.records.failure import Failure
from ablation.records.outcome import EpochRecord, Outcome, RunResult
from ablation.study.plan import Trial
from ablation.task import Prepared
from ablation.tracking import tables
from ablation.tracking.away import is_away
from ablation.tracking.entities import (
    KEY,
    PARENT,
    curves_of,
    milliseconds,
    named_parameters,
    outcome_of,
    tags_of,
)
from ablation.tracking.home import Home, oldest_first
from ablation.tracking.kept import kept_in, with_kept
from ablation.tracking.late import log
from ablation.tracking.parcel import Parcel, name_of
from ablation.tracking.store import failures
from ablation.tracking.tags import TRIAL

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from ablation.tracking.outbox import Outbox


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
    """Number of points that are logged."""
    has_params: bool = False
    """Whether the parameters are logged."""
    is_tagged: bool = False
    """Whether the run has all tags of its parcel."""


def outcomes(home: Home) -> dict[str, Outcome]:
    """Returns key to outcome for every finished trial of the label.

    A trial is finished if a run of it FINISHED, or FAILED with a recorded reason. Of two such
    runs the older one always counts. Results that were taken as they are although sources changed
    are there under both keys.
    """
    return with_kept(_recorded(home), kept_in(home.tags()))


def _recorded(home: Home) -> dict[str, Outcome]:
    if not home.shared:
        with tables.reading(str(home.client.tracking_uri)) as query:
            return tables.outcomes(query, home.experiment, home.label)
    found: dict[str, Outcome] = {}
    for run in oldest_first(home.search(TRIAL)):
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


def close_unfinished(home: Home, kind: str = TRIAL) -> int:
    """Marks every interrupted run of the label as KILLED; returns their number."""
    open_runs = list(home.search(kind, "status = 'RUNNING'"))
    for run in open_runs:
        home.client.set_terminated(run.info.run_id, status="KILLED")
    return len(open_runs)


def close(home: Home, *, complete: bool) -> None:
    """Ends the parent run: FINISHED if the study is complete, else KILLED."""
    home.client.set_terminated(home.parent, status="FINISHED" if complete else "KILLED")


def begin(home: Home, started: Started, data: Prepared, versions: Mapping[str, str]) -> Early:
    """Creates the run of a trial that is still training, with its tags alone.

    Args:
        home: The study label.
        started: The trial.
        data: The trial's data.
        versions: Commit and library versions, as tags.
    """
    tags, began = tags_of(home, started, data.fingerprint, versions), milliseconds(started.began)
    return _create(home, name_of(started), began, tags)


def append(
    home: Home, early: Early, started: Started, data: Prepared, records: Sequence[EpochRecord]
) -> Early:
    """Logs parameters and epochs that are not logged yet, and returns the updated run.

    Args:
        home: The study label.
        early: The run.
        started: The trial.
        data: The trial's data.
        records: All epochs so far.
    """
    points = curves_of(records, started.began)
    params = {} if early.has_params else named_parameters(started.trial, data)
    if params or len(points) > early.logged:
        log(home.client, early.run_id, points=points[early.logged :], params=params)
    return dataclasses.replace(early, logged=len(points), has_params=True)


def open_run(home: Home, parcel: Parcel) -> Early:
    """Creates the run of a parcel, with its tags alone."""
    tags = {**parcel.tags, PARENT: home.parent}
    early = _create(home, parcel.name, parcel.began, tags)
    return dataclasses.replace(early, is_tagged=True)


def complete(
    home: Home, parcel: Parcel, early: Early, check: Callable[[], None] = lambda: None
) -> Outcome | None:
    """Records a parcel in a run that exists, and returns its outcome if it is one.

    The run's end is written last, so that an interrupted recording leaves no outcome. It can be
    repeated: what is there already stays as it is.

    Args:
        home: The study label.
        parcel: The trained trial.
        early: The run.
        check: Called before the end is written; what it raises leaves the run without one.
    """
    left = {} if early.is_tagged else parcel.tags
    points = parcel.metrics[early.logged :]
    log(home.client, early.run_id, points=points, params=parcel.params, tags=left)
    for name, content in parcel.artifacts.items():
        _save(home, early.artifacts, name, content)
    check()
    home.client.set_terminated(early.run_id, status=parcel.status, end_time=parcel.ended)
    return parcel.outcome_in(early.run_id)


def send_left(
    home: Home,
    outbox: Outbox,
    check: Callable[[], None],
    sent: dict[str, tuple[Outcome, Parcel]],
) -> None:
    """Records what an earlier end left in an outbox, one that the record refuses after the others.

    A trial that has an outcome by now is not counted twice: the run that was recorded first
    counts, the other one is tagged as superseded. A run whose recording was cut off after its end
    was written is recognised.

    Args:
        home: The study label, whose lease is held and whose interrupted runs are closed.
        outbox: The outbox; parcels of other labels stay.
        check: Called before each is recorded; raises if the lease is lost.
        sent: Gets key to outcome of what counts, one by one: a call that failed can be repeated.

    Raises:
        Refused: If the record took one of them for no reason that passes by itself.
    """
    left = [(path, each) for path, each in outbox.parcels() if each.label == home.label]
    known = dict(outcomes(home)) if left else {}
    refused: list[tuple[Path, Exception]] = []
    for path, parcel in left:
        check()
        counted = known.get(parcel.key) if parcel.outcome else None
        if counted is None or not parcel.is_recorded_as(counted):
            final = parcel if counted is None else parcel.superseded_by(counted.run_id)
            try:
                outcome = complete(home, final, open_run(home, final), check)
            except failures() as error:
                if is_away(error):
                    raise
                refused.append((path, error))
                continue
            if outcome is not None:
                known[parcel.key] = outcome
                sent[parcel.key] = outcome, parcel
        outbox.remove(path)
    for path, why in refused:
        raise causes.refusal(
            why,
            f"The trained trial in {path} cannot be recorded",
            "Remove that file, then run the same command again: the trial is trained again.",
        ) from why


def _create(home: Home, name: str, began: int, tags: Mapping[str, str]) -> Early:
    run = home.client.create_run(home.experiment, start_time=began, run_name=name, tags=dict(tags))
    return Early(run_id=run.info.run_id, artifacts=run.info.artifact_uri, logged=0)


def _save(home: Home, artifacts: str, name: str, content: bytes) -> None:
    """Saves an artifact at the run's artifact address."""
    # Not by the client, which would read the whole run to learn its address.
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(artifacts, tracking_uri=home.client.tracking_uri)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        repository.log_artifact(str(path))  # type: ignore[no-untyped-call]  # MLflow's own


def _outcome(run: Run) -> Outcome | None:
    """Returns the outcome of a run, None for one that is none."""
    info, data = run.info, run.data
    return outcome_of(
        info.run_id, info.status, info.end_time, tags=data.tags, metrics=data.metrics
    )
