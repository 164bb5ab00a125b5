"""Opens and closes an Optuna storage."""

from __future__ import annotations

import contextlib
import logging
import warnings
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused, public
from ablation.records import addresses
from ablation.records.causes import refusal
from ablation.tracking import files

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import Connection, Engine


def connect(url: str) -> RDBStorage:
    """Opens an Optuna storage for writing, and creates it if it is missing.

    Args:
        url: SQLAlchemy address; an SQLite file gets a write-ahead log and waits for locks.

    Raises:
        Refused: If the storage cannot be reached or was written by another Optuna version.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(logging.ERROR)
    file = addresses.file_of(url)
    if file is not None:
        files.create(file, lambda beside: close(_storage(beside)))
        files.prepare(file, record=True)
    try:
        storage = _storage(url)
        if file is not None:
            _tune(storage.engine)
    except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError, ImportError) as error:
        raise _unusable(url, error) from error
    return storage


def _storage(url: str) -> RDBStorage:
    import optuna

    is_file = addresses.file_of(url) is not None
    options = {"connect_args": {"timeout": 60}} if is_file else {"pool_pre_ping": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.storages.RDBStorage(url, engine_kwargs=options)


def close(storage: RDBStorage) -> None:
    """Closes a storage's connections, and leaves an SQLite file without a write-ahead log."""
    with contextlib.suppress(*failures()):  # of a server that is gone
        storage.remove_session()
        storage.engine.dispose()
    file = addresses.file_of(storage.url)
    if file is not None:
        files.settle(file)


def _unusable(url: str, error: Exception) -> Refused:
    where = public(url)
    if isinstance(error, RuntimeError):  # Optuna's, for the tables of another version
        return Refused(
            f"The Optuna storage {where} was written by another version of Optuna.",
            f"Upgrade it: optuna storage upgrade --storage '{where}'; or move it away: the next "
            "run makes it anew from the record.",
        )
    way_out = "Check ABLATION_STORAGE or --store."
    return refusal(error, f"The Optuna storage {where} cannot be used", way_out)


def failures() -> tuple[type[Exception], ...]:
    """Returns the exception types that Optuna and its database raise when they fail."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    return (OptunaError, SQLAlchemyError)


def _tune(engine: Engine) -> None:
    """Sets a write-ahead log, fewer disk syncs, and transactions that lock when they begin."""
    from sqlalchemy import event

    def set_up(connection: Any, _: object) -> None:
        connection.isolation_level = None  # or Python begins transactions itself, too late
        connection.execute("PRAGMA journal_mode=WAL")
        # A power cut may lose the last writes; the mirror is then restored from the record.
        connection.execute("PRAGMA synchronous=NORMAL")

    def begin(connection: Connection) -> None:
        # A transaction that reads first fails, without waiting, if another process has written
        # before its own write. One that takes the lock first waits for it.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # closes connections that were opened without these settings
    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)
