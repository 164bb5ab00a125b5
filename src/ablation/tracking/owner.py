"""The process that holds a lease: how others name it, and find that it is gone."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from ablation.records import pids

PREFIX = "ablation.owner."


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """A process, known even after its number has been given to another one."""

    host: str
    boot: str
    """Identifies the time since the machine was started; empty where the system has no such id."""
    pid: int
    started: str
    """When the process began, in the system's own clock; empty if unknown."""

    def tags(self) -> dict[str, str]:
        """Returns the tags that :meth:`from_tags` reads."""
        return {PREFIX + name: str(value) for name, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Owner:
        """Returns the owner that a run's tags name."""
        given = {name: tags.get(PREFIX + name, "") for name in ("host", "boot", "started")}
        return cls(pid=int(tags.get(f"{PREFIX}pid") or 0), **given)

    @property
    def is_here(self) -> bool:
        """Returns whether the process is one of this machine, since it was started."""
        mine = this_process()
        return (self.host, self.boot) == (mine.host, mine.boot)

    @property
    def is_gone(self) -> bool:
        """Returns whether the process is certainly gone; False for one on another machine."""
        return self.is_here and (not pids.exists(self.pid) or _started(self.pid) != self.started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@functools.cache
def _this(pid: int) -> Owner:
    boot = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    # Containers share a boot id, and may share a host name; their processes have other numbers.
    with contextlib.suppress(OSError):
        boot += f" {Path('/proc/self/ns/pid').readlink()}"
    return Owner(host=socket.gethostname(), boot=boot, pid=pid, started=_started(pid))


def this_process() -> Owner:
    """Returns this process."""
    return _this(os.getpid())


def clock() -> float:
    """Returns seconds that only go forward, also while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _started(pid: int) -> str:
    """Returns when a process began, in ticks since the machine was started; empty if unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "gone" if fields[0] in "ZX" else fields[19]
