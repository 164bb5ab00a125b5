"""Servers that stop, freeze or never come back: training goes on, nothing is lost or doubled."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Server, mlflow_server, postgres_server
from test_outbox import SEED, Slow, outbox_of, plan, recorded, run

from ablation.execute import ExecutorCrew, session, sync, walk
from ablation.execute import sender as senders
from ablation.records.places import Places, places

pytestmark = pytest.mark.slow

SECRET = "geheim"


@dataclasses.dataclass
class Record:
    """A record on a server, and the server; its address holds a password that nobody checks."""

    server: Server
    where: Places
    address: str


MADE = {"server": mlflow_server, "postgres": postgres_server}


@pytest.fixture(params=sorted(MADE))
def record(request: pytest.FixtureRequest, tmp_path: Path, empty_store: Path) -> Iterator[Record]:
    (tmp_path / "server").mkdir()
    (tmp_path / "work").mkdir()
    with MADE[request.param](tmp_path / "server") as server:
        scheme, _, rest = server.address.partition("://")
        address = f"{scheme}://ablation:{SECRET}@{rest.rpartition('@')[2]}"
        own = places(tmp_path / "work")
        is_database = request.param == "postgres"
        artifacts = own.artifacts if is_database else None
        where = dataclasses.replace(own, tracking=address, artifacts=artifacts)
        yield Record(server, where, address)
    for path in (tmp_path / "work").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def check_recorded(where: Places, trials: int) -> None:
    """Every trial is recorded once, nothing is left running, and nothing waits."""
    rows = recorded(where)
    finished = [row["tags"]["ablation.key"] for row in rows if row["status"] == "FINISHED"]
    assert len(finished) == len(set(finished)) == trials
    assert "RUNNING" not in Counter(row["status"] for row in rows)
    assert SECRET not in repr(rows)
    assert not outbox_of(where).files()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGSTOP], ids=["stopped", "frozen"])
def test_a_server_that_is_away_for_a_minute_is_waited_for_while_training_goes_on(
    record: Record, how: signal.Signals
) -> None:
    said: list[str] = []
    server = record.server

    def back() -> None:
        server.start() if how == signal.SIGINT else server.send(signal.SIGCONT)

    with Slow(2) as executor, session(plan(seeds=15), record.where, tell=said.append) as opened:
        steps = walk(opened, ExecutorCrew(executor, at_once=2), device="cpu")
        for _ in range(4):
            next(steps)
        if how == signal.SIGINT:
            server.stop(how)
        else:
            server.send(how)
        again = threading.Timer(60, back)
        again.start()
        assert len(list(steps)) == 26
        assert again.is_alive()  # all is trained before the server is back
    again.join()
    assert "does not answer" in said[0]
    assert SECRET not in "".join(said)
    check_recorded(record.where, 30)


def test_a_server_that_never_comes_back_leaves_the_trials_for_sync(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders, "SILENT", 1.0)
    monkeypatch.setattr(senders, "PATIENCE", 5.0)
    given = plan(seeds=5)

    def train() -> None:
        with Slow(2) as executor, session(given, record.where) as opened:
            steps = walk(opened, ExecutorCrew(executor, at_once=2), device="cpu")
            next(steps)
            record.server.stop(signal.SIGINT)
            list(steps)

    with pytest.raises(senders.Unsent, match="trained trials wait in") as unsent:
        train()
    assert SECRET not in str(unsent.value)
    waiting = len(outbox_of(record.where).files())
    assert waiting >= 9
    record.server.start()
    monkeypatch.undo()
    assert sync(record.where, "tiny", outbox_of(record.where)) == waiting
    jobs: list[Any] = []
    monkeypatch.setattr(Slow, "submit", lambda *given, **_: jobs.append(given))
    with Slow(2) as executor:
        run(given, record.where, executor)
    assert not jobs
    check_recorded(record.where, 10)


@pytest.mark.parametrize("record", ["server"], indirect=True)
def test_ctrl_c_with_a_frozen_server_ends_within_seconds(record: Record, tiny_study: Path) -> None:
    text = tiny_study.read_text().replace("seeds=2", "seeds=8").replace("epochs=2", "epochs=20")
    tiny_study.write_text(text)
    command = [sys.executable, "-m", "ablation", "run", str(tiny_study), "--workers", "2"]
    options: dict[str, Any] = {
        "cwd": record.where.folder, "env": os.environ | {"MLFLOW_TRACKING_URI": record.address},
        "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
    }  # fmt: skip
    process = subprocess.Popen(command, **options)
    assert process.stdout is not None
    for line in process.stdout:
        if " trials · " in line:
            break
    record.server.send(signal.SIGSTOP)
    until = time.monotonic() + 60
    while not outbox_of(record.where).files():
        assert time.monotonic() < until, "nothing is acknowledged"
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    took = time.monotonic() - began
    assert process.returncode == 130, out + err
    assert "not recorded yet" in out
    assert took < 5
    record.server.send(signal.SIGCONT)
    again = subprocess.run(command, check=False, **options)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "recorded that an earlier start left" in again.stdout
    assert SECRET not in out + err + again.stdout + again.stderr
    check_recorded(record.where, 24)
    assert {row["tags"][SEED] for row in recorded(record.where)} == set(map(str, range(8)))
