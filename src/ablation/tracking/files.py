"""SQLite files of a store: each appears whole or not at all, and is one file at rest.

A store is one folder: addresses of artifacts follow it where it is moved or copied to.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from ablation.errors import Refused
from ablation.records import addresses

CREATION = 120.0
"""Seconds to wait for another process that creates the same file, which takes it three."""
BUSY = 20.0
"""Seconds to wait for a lock inside a file."""


def create(path: Path, make: Callable[[str], object]) -> None:
    """Creates an SQLite file beside its place and moves it there when it is whole.

    A stop at any moment, by a signal or a full disk, leaves no file at the place; what it leaves
    beside it, the next call removes.

    Args:
        path: The place; nothing is done if a file is there that is not empty.
        make: Creates the database at an address, and closes it.

    Raises:
        Refused: If another process seems to be stuck while it creates the file.
    """
    if _has_content(path):
        return
    work = path.parent / ".ablation" / f"creating-{path.name}"
    work.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{work}.lock", timeout=CREATION):
            if _has_content(path):  # another process was first
                return
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            try:
                # In a folder of a new name, since libraries keep connections by address.
                new = Path(tempfile.mkdtemp(dir=work)) / path.name
                make(addresses.of_file(new))
                settle(new)
                new.replace(path)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except Timeout as error:
        raise Refused(
            f"Another process has been creating {path} for {CREATION:.0f} seconds.",
            "End it, or give another folder with --store.",
        ) from error


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def settle(path: Path, wait: float = 1.0) -> None:
    """Folds an SQLite file's write-ahead log into it, so that a copy of the file is a backup.

    Where another process has it open, the log stays, emptied as far as it can be.

    Args:
        path: The file.
        wait: Seconds to wait for other processes.
    """
    with contextlib.suppress(sqlite3.Error), _open(path, wait) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")


def prepare(path: Path, *, record: bool) -> None:
    """Checks that an SQLite file can be opened, and sets a write-ahead log for recording.

    Raises:
        Refused: If it is no SQLite file, or it cannot be used.
    """
    # MLflow and Optuna retry a broken file for 100 seconds.
    try:
        if path.exists() and not path.is_file():
            raise sqlite3.OperationalError("it is not a file")
        with _open(path, BUSY) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
            if record:
                connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as error:
        raise Refused(
            f"{path} cannot be used: {error}.",
            "End the process that uses it, or give another folder with --store.",
        ) from error


@contextlib.contextmanager
def _open(path: Path, wait: float) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, timeout=wait)) as connection:
        yield connection


def follow_artifacts(path: Path) -> None:
    """Makes the addresses of artifacts in an MLflow file those of the folder that it is in.

    A store that was moved or copied would else write into its old place. Experiments are ours
    where their address ends in ``mlartifacts`` and their name; where the new place has no
    artifacts and the old one has, the address stays.

    Args:
        path: The file, which exists.
    """
    with contextlib.suppress(sqlite3.Error), _open(path, BUSY) as connection:
        rows = connection.execute(
            "SELECT experiment_id, name, artifact_location FROM experiments"
        ).fetchall()
        moved = [
            (experiment, location, new)
            for experiment, name, location in rows
            if (new := _new_location(path.absolute().parent, name, location)) != location
        ]
        with connection:  # all or nothing
            for experiment, old, new in moved:
                connection.execute(
                    "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
                    (new, experiment),
                )
                connection.execute(
                    "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
                    "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
                    (new, len(old) + 1, experiment, len(old) + 1, f"{old}/"),
                )


def _new_location(folder: Path, name: str, location: str | None) -> str | None:
    here = folder / "mlartifacts" / name
    parts = urlsplit(location or "")
    there = Path(unquote(parts.path))
    if parts.scheme != "file" or there.parts[-2:] != here.parts[-2:] or there == here:
        return location
    return location if there.exists() and not here.exists() else here.as_uri()


def folder_of(address: str) -> Path | None:
    """Returns the folder at an address of artifacts; None if it is elsewhere, as on a server.

    >>> folder_of("file:///a%20b/1"), folder_of("/a%20b/1"), folder_of("mlflow-artifacts:/1")
    (PosixPath('/a b/1'), PosixPath('/a%20b/1'), None)
    """
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme else Path(address)


def backup(source: Path, target: Path) -> None:
    """Copies an SQLite file that may be in use, as it is at one moment.

    Raises:
        sqlite3.Error: If the source cannot be read or the target cannot be written.
    """
    with _open(source, BUSY) as old, _open(target, BUSY) as new:
        old.backup(new)
    settle(target)
