"""MLflow's client of an SQLite record, without MLflow: plain SQL reads and publishes a report."""

from __future__ import annotations

import contextlib
import functools
import math
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ablation.records import addresses
from ablation.records.causes import refusal
from ablation.tracking import files, tables

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from ablation.tracking.parcel import Point

SCHEMA = "dc11669786a5"
"""Revision of MLflow's tables that the SQL here is written for."""

_TAG = "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)"
_NOTE = "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)"
_POINT = """
INSERT OR IGNORE INTO metrics (key, value, timestamp, step, is_nan, run_uuid)
VALUES (?, ?, ?, ?, ?, ?)
"""
_LATEST = """
INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key, run_uuid) DO UPDATE SET
    value = excluded.value, timestamp = excluded.timestamp, step = excluded.step,
    is_nan = excluded.is_nan
WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)
"""


class LateClient:
    """Provides the part of MLflow's client that a report needs; any other attribute loads MLflow.

    Importing MLflow and opening a store by it takes 1.3 s, a third of a report's time before its
    first figure.

    Args:
        uri: Address of an SQLite file that :func:`is_known` knows.
        load: Returns MLflow's own client of an address.
    """

    def __init__(self, uri: str, load: Callable[[str], MlflowClient]) -> None:
        self.tracking_uri, self._load = uri, load

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a copy asks for such names before there is anything
            raise AttributeError(name)
        return getattr(self._client, name)

    @functools.cached_property
    def _client(self) -> MlflowClient:
        return self._load(self.tracking_uri)

    @contextlib.contextmanager
    def reading(self) -> Iterator[tables.Query]:
        """Opens the tables, as they are at one moment.

        Raises:
            Refused: If the file cannot be read.
        """
        try:
            with tables.reading(self.tracking_uri) as query:
                yield query
        except sqlite3.Error as error:
            path = addresses.file_of(self.tracking_uri)
            raise refusal(error, f"The record {path} cannot be read") from error

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Sets a tag of an experiment."""
        with self._writing() as write:
            write(_NOTE, [(key, str(value), int(experiment_id))])

    def log(self, run: str, points: Iterable[Point], tags: Mapping[str, str]) -> None:
        """Logs points and tags of a run: all of them or, if it fails, none."""
        rows = [
            (name, 0.0 if (is_nan := math.isnan(value)) else _finite(value), at, step, is_nan, run)
            for name, value, at, step in points
        ]
        with self._writing() as write:
            write(_POINT, rows)
            write(_LATEST, rows)
            write(_TAG, [(name, text, run) for name, text in tags.items()])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Callable[[str, list[Any]], object]]:
        """Runs statements as one transaction.

        Raises:
            Refused: If the file cannot be written.
        """
        path = addresses.file_of(self.tracking_uri)
        assert path is not None
        try:
            with (
                contextlib.closing(sqlite3.connect(path, timeout=files.BUSY)) as connection,
                connection,
            ):
                yield connection.executemany
        except sqlite3.Error as error:
            raise refusal(error, f"The record {path} cannot be written") from error

    @property
    def is_loaded(self) -> bool:
        """Returns whether MLflow's own client is in use by now."""
        return "_client" in vars(self)


def log(
    client: MlflowClient,
    run: str,
    *,
    points: Iterable[Point] = (),
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Logs points, parameters and tags of a run in one request, or several of MLflow's size."""
    if isinstance(client, LateClient) and not params:
        client.log(run, points, tags or {})
        return
    from mlflow.entities import Metric, Param, RunTag

    client.log_batch(
        run,
        metrics=[Metric(*point) for point in points],
        params=[Param(*each) for each in (params or {}).items()],
        tags=[RunTag(*each) for each in (tags or {}).items()],
    )


def tags_of(client: MlflowClient, run: str) -> dict[str, str]:
    """Returns the tags of a run."""
    if isinstance(client, LateClient):
        with client.reading() as query:
            return tables.tags(query, run)
    tags: dict[str, str] = client.get_run(run).data.tags
    return tags


def published_in(client: MlflowClient, run: str) -> tuple[dict[str, float], str]:
    """Returns the latest value of each metric of a run, and the address of its artifacts."""
    if isinstance(client, LateClient):
        with client.reading() as query:
            return tables.latest(query, run), tables.artifacts(query, run)
    found = client.get_run(run)
    return found.data.metrics, found.info.artifact_uri


def place_of(client: MlflowClient, experiment: str) -> tuple[str, str]:
    """Returns the name of an experiment and the address of its artifacts."""
    if isinstance(client, LateClient):
        with client.reading() as query:
            return tables.place(query, experiment)
    found = client.get_experiment(experiment)
    return found.name, found.artifact_location


def _finite(value: float) -> float:
    """Returns a number as MLflow stores it: infinity as the largest float."""
    return max(-sys.float_info.max, min(sys.float_info.max, value))


def is_known(uri: str) -> bool:
    """Returns whether an SQLite file has the tables that the SQL here is written for."""
    try:
        with tables.reading(uri) as query:
            return bool(query("SELECT version_num FROM alembic_version") == [(SCHEMA,)])
    except sqlite3.Error:  # MLflow creates its tables, or says what is wrong
        return False
