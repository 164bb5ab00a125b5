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

from ablation.records import addresses
from ablation.records.outcome import Outcome
from ablation.tracking.entities import CHOSEN, KEY, outcome_of
from ablation.tracking.home import belongs, deleted
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
    with contextlib.closing(sqlite3.connect(address, timeout=20, uri=True)) as connection:
        # One transaction: a run that is recorded between two queries would be half there.
        connection.execute("BEGIN")
        yield lambda sql, **values: connection.execute(sql, values).fetchall()


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
