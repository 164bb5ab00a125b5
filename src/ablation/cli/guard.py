"""Runs a command, and ends it and all that it started when whoever asked for it is gone.

Run as a file, so that nothing else is imported: ``python guard.py COMMAND ...``. Standard input is
a pipe that the caller holds open; the system closes it however the caller ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Runs a command in a session of its own, and returns its exit code, or the signal."""
    started: list[subprocess.Popen[bytes]] = []

    def end(*_: object) -> None:
        if not started:
            sys.exit(1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started[0].pid, signal.SIGTERM)

    def watch() -> None:
        sys.stdin.buffer.read()
        end()

    for which in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(which, end)
    started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))
    threading.Thread(target=watch, daemon=True).start()
    return abs(started[0].wait())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
