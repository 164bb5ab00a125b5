"""The outbox: trained trials that the record does not have yet, a file each."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.errors import Refused, public
from ablation.records import addresses
from ablation.records.digest import digest
from ablation.tracking.parcel import OtherFormat, Parcel, from_bytes, to_bytes

if TYPE_CHECKING:
    from ablation.records.outcome import Outcome
    from ablation.records.places import Places

WHOLE, DAMAGED = ".parcel", ".damaged"


class Outbox:
    """A folder that keeps a study's trained trials until they are recorded.

    A trial is *acknowledged* once :meth:`put` has returned: it survives any kill and a power cut.
    Only who holds the study's lock writes here; anybody may read.

    Args:
        folder: The folder, which is created when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, parcel: Parcel) -> Path:
        """Writes a parcel to the disk and returns its file; a file that is not whole is removed.

        Raises:
            OSError: If the disk is full or cannot be written.
        """
        _create(self.folder)
        _, config, seed = parcel.key.split("/")
        # Names sort by the order in which trials were acknowledged.
        path = self.folder / f"{time.time_ns():020d}-{config}-{seed}{WHOLE}"
        try:
            with path.open("xb") as file:
                file.write(to_bytes(parcel))
                file.flush()
                os.fsync(file.fileno())
            _sync(self.folder)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def read(self, path: Path) -> Parcel | None:
        """Returns the parcel in a file; None if it is damaged or was sent meanwhile.

        Raises:
            OSError: If the file cannot be read just now, which says nothing of its content.
            Refused: If another version wrote it.
        """
        try:
            return from_bytes(path.read_bytes())
        except FileNotFoundError:
            return None
        except OtherFormat as error:
            raise Refused(
                f"The trained trial in {path} was written by another version of ablation.",
                "Record it with that version: ablation sync",
            ) from error

    def remove(self, path: Path) -> None:
        """Removes the file of a parcel that is recorded."""
        path.unlink(missing_ok=True)

    def files(self) -> list[Path]:
        """Returns the files of the parcels, those acknowledged first in front."""
        return sorted(self.folder.glob(f"*{WHOLE}"))

    def parcels(self) -> Iterator[tuple[Path, Parcel]]:
        """Yields file and content of every whole parcel, in the order of :meth:`files`."""
        for path in self.files():
            if (parcel := self.read(path)) is not None:
                yield path, parcel

    def outcomes(self, label: str) -> dict[str, Outcome]:
        """Returns key to outcome of a label's acknowledged trials, none with a run of its own."""
        found = {each.key: each.outcome for _, each in self.parcels() if each.label == label}
        return {key: outcome for key, outcome in found.items() if outcome is not None}

    def set_damaged_aside(self) -> int:
        """Renames damaged files, whose trials are trained again; returns their number."""
        damaged = [path for path in self.files() if self.read(path) is None]
        for path in damaged:
            with contextlib.suppress(FileNotFoundError):
                path.rename(path.with_suffix(DAMAGED))
        return len(damaged)


def outbox_of(places: Places, study: str) -> Outbox:
    """Returns the outbox of a study: below the store, or below the working folder for a server.

    A folder may serve several records, so each has a part of its own, named by the database file
    or by the server. No password is in the name.

    Args:
        places: Where the study is recorded.
        study: Name of the study.
    """
    file = addresses.file_of(places.tracking)
    if file is not None:
        part = file.name
    else:
        where = public(places.tracking)
        host = re.sub(r"[^\w.-]+", "-", where.partition("://")[2])[:40]
        part = f"{host}-{digest(where)}"
    return Outbox(places.folder / ".ablation" / "outbox" / part / study)


def studies_with_parcels(places: Places) -> Mapping[str, Outbox]:
    """Returns study name to outbox of all that hold a parcel for a record."""
    folder = outbox_of(places, "any").folder.parent
    found = sorted({path.parent.name for path in folder.glob(f"*/*{WHOLE}")})
    return {study: outbox_of(places, study) for study in found}


def _create(folder: Path) -> None:
    """Creates a folder, and those above it, so that they survive a power cut."""
    if not folder.is_dir():
        _create(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Makes the names of a folder's files survive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
