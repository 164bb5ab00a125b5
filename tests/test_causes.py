"""Foreign errors: no password in any text, one line each, and a way out that fits the cause."""

from __future__ import annotations

import errno
import importlib
import io
import os
import re
import sys
import threading
import warnings
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation import cli
from ablation.cli import process
from ablation.errors import Refused, public
from ablation.records import causes
from ablation.tracking.reach import reach

SECRETS = ["geheim", "ge@heim", "ge:heim", "ge/heim", "ge%40heim", "geheim?", "ge heim"]
FORMS = [
    "postgresql://me:{}@host/db",
    "postgresql+psycopg://me:{}@host:5432/db?sslmode=disable",
    "http://me:{}@host:5000",
    "https://me:{}@host/path",
]
SAID = [
    "cannot connect to {}",
    "API request to {}/api/2.0 failed: Max retries exceeded with url: '{}'",
    "(OperationalError) {} refused\n[SQL: SELECT 1]\n(Background on: https://sqlalche.me/e/14)",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("said", SAID)
def test_no_password_of_an_address_is_told(
    secret: str, form: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = form.format(secret)
    monkeypatch.setenv("ABLATION_STORAGE", address)
    refused = causes.refusal(ValueError(said.format(address, address)), "The record failed")
    shown = f"{refused} {public(address)} {causes.hidden(said.format(address, address))}"
    assert "heim" not in shown
    assert "host" in shown


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://host/db?user=me&password=geheim",
        "FATAL: password='geheim' is wrong",
        "{'token': 'geheim'}",
        "Api_Key = geheim",
    ],
)
def test_whatever_is_called_a_password_is_hidden(text: str) -> None:
    assert "geheim" not in causes.hidden(text, {})


@given(st.text(max_size=2000))
def test_any_text_becomes_one_line_of_bounded_length(text: str) -> None:
    line = causes.line(text)
    assert len(line) <= causes.LONGEST
    assert len(line.splitlines()) <= 1


@pytest.mark.parametrize(
    ("error", "way_out"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "Free disk space"),
        (ValueError("(sqlite3.OperationalError) database or disk is full"), "Free disk space"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "Make it writable"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "Make it writable"),
        (ValueError("attempt to write a readonly database"), "Make it writable"),
        (ValueError("database is locked"), "End the process that uses it"),
        (ValueError("(sqlite3.OperationalError) disk I/O error"), "disk is full or broken"),
        (ModuleNotFoundError("No module named 'psycopg'"), "attention-ablation[postgres]"),
        (ValueError('FATAL: password authentication failed for user "me"'), "user and password"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Start the server"),
        (TimeoutError("timed out"), "Start the server"),
        (OSError("AF_UNIX path too long"), "TMPDIR"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x"), "shorter name"),
        (ValueError("Param value '...' had length 7000, which exceeded length limit of 6000"),
         "MLFLOW_TRUNCATE_LONG_VALUES"),
        (OSError(errno.EROFS, "Read-only file system", "/srv/mlartifacts"), "--artifacts-dest"),
        (ValueError("file is not a database"), "Restore it from a backup"),
        (ValueError("something else"), "Fix it"),
    ],
)  # fmt: skip
def test_each_cause_has_its_own_way_out(error: Exception, way_out: str) -> None:
    refused = causes.refusal(error, "The record failed")
    assert way_out in refused.way_out
    assert way_out == "Free disk space" or "disk space" not in refused.way_out
    assert len(str(refused).splitlines()) == 2


def test_the_cause_inside_an_error_counts() -> None:
    error = ValueError("writing failed")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert "Free disk space" in causes.refusal(error, "It failed").way_out


class Silent(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_answers_is_reached_and_a_closed_port_is_refused_at_once() -> None:
    server = HTTPServer(("127.0.0.1", 0), Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://me:geheim@127.0.0.1:{server.server_port}"
    reach(address, "MLFLOW_TRACKING_URI")
    server.shutdown()
    server.server_close()
    with pytest.raises(Refused, match="refused") as refusal:
        reach(address, "MLFLOW_TRACKING_URI")
    assert "geheim" not in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 2


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    freed = threading.Event()
    reaching = importlib.import_module("ablation.tracking.reach")
    monkeypatch.setattr(reaching, "SECONDS", 0.1)
    monkeypatch.setattr(reaching, "_ask", lambda address: freed.wait())
    with pytest.raises(Refused, match=r"http://host cannot be used: no answer within"):
        reach("http://me:geheim@host", "MLFLOW_TRACKING_URI")
    freed.set()


def test_a_missing_driver_is_named() -> None:
    pytest.importorskip("sqlalchemy")
    with pytest.raises(Refused, match="its driver is not installed") as refusal:
        reach("mysql+nonesuch://me:geheim@127.0.0.1/db", "ABLATION_STORAGE")
    assert "geheim" not in str(refusal.value)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/dev/shm/x"), 2),
        (OSError("AF_UNIX path too long"), 2),
        (MemoryError(), 2),
        (Refused("http://me:geheim@host failed\nand\nmore", "Look."), 2),
        (ZeroDivisionError("http://me:geheim@host"), 1),
    ],
)
def test_whatever_ends_a_command_holds_no_password(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fail(**_: object) -> None:
        raise error

    for name in ("MPLBACKEND", "MATPLOTLIBRC"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("ablation.cli.commands.app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    err = capsys.readouterr().err
    assert ended.value.code == code
    assert "geheim" not in err
    assert code == 1 or len(err.splitlines()) == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_of_any_encoding_takes_any_text(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ablation.cli.output import show

    for name in ("MPLBACKEND", "MATPLOTLIBRC"):
        monkeypatch.setenv(name, "")
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    process.prepare()
    show("0 of 2, ≤ 78% − 0.5 · 注意")
    stream.flush()
    shown = written.getvalue().decode(encoding)
    assert "78%" in shown
    assert encoding == "utf-8" or "\\u6ce8" in shown
    assert encoding != "ascii" or "<= 78% - 0.5" in shown


def test_the_users_settings_of_matplotlib_change_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib as mpl

    from ablation.figures import figure_of, styled, svg

    def drawn() -> str:
        with styled():
            figure = figure_of(2, 1)
            figure.subplots().plot([0, 1], [1, 0])
        return svg(figure, "x")

    plain = drawn()
    with mpl.rc_context({"lines.linewidth": 9, "axes.grid": True, "font.family": "serif",
                         "axes.facecolor": "black", "svg.fonttype": "path"}):  # fmt: skip
        assert drawn() == plain
    monkeypatch.setenv("MPLBACKEND", "module://nonesuch")
    process.prepare()
    assert os.environ["MPLBACKEND"] == "agg"


def test_a_sign_that_no_font_has_is_a_line_and_no_warning() -> None:
    from ablation.figures import figure_of, png, styled
    from ablation.report.drawing import draw_and_save

    def draw() -> Any:
        with styled():
            figure = figure_of(2, 1)
            figure.subplots().set_title("基线 \ue123")
        return figure

    text, files = draw_and_save("differences", partial(draw))
    assert "基线" in text
    assert "no font" not in text
    assert files["png"].startswith(b"\x89PNG")
    assert files["pdf"].startswith(b"%PDF")
    figure = draw()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        png(figure)
    assert not caught
    assert re.match(r"\d signs? ha(s|ve) no font here .*U\+E123", figure.get_supxlabel())
