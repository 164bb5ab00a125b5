"""Servers that tests record on: MLflow's own, and PostgreSQL's where it is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """A server process that can be stopped, frozen and started again at the same address."""

    def __init__(self, address: str, port: int, command: Sequence[Any], **options: Any) -> None:
        self.address, self._port = address, port
        self._command, self._options = command, options
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, start_new_session=True, **self._options)
        _wait_for(self._port)

    def send(self, which: signal.Signals) -> None:
        pid = self._process.pid
        os.killpg(pid, which)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):  # PostgreSQL's have groups of their own
                os.kill(int(child), which)

    def stop(self, which: signal.Signals = signal.SIGKILL) -> None:
        for each in (which, signal.SIGCONT):
            os.killpg(self._process.pid, each)
        self._process.wait()


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[Server]:
    """MLflow's tracking server over an SQLite file, on this machine."""
    port = _free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port),
               "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
               "--artifacts-destination", str(folder / "artifacts")]  # fmt: skip
    off = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    made = Server(
        f"http://127.0.0.1:{port}", port, command, env=os.environ | off, cwd=folder, **QUIET
    )
    try:
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of :func:`mlflow_server`."""
    with mlflow_server(folder) as made:
        yield made.address


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The address of :func:`postgres_server`."""
    with postgres_server(folder) as made:
        yield made.address


@contextlib.contextmanager
def postgres_server(_: Path) -> Iterator[Server]:
    """A PostgreSQL server with an empty database, on this machine."""
    pytest.importorskip("psycopg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("PostgreSQL's server is not installed")
    port, binaries = _free_port(), found[-1].parent
    # Not below pytest's folder, which is its user's alone: PostgreSQL refuses to run as root.
    with tempfile.TemporaryDirectory() as name:
        quiet: dict[str, Any] = {**QUIET, "cwd": name}
        if os.getuid() == 0:
            shutil.chown(name, "postgres", "postgres")
            quiet |= {"user": "postgres", "group": "postgres"}
        made = [binaries / "initdb", "-D", f"{name}/data", "-A", "trust", "-U", "ablation"]
        subprocess.run(made, check=True, **quiet)
        options = ["-D", f"{name}/data", "-p", str(port), "-k", name, "-c", "fsync=off"]
        address = f"postgresql+psycopg://ablation@127.0.0.1:{port}/postgres"
        running = Server(address, port, [binaries / "postgres", *options], **quiet)
        try:
            yield running
        finally:
            running.stop(signal.SIGINT)  # does not wait for its clients


def _wait_for(port: int) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, "the server does not listen"
            time.sleep(0.1)
        else:
            return
