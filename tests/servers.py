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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """MLflow's tracking server over an SQLite file, on this machine."""
    port = _free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port),
               "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
               "--artifacts-destination", str(folder / "artifacts")]  # fmt: skip
    off = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        command, env=os.environ | off, cwd=folder, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def postgres(_: Path) -> Iterator[str]:
    """A PostgreSQL server with an empty database, on this machine."""
    pytest.importorskip("psycopg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("PostgreSQL's server is not installed")
    port, binaries = _free_port(), found[-1].parent
    # Not below pytest's folder, which is its user's alone: PostgreSQL refuses to run as root.
    with tempfile.TemporaryDirectory() as name:
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        quiet["cwd"] = name
        if os.getuid() == 0:
            shutil.chown(name, "postgres", "postgres")
            quiet |= {"user": "postgres", "group": "postgres"}
        made = [binaries / "initdb", "-D", f"{name}/data", "-A", "trust", "-U", "ablation"]
        subprocess.run(made, check=True, **quiet)
        options = ["-D", f"{name}/data", "-p", str(port), "-k", name, "-c", "fsync=off"]
        process = subprocess.Popen([binaries / "postgres", *options], **quiet)
        try:
            _wait_for(port)
            yield f"postgresql+psycopg://ablation@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # does not wait for its clients
            process.wait()


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
