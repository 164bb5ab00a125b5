"""Calls that end badly, in a module that a worker loads in no time."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from ablation.execute.serve import leave


def ignore_and_sleep(ready: Path | None = None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if ready is not None:
        ready.write_text("a reader of this pipe goes on now")
    time.sleep(60)


def grow() -> None:
    held = bytearray(os.urandom(2**20) * 300)
    time.sleep(60)
    del held


def raise_what_cannot_be_pickled() -> None:
    class Local(Exception):
        pass

    raise Local("here")


def pid_of_the_leaving() -> int:
    leave()
    return os.getpid()


def raise_key_error(_: int) -> None:
    raise KeyError("depth")


def abort(_: int) -> None:
    os.abort()
