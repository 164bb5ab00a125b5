"""A temporary folder of this process, which the next start removes if a kill left it behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from multiprocessing.util import Finalize
from pathlib import Path

from ablation.records import pids

PREFIX = "ablation-"


@contextlib.contextmanager
def own_temporary() -> Iterator[None]:
    """Puts temporary files that are made in the block in a folder of this process.

    A block in another one changes nothing.
    """
    # The fork server's socket is in a temporary folder that multiprocessing removes at the end;
    # SIGKILL leaves it. Only a folder that names its process can be told from one in use.
    before, place = tempfile.tempdir, Path(tempfile.gettempdir())
    own = place / f"{PREFIX}{os.getuid()}-{os.getpid()}"
    if place.name == own.name:
        yield
        return
    _sweep(place)
    try:
        own.mkdir(mode=0o700, exist_ok=True)
    except OSError:  # multiprocessing then says what is wrong with it
        yield
        return
    # After multiprocessing has removed its own folder in it, which has the priority -100.
    Finalize(None, shutil.rmtree, args=(own,), kwargs={"ignore_errors": True}, exitpriority=-200)
    tempfile.tempdir = str(own)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _sweep(place: Path) -> None:
    """Removes the folders of processes of this user that are gone."""
    for folder in place.glob(f"{PREFIX}{os.getuid()}-*"):
        pid = folder.name.rpartition("-")[2]
        if pid.isdigit() and not pids.exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
