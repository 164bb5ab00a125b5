"""Numbers of processes on this machine."""

from __future__ import annotations

import os


def exists(pid: int) -> bool:
    """Returns whether a process has the number, also one of another user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
