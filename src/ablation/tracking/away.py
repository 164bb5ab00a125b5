"""Tells a database or server that is away for a while from one that refuses."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from ablation.records.addresses import LIMITS

FULL = r"disk is full|no space left|disk quota"
REFUSED = r"password|authentication|access denied|permission denied|role \"|unauthori[sz]ed"
LOCKED = r"database (table )?is locked|database is busy"
GONE = ("OperationalError", "InterfaceError", "DisconnectionError", "TimeoutError")
"""SQLAlchemy's errors for a database that does not answer, among others."""
SERVER_ERRORS = 500
UNAVAILABLE = {502, 503, 504}
"""Answers of a server, or of a proxy before it, that is away."""


def is_away(error: BaseException) -> bool:
    """Returns whether an error says that its database or server does not answer just now.

    That is: it is not reached, does not answer in time, is starting or ending, has an error of its
    own, or another process has the write lock of an SQLite file. A full disk, a wrong password and
    every other error that will not pass by itself are none.
    """
    errors = list(_chain(error))
    # Without the statement and its parameters, which hold any text that is recorded.
    text = " ".join(str(each).partition("[SQL:")[0].lower() for each in errors)
    if re.search(FULL, text) or re.search(REFUSED, text):
        return False
    return any(map(_is_away, errors))


def is_faulty(error: BaseException) -> bool:
    """Returns whether a server answered that it failed, which may pass by itself or may not."""
    found = [status for each in _chain(error) if (status := _answered(each)) is not None]
    return any(each >= SERVER_ERRORS and each not in UNAVAILABLE for each in found)


def _answered(error: BaseException) -> int | None:
    """Returns the status of the answer that an error tells of, if it tells of one."""
    library, name = type(error).__module__.partition(".")[0], type(error).__name__
    if library == "mlflow":
        return _status(error) if name == "RestException" else None
    if library == "requests":
        if (answer := getattr(error, "response", None)) is not None:
            return int(answer.status_code)
        # Of a request that was made again and again: its last answer is in the text alone.
        found = re.search(r"too many (\d+) error responses", str(error))
        return int(found[1]) if found else None
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error and those that it was raised from, or while handling."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_away(error: BaseException) -> bool:
    # By names, because none of the libraries need be loaded, or even installed.
    kind = type(error)
    library, name = kind.__module__.partition(".")[0], kind.__name__
    if library == "sqlite3":
        return re.search(LOCKED, str(error)) is not None
    if library == "sqlalchemy":
        cause = getattr(error, "orig", None) or error
        is_file = type(cause).__module__ == "sqlite3"
        return name in GONE and (not is_file or _is_away(cause))
    if library == "requests":
        answer = getattr(error, "response", None)
        known = answer is None or answer.status_code >= SERVER_ERRORS
        return known and not name.startswith(("Invalid", "Missing"))
    if library == "mlflow":
        return name == "RestException" and _status(error) >= SERVER_ERRORS
    return isinstance(error, ConnectionError | TimeoutError)


def _status(error: BaseException) -> int:
    return int(error.get_http_status_code())  # type: ignore[attr-defined]  # RestException's


@contextlib.contextmanager
def short_requests() -> Iterator[None]:
    """Limits each request to a tracking server in the block, and then puts MLflow's limits back.

    A limit that the user has set stays.
    """
    ours = {name: value for name, value in LIMITS.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
