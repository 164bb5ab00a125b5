"""Addresses of databases and servers: paths become addresses by rule, never by pasting."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ablation.errors import Refused, public

SQLITE = "sqlite:///"
ODD = "sqlite+pysqlite:///"
"""The same database. MLflow takes an address that begins with :data:`SQLITE` for a path, and makes
a folder of its escapes: one called ``p%2520q`` beside ``p%20q``."""

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVERS = ("http", "https")

LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",  # seconds; MLflow's own are 120
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",  # half a minute; MLflow's seven take some minutes
}
"""Environment variables that MLflow reads before each request to a server, unless the user has set
them."""


def of_file(path: Path) -> str:
    """Returns the address of an SQLite file, whatever its folders are called.

    >>> of_file(Path("/runs/mlflow.db"))
    'sqlite:////runs/mlflow.db'
    >>> of_file(Path("/p%20q/mlflow.db"))
    'sqlite+pysqlite:////p%2520q/mlflow.db'
    """
    plain = str(path)
    # Only what SQLAlchemy would read otherwise, so that a usual folder has its usual address.
    escaped = re.sub("[%?]", lambda sign: quote(sign[0]), plain)
    return (SQLITE if escaped == plain else ODD) + escaped


def file_of(address: str) -> Path | None:
    """Returns the path of an SQLite file, None for any other address.

    >>> file_of("sqlite+pysqlite:////p%2520q/mlflow.db")
    PosixPath('/p%20q/mlflow.db')
    >>> file_of("postgresql://host/runs") is None
    True
    """
    found = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]*)(?:\?.*)?", address, re.DOTALL)
    return Path(unquote(found[1])) if found else None


def checked(address: str, name: str, *, server: bool) -> str:
    """Returns an address that a user gave; that of an SQLite file in our spelling.

    Args:
        address: The address.
        name: The environment variable that holds it, for the message.
        server: Whether it may be that of a tracking server.

    Raises:
        Refused: If nothing can be recorded there. The message holds no password.
    """
    file = file_of(address)
    if file is not None and str(file) not in {".", ":memory:"}:
        return of_file(file.absolute())
    known = DATABASES[1:] + (SERVERS if server else ())
    scheme, colon, rest = address.partition("://")
    if colon and scheme.partition("+")[0] in known and _has_host(scheme, rest):
        return address
    kinds = "an SQLite file, a PostgreSQL or MySQL database"
    kinds += ", or a tracking server" if server else ""
    raise Refused(
        f"{name}={public(address)[:200]!r} is not the address of {kinds}.",
        "Give for example sqlite:////home/me/runs.db"
        + (", http://host:5000" if server else "")
        + f" or postgresql+psycopg://me@host/runs, or unset {name}.",
    )


def _has_host(scheme: str, rest: str) -> bool:
    """Returns whether the part after ``://`` names a host, by host or query, and a valid port."""
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        return bool(parts.hostname or parse_qsl(parts.query)) and (parts.port or 1) > 0
    except ValueError:
        return False


def given(environment: Mapping[str, str] = os.environ) -> tuple[str | None, str | None]:
    """Returns the addresses of the record and of its mirror that the environment names, if any.

    Raises:
        Refused: If nothing can be recorded at one of them, or both are one database.
    """
    tracking = environment.get("MLFLOW_TRACKING_URI") or None
    storage = environment.get("ABLATION_STORAGE") or None
    if tracking is not None:
        tracking = checked(tracking, "MLFLOW_TRACKING_URI", server=True)
    if storage is not None:
        storage = checked(storage, "ABLATION_STORAGE", server=False)
    if storage is not None and storage == tracking:
        raise Refused(
            "MLFLOW_TRACKING_URI and ABLATION_STORAGE name one database, and both need a table "
            "of the same name.",
            "Give each a database of its own.",
        )
    return tracking, storage
