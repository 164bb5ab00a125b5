"""The loop of a worker process: receives a call, runs it and sends its answer."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

_goes_on = True


def leave() -> None:
    """Makes this worker end after its call; another process takes its place."""
    global _goes_on  # noqa: PLW0603 - it is a property of the process
    _goes_on = False


def serve(pipe: Connection, begin: Callable[[], None] | None) -> None:
    """Runs calls until the pipe is closed.

    Args:
        pipe: Receives functions with their arguments; sends whether this worker goes on, and the
            pickled value and exception of the call. A first message without either says that the
            worker is ready.
        begin: Called first.
    """
    if begin is not None:
        begin()
    with contextlib.suppress(EOFError, OSError):  # the conductor has ended
        pipe.send((True, b""))
        while _goes_on:
            received = pipe.recv_bytes()
            answer = _answer(received)  # before it is known whether this worker goes on
            pipe.send((_goes_on, answer))


def _answer(received: bytes) -> bytes:
    try:
        fn, arguments, named = ForkingPickler.loads(received)
        return bytes(ForkingPickler.dumps((fn(*arguments, **named), None)))
    except BaseException as error:
        return _of_error(error)


def _of_error(error: BaseException) -> bytes:
    """Returns a pickled exception; one that does not survive pickling becomes a RuntimeError."""
    try:
        answer = pickle.dumps((None, error))
        pickle.loads(answer)
    except Exception:
        return pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}")))
    return answer


def fate_of(code: int | None) -> str:
    """Says how a process ended.

    >>> fate_of(-11), fate_of(3)
    ('killed by SIGSEGV', 'its process ended with exit code 3')
    """
    if code is None:
        return "its process stopped answering"
    if code >= 0:
        return f"its process ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}" + (", perhaps for lack of memory" if name == "SIGKILL" else "")


def resident(pid: int | None) -> int:
    """Returns the resident memory of a process in bytes, 0 where that cannot be read."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
