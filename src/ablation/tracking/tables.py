"""Reads an SQLite record by plain SQL: importing MLflow takes a second, its objects even longer.

A test compares everything that is read here with what MLflow's client returns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ablation.errors import Refused
from ablation.records import addresses
from ablation.records.outcome import Outcome
from ablation.tracking import files
from ablation.tracking.entities import CHOSEN, KEY, outcome_of
from ablation.tracking.tags import DATA, KIND, LABEL, TRIAL

Query = Callable[..., list[Any]]
"""Takes SQL and named values, and returns the rows."""

PER_QUERY = 500
"""Runs asked of SQLite at a time; it takes some thousands of values in a query."""

_TAGGED = """
SELECT t.run_uuid, t.key, t.value
FROM runs r
JOIN tags k ON k.run_uuid = r.run_uuid AND k.key = :kind_name AND k.value = :kind
JOIN tags t ON t.run_uuid = r.run_uuid
WHERE r.experiment_id IN ({experiments}) AND r.lifecycle_stage = 'active'
"""
_RUNS = """
SELECT r.run_uuid, r.experiment_id, r.status, r.start_time, r.end_time
FROM runs r
JOIN tags k ON k.run_uuid = r.run_uuid AND k.key = :kind_name AND k.value = :kind
WHERE r.experiment_id IN ({experiments}) AND r.lifecycle_stage = 'active'
ORDER BY r.start_time, r.run_uuid
"""
_FINALS = """
SELECT m.run_uuid, m.key, m.value, m.is_nan
FROM runs r
JOIN latest_metrics m ON m.run_uuid = r.run_uuid
WHERE r.experiment_id = :experiment AND r.lifecycle_stage = 'active'
AND (m.key LIKE 'test/%' OR m.key LIKE :chosen)
"""
_EXPERIMENTS = "SELECT name, experiment_id, lifecycle_stage FROM experiments"
_PLACE = "SELECT name, artifact_location FROM experiments WHERE experiment_id = :experiment"
_EVALUATIONS = """
SELECT count(*)
FROM runs r
JOIN experiments e ON e.experiment_id = r.experiment_id AND e.lifecycle_stage = 'active'
JOIN tags k ON k.run_uuid = r.run_uuid AND k.key = :kind_name AND k.value = :kind
JOIN tags d ON d.run_uuid = r.run_uuid AND d.key = :data_name AND d.value = :data
JOIN latest_metrics m ON m.run_uuid = r.run_uuid AND m.key = 'test/loss' AND m.value >= 0
    AND NOT m.is_nan
WHERE r.experiment_id != :experiment AND r.lifecycle_stage = 'active' AND r.end_time <= :until
"""
_POINTS = """
SELECT run_uuid, key, step, value FROM metrics WHERE NOT is_nan AND run_uuid IN ({runs})
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A run as the tables have it."""

    run_id: str
    experiment: str
    status: str
    start_time: int
    end_time: int | None
    tags: Mapping[str, str]


@contextlib.contextmanager
def reading(uri: str) -> Iterator[Query]:
    """Opens an SQLite record for reading, as it is at one moment; never creates a file.

    Args:
        uri: The address of an SQLite file.

    Raises:
        sqlite3.Error: If it cannot be opened; a query raises it if there is no such table.
    """
    # A reader of a write-ahead log keeps a file beside it, so "ro" would not do.
    address = f"file:{quote(str(addresses.file_of(uri)))}?mode=rw"
    with contextlib.closing(sqlite3.connect(address, timeout=files.BUSY, uri=True)) as connection:
        # One transaction: a run that is recorded between two queries would be half there.
        connection.execute("BEGIN")
        yield lambda sql, **values: connection.execute(sql, values).fetchall()


def belongs(experiment: str, study: str) -> bool:
    """Returns whether runs of the study may be in an experiment of that name.

    One experiment per label, named by it; an older layout has all labels in the study's.

    >>> belongs("init_std@trec", "init_std"), belongs("init_std2", "init_std")
    (True, False)
    """
    return experiment == study or experiment.startswith(f"{study}@")


def deleted(study: str, experiment: object) -> Refused:
    """Returns the refusal of an experiment that was deleted in the UI but not for good."""
    return Refused(
        f"The MLflow experiment {study!r} was deleted, and its name is still taken.",
        f"Restore it (mlflow experiments restore -x {experiment}), or remove it for "
        f"good (mlflow gc --experiment-ids {experiment}).",
    )


def parents(query: Query, study: str) -> list[Row]:
    """Returns the parent runs of a study's labels, oldest first, wherever they are."""
    found = [
        str(experiment)
        for name, experiment, stage in query(_EXPERIMENTS)
        if stage == "active" and belongs(name, study)
    ]
    return runs(query, found, "study")


