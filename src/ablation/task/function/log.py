"""Keeps what a trial prints, its own output and that of programs it starts, up to a limit."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

LIMIT = 1_000_000
"""Bytes that are kept of a log; of a longer one, the first and the last half of that."""
MOST = 4 * LIMIT
"""Bytes on disk at which a log is cut while programs write to it."""
EVERY = 0.1
"""Seconds between two looks at its size; a program can write 200 MB in that time."""


class Bounded(io.TextIOBase):
    """A stream that writes to a descriptor, and keeps only the end of what exceeds the limit.

    Args:
        descriptor: Where text goes.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.left = descriptor, LIMIT // 2
        self.end = bytearray()

    def write(self, text: str) -> int:
        """Writes text, or keeps it for the end of the log."""
        given = text.encode("utf-8", "backslashreplace")
        now, later = given[: self.left], given[self.left :]
        if now:
            os.write(self.descriptor, now)
            self.left -= len(now)
        self.end += later
        if len(self.end) > LIMIT:
            del self.end[: -LIMIT // 2]
        return len(text)

    def writable(self) -> bool:
        """Returns True."""
        return True

    def fileno(self) -> int:
        """Returns the descriptor, for programs that are started with this stream."""
        return self.descriptor

    def finish(self) -> None:
        """Writes the end of what did not fit."""
        if self.end:
            os.write(self.descriptor, b"\n[...]\n" + bytes(self.end[-LIMIT // 2 :]))


class Watch(threading.Thread):
    """Cuts a log whenever it has become too long; Python's streams alone bound themselves.

    Args:
        path: The log, which is written to its end.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path, self._ended = path, threading.Event()

    def run(self) -> None:
        """Looks at the log's size until :meth:`end` is called, and once after that."""
        ended = False
        while not ended:
            ended = self._ended.wait(EVERY)
            with contextlib.suppress(OSError):
                if self._path.stat().st_size > MOST:
                    self._cut()

    def _cut(self) -> None:
        kept = read(self._path)
        os.truncate(self._path, LIMIT // 2)
        with self._path.open("ab") as file:
            file.write(kept[LIMIT // 2 :])

    def end(self) -> None:
        """Ends the thread."""
        self._ended.set()
        self.join()


def path_of(folder: Path) -> Path:
    """Returns the path of a trial's log.

    Args:
        folder: The trial's folder, which the log is beside.
    """
    return folder.with_name(f"{folder.name}.log")


@contextlib.contextmanager
def captured(path: Path | None) -> Iterator[None]:
    """Sends all that is printed in the block to a file, by programs started in it too.

    Args:
        path: The file, which is written anew; None captures nothing.
    """
    if path is None or threading.current_thread() is not threading.main_thread():
        yield  # the streams belong to the whole process
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    path.unlink(missing_ok=True)
    with path.open("ab") as file:  # to its end, wherever that is after a cut
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    stream, watch = Bounded(1), Watch(path)
    watch.start()
    try:
        with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            yield
    finally:
        watch.end()
        stream.finish()
        for number, before in zip((1, 2), kept, strict=True):
            os.dup2(before, number)
            os.close(before)


def read(path: Path | None) -> bytes:
    """Returns a log, its first and last half if it is too long."""
    if path is None or not path.is_file():
        return b""
    with path.open("rb") as file:
        size = path.stat().st_size
        if size <= LIMIT + LIMIT // 2:
            return file.read()
        first = file.read(LIMIT // 2)
        file.seek(-LIMIT // 2, os.SEEK_END)
        return first + b"\n[...]\n" + file.read()
