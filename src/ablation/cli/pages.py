"""The command ``ui``: serves MLflow's web pages for a store, on this machine only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import typer

from ablation.cli import guard
from ablation.cli.options import Store
from ablation.cli.output import show_line
from ablation.cli.process import stop_when_asked
from ablation.cli.recorded import existing, page_of
from ablation.errors import Refused, public

HOST = "127.0.0.1"
APP = "ablation"
"""Name of our front page among the apps that MLflow's server finds."""
POLL = 0.2
"""Seconds between two checks whether the server answers."""

QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # job execution starts ten more processes
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONSAFEPATH": "1",  # a file in this folder must not shadow a library's module
}


def address(port: int, page: str = "") -> str:
    """Returns the address of a page, such as ``experiments/1/runs/...``, or of the front page.

    >>> address(5000, "experiments/1")
    'http://127.0.0.1:5000/#/experiments/1'
    """
    return f"http://{HOST}:{port}/" + (f"#/{page}" if page else "")


def listens(port: int) -> bool:
    """Returns whether a process answers on the port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


@contextmanager
def server(uri: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Runs MLflow's server with one worker, and ends it when the block ends.

    Args:
        uri: The store.
        port: Port of the server.

    Raises:
        Refused: If the port is taken.
    """
    from importlib.metadata import entry_points  # loads email and zip files: not for --help

    if listens(port):
        raise Refused(f"Port {port} is taken.", "Give another port: ablation ui --port 5001")
    command = [sys.executable, guard.__file__, sys.executable]
    command += ["-m", "mlflow", "server", "--workers", "1"]
    command += ["--host", HOST, "--port", str(port)]
    if entry_points(group="mlflow.app", name=APP):  # an installation of before may lack it
        command += ["--app-name", APP]
    nowhere = subprocess.DEVNULL  # MLflow prints a line per request, and a traceback on Ctrl-C
    # By environment: a password in the address would be readable in the process list.
    environment = os.environ | QUIET | {"MLFLOW_BACKEND_STORE_URI": uri}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()  # which ends it
        process.wait()


def until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    """Waits until the server answers.

    Raises:
        Refused: If the server ends before it answers.
    """
    while not listens(port):
        try:
            code = process.wait(timeout=POLL)
        except subprocess.TimeoutExpired:
            continue
        raise ended(process, code)


def ended(process: subprocess.Popen[bytes], code: int) -> Refused:
    """Returns the refusal for a server that ended by itself."""
    arguments = " ".join(str(part) for part in list(process.args)[3:])  # type: ignore[arg-type]  # a list here, though typed as more
    return Refused(f"MLflow's server ended with code {code}.", f"Try: python {arguments}")


def open_browser(page: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Opens a page in the browser if there is a display; returns whether it did."""
    import webbrowser

    display = sys.platform in {"darwin", "win32"} or any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return display and webbrowser.open(page)


def ui(
    name: Annotated[
        str | None, typer.Argument(help="Study to open; if unset, the one that ran last.")
    ] = None,
    *,
    store: Store = None,
    port: Annotated[int, typer.Option(help="Port.")] = 5000,
) -> None:
    """Serves MLflow's web pages for the store, on this machine only."""
    from ablation.records.places import places

    if not 0 < port < 1 << 16:
        raise Refused(f"There is no port {port}.", "Give a port from 1024 to 65535.")
    uri = existing(places(store).tracking)
    page = page_of(uri, name)
    if uri.startswith("http"):
        where = public(uri).rstrip("/") + (f"/#/{page}" if page else "")
        show_line(f"The runs are on a tracking server: open {where}")
        return
    stop_when_asked()
    try:
        with server(uri, port) as process:
            until_it_listens(process, port)
            where = address(port, page)
            show_line(f"Press Ctrl-C to stop. MLflow serves {public(uri)} on {where}")
            open_browser(where)
            raise ended(process, process.wait())
    except KeyboardInterrupt:
        return
