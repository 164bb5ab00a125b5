"""The MLflow store: opening it quietly, and leaving it as one file."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ablation.errors import Refused, public
from ablation.records import addresses
from ablation.records.causes import refusal
from ablation.tracking import files
from ablation.tracking.late import LateClient, is_known

if TYPE_CHECKING:
    from mlflow import MlflowClient

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Environment variables for MLflow, unless the user has set them."""

_opened: dict[str, MlflowClient] = {}


def connect(uri: str, *, record: bool = False) -> MlflowClient:
    """Opens a tracking store and returns its client; silences MLflow's logs and warnings.

    Args:
        uri: MLflow tracking URI.
        record: Whether runs will be recorded. An SQLite file then gets a write-ahead log, so that
            readers and writers do not wait for each other.

    Raises:
        Refused: If the store cannot be reached or was written by another MLflow version.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    file = addresses.file_of(uri)
    if file is not None:
        files.create(file, lambda beside: _client(beside, closed=True))
        files.prepare(file, record=record)
        files.follow_artifacts(file)
        if record:
            _sync_less(file.absolute())
        elif is_known(uri):
            # Callers may use it as MLflow's client: any other request loads that.
            client = cast("MlflowClient", LateClient(uri, _client))
            _opened.setdefault(uri, client)
            return client
    return _client(uri)


def _client(uri: str, *, closed: bool = False) -> MlflowClient:
    """Opens a store that exists, or creates it, and returns its client.

    Args:
        uri: MLflow tracking URI.
        closed: Whether to close the store's connections again.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside libraries do not concern the user
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are raised as well
        try:
            client = MlflowClient(tracking_uri=uri)
            client.search_experiments(max_results=1)
        except (MlflowException, ImportError) as error:
            raise _unusable(uri, error) from error
    if closed:
        _dispose(client)
    else:
        _opened[uri] = client
    return client


def _dispose(client: MlflowClient) -> None:
    """Closes a database's connections; later requests open new ones."""
    if isinstance(client, LateClient) and not client.is_loaded:
        return
    store = client._tracking_client.store
    if hasattr(store, "_dispose_engine"):
        store._dispose_engine()


@contextlib.contextmanager
def settled(uri: str) -> Iterator[None]:
    """Leaves an SQLite record as one file without a write-ahead log when the block ends."""
    try:
        yield
    finally:
        file = addresses.file_of(uri)
        if file is not None and uri in _opened:
            _dispose(_opened.pop(uri))
            files.settle(file)


def _unusable(uri: str, error: Exception) -> Refused:
    where = public(uri)
    if "out-of-date" in str(error):
        return Refused(
            f"The tracking store {where} was written by another version of MLflow.",
            f"Copy it (ablation backup FOLDER), then upgrade it: mlflow db upgrade '{where}'",
        )
    way_out = "Check MLFLOW_TRACKING_URI or --store."
    return refusal(error, f"The tracking store {where} cannot be used", way_out)


def failures() -> tuple[type[Exception], ...]:
    """Returns the exception types that MLflow raises when a store fails."""
    from mlflow.exceptions import MlflowException

    return (MlflowException,)


@functools.cache
def _sync_less(path: Path) -> None:
    """Makes this process sync an SQLite file to disk at checkpoints only.

    A killed process loses nothing. A power cut may lose the last runs as a whole, which the next
    start trains again; it cannot damage the file.
    """
    # By an event of SQLAlchemy's pool, because MLflow opens the file itself.
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    def set_up(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            (_, _, file), *_ = connection.execute("PRAGMA database_list")
            if file and Path(file) == path:
                connection.execute("PRAGMA synchronous=NORMAL")

    event.listen(Pool, "connect", set_up)
