"""Copies a store while it may be in use: both databases, then the artifacts."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ablation import tracking
from ablation.errors import Refused, public
from ablation.records import addresses
from ablation.records.causes import refusal
from ablation.tracking import files

if TYPE_CHECKING:
    from ablation.records.places import Places


def back_up(places: Places, folder: Path) -> None:
    """Makes a folder that is a whole store: ``--store FOLDER`` reads it and goes on from it.

    Args:
        places: The store.
        folder: A new folder; it appears when it is complete.

    Raises:
        Refused: If the store is on a server, is missing or cannot be read, or the folder exists
            or cannot be written.
    """
    record, mirror = map(addresses.file_of, (places.tracking, places.storage))
    if record is None or mirror is None:
        where = public(places.tracking if record is None else places.storage)
        raise Refused(
            f"{where} is no SQLite file.", "Back it up with its own tool, such as pg_dump."
        )
    if not record.exists():
        raise Refused(f"Nothing is recorded in {record}.", "Run a study first: ablation list")
    if folder.exists() or folder.is_symlink():
        raise Refused(f"{folder} exists already.", "Name a new folder.")
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.absolute().parent, prefix=".backup-") as work:
            new = Path(work) / "store"
            new.mkdir()
            # Before the record: a trial that is sent meanwhile is in both, and recognised.
            _copy_outboxes(places, new)
            files.backup(record, new / "mlflow.db")
            if mirror.exists():
                files.backup(mirror, new / "optuna.db")
            # After the record: each finished run in it saved its artifacts before it ended.
            artifacts = record.parent / "mlartifacts"
            if artifacts.is_dir():
                shutil.copytree(artifacts, new / "mlartifacts")
            new.rename(folder)
    except (OSError, sqlite3.Error, shutil.Error) as error:
        way_out = "Free disk space, or name a folder that can be written."
        raise refusal(error, f"{record.parent} cannot be copied to {folder}", way_out) from error


def _copy_outboxes(places: Places, store: Path) -> None:
    """Copies trials that are trained and not recorded yet to a store that is being made."""
    for study, outbox in tracking.studies_with_parcels(places).items():
        target = store / ".ablation" / "outbox" / "mlflow.db" / study
        target.mkdir(parents=True)
        for path in outbox.files():
            with contextlib.suppress(FileNotFoundError):  # it was sent just now
                shutil.copy(path, target)
