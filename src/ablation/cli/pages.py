"""MLflow's pages for a store, on this machine alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ablation.errors import Refused

HOST = "127.0.0.1"
POLL = 0.2
"""Seconds between two looks at whether the server listens."""

QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # which would start ten more processes
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONSAFEPATH": "1",  # a file in this folder must not stand in for a library's module
}


def address(port: int, page: str = "") -> str:
    """Returns the address of a page: ``experiments/1/runs/...``, or the first one."""
    return f"http://{HOST}:{port}/" + (f"#/{page}" if page else "")


def listens(port: int) -> bool:
    """Whether something answers on the port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


@contextmanager
def server(uri: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Runs MLflow's server with one worker, and ends it.

    Args:
        uri: The store.
        port: Where it listens.

    Raises:
        Refused: If the port is taken.
    """
    if listens(port):
        raise Refused(f"Port {port} is taken.", "Give another one: ablation ui --port 5001")
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--host", HOST, "--port", str(port)]
    nowhere = subprocess.DEVNULL  # it prints a line per request, and a traceback on Ctrl-C
    # The address of a store may hold a password, which others would read in the command.
    environment = os.environ | QUIET | {"MLFLOW_BACKEND_STORE_URI": uri}
    process = subprocess.Popen(command, env=environment, stdout=nowhere, stderr=nowhere)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    """Waits for the server's first answer.

    Raises:
        Refused: If it ends before.
    """
    while not listens(port):
        try:
            code = process.wait(timeout=POLL)
        except subprocess.TimeoutExpired:
            continue
        raise ended(process, code)


def ended(process: subprocess.Popen[bytes], code: int) -> Refused:
    """Returns what to say of a server that ended by itself."""
    arguments = " ".join(str(part) for part in list(process.args)[1:])  # type: ignore[arg-type]  # a list here, though typed as more
    return Refused(f"MLflow's server ended with code {code}.", f"Try: python {arguments}")


def open_browser(page: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Opens a page where there is a display to open it on; says whether it did."""
    display = sys.platform in {"darwin", "win32"} or any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return display and webbrowser.open(page)
