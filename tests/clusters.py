"""Dask schedulers and workers as processes of their own, each worker with its own folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import ablation

SOURCES = str(Path(ablation.__file__).parents[1])


class Cluster:
    """A scheduler and its workers.

    Args:
        folder: Where they log and keep what they get.
        port: The scheduler's port.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.address = folder, f"tcp://127.0.0.1:{port}"
        self.port, self.started = port, 0
        self.scheduler = self._start_scheduler()
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        return self._start("scheduler", "distributed.cli.dask_scheduler", options, {})

    def restart_scheduler(self) -> None:
        """Starts another scheduler at the same address."""
        self.scheduler = self._start_scheduler()

    def add(self, name: str, *, threads: int = 1, variables: Mapping[str, str] = {}) -> Path:
        """Starts a worker and returns its folder."""
        options = [self.address, "--nthreads", str(threads), "--no-dashboard", "--name", name]
        self.workers[name] = self._start(name, "distributed.cli.dask_worker", options, variables)
        return self.folder / name

    def _start(
        self, name: str, module: str, options: list[str], variables: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        own = self.folder / name
        own.mkdir(parents=True, exist_ok=True)
        paths = [*variables.get("PYTHONPATH", "").split(os.pathsep), SOURCES]
        environment = {
            **os.environ, **variables, "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "ABLATION_CACHE": str(own / "cache"),
        }  # fmt: skip
        with (own / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *options], cwd=own, env=environment,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kills a process with all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def cluster(folder: Path, port: int) -> Iterator[Cluster]:
    """Yields a cluster without workers, and kills what it has at the end."""
    made = Cluster(folder, port)
    try:
        yield made
    finally:
        for process in (*made.workers.values(), made.scheduler):
            made.kill(process)


def free_port() -> int:
    """Returns a port that nobody has."""
    import socket

    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
        return port


def pretend(folder: Path, name: str, version: str) -> dict[str, str]:
    """Returns variables of a process in which a distribution has another version."""
    own = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    own.mkdir(parents=True)
    (own / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return {"PYTHONPATH": str(folder)}
