"""Finds out in seconds whether a database or server can be used, before anything is written."""

from __future__ import annotations

import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from ablation.errors import Refused, public
from ablation.records import addresses
from ablation.tracking import files

SECONDS = 10.0
"""Seconds that a database or server has to answer at first."""


def reach(address: str, name: str) -> None:
    """Connects to a place once; writes nothing.

    Args:
        address: The place.
        name: The environment variable that may name it, for the message.

    Raises:
        Refused: If it does not answer within :data:`SECONDS`, refuses the password, lacks its
            driver, or is a file that is no SQLite database.
    """
    file = addresses.file_of(address)
    if file is not None:
        if file.exists() or file.is_symlink():
            files.prepare(file, record=False)
        return
    fault = _within(lambda: _ask_started(address))
    if fault is not None:
        raise Refused(f"{public(address)} cannot be used: {fault}.", _way_out(fault, name))


def _ask_started(address: str) -> None:
    """Asks again while a database is starting up, which takes PostgreSQL some seconds."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            _ask(address)
            return
        except Exception as error:
            if "starting up" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(0.2)


def _ask(address: str) -> None:
    if address.startswith("http"):
        _ask_server(address)
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")


def _ask_server(address: str) -> None:
    """Asks a tracking server for its health; any answer will do, since MLflow logs in itself."""
    try:
        with urllib.request.urlopen(f"{public(address).rstrip('/')}/health", timeout=SECONDS):
            pass
    except urllib.error.HTTPError:
        pass
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ssl.SSLError):  # certificates are MLflow's business
            raise


def _within(ask: Callable[[], None]) -> str | None:
    """Returns the fault of a call that may hang, None if it succeeds in time."""
    faults: list[str | None] = []

    def run() -> None:
        try:
            ask()
            faults.append(None)
        except Exception as error:
            faults.append(_said(error))

    # In a thread, because no timeout of a library covers the look-up of a host's name.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return faults[0] if faults else f"no answer within {SECONDS:.0f} seconds"


def _said(error: Exception) -> str:
    cause: Any = getattr(error, "orig", None) or getattr(error, "reason", None) or error
    if isinstance(error, ImportError) or type(error).__name__ == "NoSuchModuleError":
        return f"its driver is not installed ({getattr(error, 'name', None) or error})"
    first = next(iter(str(cause).strip().splitlines()), type(error).__name__)
    return first[:160].rstrip(".")


def _way_out(fault: str, name: str) -> str:
    if "driver" in fault:
        return (
            "Install it: pip install 'attention-ablation[postgres]' for postgresql+psycopg://, "
            "or the driver that the address names."
        )
    if any(word in fault.lower() for word in ("password", "log-in", "access denied", "role")):
        return f"Check user and password in {name}."
    return f"Start the server, check host and port in {name}, or give a folder with --store."
