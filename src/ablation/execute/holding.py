"""Holds what one process at a time may have: a study's lock, and the opening of a store."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import Timeout

from ablation import mirror as mirrors
from ablation import tracking
from ablation.errors import Refused, public
from ablation.records.causes import refusal

if TYPE_CHECKING:
    from ablation.records.places import Places


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """The lock of a study, as long as its context lasts."""

    since: float
    """Seconds since the epoch; no trial of the holder began earlier."""
    progress: Path
    """Folder of the trials' progress files; empty at first."""


@contextlib.contextmanager
def hold(places: Places, study: str) -> Iterator[Held]:
    """Lets one process at a time record a study in a store; beside the store, not the caller.

    Raises:
        Refused: If another process has the lock, or the folder cannot be written.
    """
    folder = places.progress(study)
    with _lock(places, study):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield Held(since=time.time(), progress=folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def opening(places: Places) -> Iterator[None]:
    """Keeps other processes from creating databases and experiments in the block."""
    lock, seconds = places.opening(), 120
    try:
        lock.acquire(timeout=seconds)
    except Timeout as error:
        raise Refused(
            f"Another process has been opening the store {places.folder} for {seconds} seconds.",
            "End it, or give another folder with --store.",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def recording(places: Places) -> Iterator[None]:
    """Turns database, server and disk errors into a two-line `Refused`."""
    failures: tuple[type[Exception], ...] = (OSError, *mirrors.failures(), *tracking.failures())
    try:
        yield
    except BrokenPipeError:
        raise  # of the terminal, not of the record
    except failures as error:
        raise refusal(error, f"The record in {public(places.tracking)} failed") from error


@contextlib.contextmanager
def _lock(places: Places, study: str) -> Iterator[None]:
    """Has the study's lock in the block."""
    lock, holder = places.lock(study), places.folder / ".ablation" / f"{study}.holder"
    try:
        (places.folder / ".ablation").mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        holder.write_text(f"{tracking.this_process()}, since {since}", encoding="utf-8")
    except Timeout as error:
        who = ""
        with contextlib.suppress(OSError):
            who = f": {holder.read_text(encoding='utf-8')}"
        raise Refused(
            f"Another process is running {study!r} in {places.folder}{who}.",
            "Wait until it has ended, or give another folder with --store.",
        ) from error
    except OSError as error:
        raise Refused(
            f"The folder {places.folder} cannot be written: {error.strerror}.",
            "Give another one: STORE=... (--store).",
        ) from error
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