def refuse_deleted(query: Query, label: str) -> None:
    """Raises `Refused` if the label's experiment was deleted in the UI but not for good."""
    for name, experiment, stage in query(_EXPERIMENTS):
        if name == label and stage == "deleted":
            raise deleted(label, experiment)


def runs(query: Query, experiments: Sequence[str], kind: str) -> list[Row]:
    """Returns the runs of some experiments that were not deleted, oldest first.

    Args:
        query: Reads the record.
        experiments: MLflow's ids of the experiments.
        kind: ``study`` for parent runs, ``trial`` for the others.
    """
    among = ", ".join(str(int(each)) for each in experiments)
    wanted = {"kind_name": KIND, "kind": kind}
    tags: dict[str, dict[str, str]] = {}
    for run, name, value in query(_TAGGED.format(experiments=among), **wanted):
        tags.setdefault(run, {})[name] = value
    return [
        Row(run, str(experiment), status, began, ended, tags[run])
        for run, experiment, status, began, ended in query(
            _RUNS.format(experiments=among), **wanted
        )
    ]


def tags(query: Query, run: str) -> dict[str, str]:
    """Returns the tags of a run."""
    return dict(query("SELECT key, value FROM tags WHERE run_uuid = :run", run=run))


def latest(query: Query, run: str) -> dict[str, float]:
    """Returns the latest value of each metric of a run."""
    found = query("SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid = :run", run=run)
    return {name: float("nan") if is_nan else value for name, value, is_nan in found}


def artifacts(query: Query, run: str) -> str:
    """Returns the address of a run's artifacts."""
    ((address,),) = query("SELECT artifact_uri FROM runs WHERE run_uuid = :run", run=run)
    return str(address)


def place(query: Query, experiment: str) -> tuple[str, str]:
    """Returns the name of an experiment and the address of its artifacts."""
    ((name, location),) = query(_PLACE, experiment=int(experiment))
    return name, location


def evaluations(query: Query, data: str, *, but: str, until: int) -> int:
    """Returns the number of trials outside of an experiment that evaluated a test split.

    Args:
        query: Reads the record.
        data: Fingerprint of the data.
        but: MLflow's id of the experiment.
        until: Milliseconds since the epoch; later runs are not counted.
    """
    wanted = {"kind_name": KIND, "kind": TRIAL, "data_name": DATA, "data": data}
    ((number,),) = query(_EVALUATIONS, **wanted, experiment=int(but), until=until)
    return int(number)


def labels_taken(parents: Iterable[Row]) -> dict[str, str]:
    """Returns label to data fingerprint for parent runs."""
    return {row.tags[LABEL]: row.tags[DATA] for row in parents}


def outcomes(query: Query, experiment: str, label: str) -> dict[str, Outcome]:
    """Returns key to outcome for every trial of the label that is done; the oldest run counts."""
    children = [row for row in runs(query, [experiment], TRIAL) if row.tags.get(LABEL) == label]
    metrics: dict[str, dict[str, float]] = {row.run_id: {} for row in children}
    for run, name, value, is_nan in query(
        _FINALS, experiment=int(experiment), chosen=f"{CHOSEN}%"
    ):
        if run in metrics:
            metrics[run][name] = float("nan") if is_nan else value
    found: dict[str, Outcome] = {}
    for row in children:
        outcome = outcome_of(
            row.run_id, row.status, row.end_time, tags=row.tags, metrics=metrics[row.run_id]
        )
        if outcome is not None:
            found.setdefault(row.tags[KEY], outcome)
    return found


def points(query: Query, runs: Sequence[str]) -> list[tuple[str, str, int, float]]:
    """Returns run, name, step and value of every metric of some runs; a NaN is left out."""
    found: list[tuple[str, str, int, float]] = []
    for start in range(0, len(runs), PER_QUERY):
        some = runs[start : start + PER_QUERY]
        names = {f"run{place}": run for place, run in enumerate(some)}
        found += query(_POINTS.format(runs=", ".join(f":{name}" for name in names)), **names)
    return found
