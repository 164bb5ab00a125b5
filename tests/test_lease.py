"""The lease: of any number of starts on one record, one holds a study, and none harms another."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mlflow.entities import ViewType
from servers import postgres, server

from ablation import mirror, tracking
from ablation.errors import Refused
from ablation.tracking import lease as leases
from ablation.tracking import owner

if TYPE_CHECKING:
    from mlflow import MlflowClient


@pytest.fixture
def uri(empty_store: Path, tmp_path: Path) -> str:
    shutil.copytree(empty_store, tmp_path, dirs_exist_ok=True)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def client(uri: str) -> MlflowClient:
    return tracking.connect(uri, record=True)


@pytest.fixture
def place(client: MlflowClient, tmp_path: Path) -> str:
    return tracking.open_experiment(client, "tiny", "tiny", tmp_path)


RECORDS = {
    "sqlite": lambda folder: contextlib.nullcontext(f"sqlite:///{folder / 'mlflow.db'}"),
    "server": server,
    "postgres": postgres,
}


@pytest.fixture(params=sorted(RECORDS))
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with RECORDS[request.param](tmp_path) as address:
        yield address


def alive(client: MlflowClient, place: str) -> list[str]:
    return [run.info.run_id for run in client.search_runs([place])]


def rewrite(client: MlflowClient, run: str, **who: object) -> None:
    """Makes a lease another process's."""
    for name, value in who.items():
        client.set_tag(run, owner.PREFIX + name, str(value))


class Clock:
    """A clock that is wound by hand; waiting winds it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.waited: list[float] = []
        monkeypatch.setattr(leases, "clock", lambda: self.now)
        monkeypatch.setattr(leases.time, "sleep", self.wait)

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += max(seconds, 0.5)


def test_a_lease_is_held_alone_and_leaves_nothing(client: MlflowClient, place: str) -> None:
    with tracking.leased(client, place, "tiny"):
        held = alive(client, place)
        assert len(held) == 1
        with (
            pytest.raises(Refused, match=rf"Process {os.getpid()} on .* 'tiny' since 20"),
            tracking.leased(client, place, "tiny"),
        ):
            pass
        with tracking.leased(client, place, "tiny@other"):  # another label is nobody's concern
            pass
        assert alive(client, place) == held
    assert not alive(client, place)


def test_the_lease_of_a_process_that_is_gone_is_dead_at_once(
    client: MlflowClient, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    for who in ({"pid": 2**22 + 1}, {"started": "1"}):
        old = leases._post(client, place, "tiny")
        client.set_tag(old, leases.HELD, "yesterday")
        rewrite(client, old, **who)
        with tracking.leased(client, place, "tiny"):
            assert old not in alive(client, place)
    assert not clock.waited


def test_a_lease_of_another_machine_is_dead_when_its_pulse_stands_still(
    client: MlflowClient, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    old = leases._post(client, place, "tiny")
    client.set_tag(old, leases.HELD, "yesterday")
    rewrite(client, old, host="elsewhere")
    with tracking.leased(client, place, "tiny"):
        assert old not in alive(client, place)
    assert clock.now - 1000 >= leases.DEAD

    again = leases._post(client, place, "tiny")
    client.set_tag(again, leases.HELD, "yesterday")
    rewrite(client, again, host="elsewhere")
    begun, wait = clock.now, clock.wait

    def wait_and_beat(seconds: float) -> None:
        wait(seconds)
        client.set_tag(again, leases.PULSE, str(clock.now))

    monkeypatch.setattr(leases.time, "sleep", wait_and_beat)
    with (
        pytest.raises(Refused, match="on elsewhere has been running"),
        tracking.leased(client, place, "tiny"),
    ):
        pass
    assert clock.now - begun < leases.DEAD
    assert alive(client, place) == [again]


def test_a_holder_that_was_silent_for_long_finds_that_its_lease_is_gone(
    client: MlflowClient, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    with tracking.leased(client, place, "tiny") as held:
        held.check()
        clock.now += leases.DOUBT + 1
        held.check()  # it is there, so this is a pulse
        leases._remove(client, alive(client, place)[0])
        held.check()
        clock.now += leases.DOUBT + 1
        with pytest.raises(tracking.LeaseLost) as lost:
            held.check()
        assert lost.value.code == 1


def _take_often(uri: str, place: str, log: Path, rounds: int) -> None:
    """Takes the lease again and again; appends to a file when it has it, and when not any more."""
    client = tracking.connect(uri, record=True)
    for _ in range(rounds):
        try:
            with tracking.leased(client, place, "tiny"), log.open("ab", buffering=0) as file:
                file.write(b"[")
                time.sleep(0.01)  # the work
                file.write(b"]")
        except Refused:
            pass


@pytest.mark.slow
def test_of_simultaneous_starts_never_two_hold_the_lease(record: str, tmp_path: Path) -> None:
    client = tracking.connect(record, record=True)
    place = tracking.open_experiment(client, "tiny", "tiny", tmp_path)
    uri, processes = record, 4
    log = tmp_path / "log"
    context = multiprocessing.get_context("spawn")
    started = [
        context.Process(target=_take_often, args=(uri, place, log, 8)) for _ in range(processes)
    ]
    for each in started:
        each.start()
    for each in started:
        each.join(240)
        assert each.exitcode == 0
    written = log.read_text()
    assert written == "[]" * written.count("[")
    assert written.count("[") >= 8
    assert not alive(client, place)


GATED = """
from ablation.spec import Metric, Study

def train(config, seed, context):
    if seed:
        open({gate!r}).close()  # waits until somebody writes
    return {{"score": 0.5 + seed / 10 + config["bias"]}}

study = Study(name="gated", question="Q?", run=train, config={{"bias": 0.0}}, seeds=4,
              metric=Metric("score", examples=None), factor="bias", levels=(0.0, 0.1, 0.2),
              baseline=0.0, margin=0.02)
"""


def _start(folder: Path, record: str) -> subprocess.Popen[str]:
    """Starts a study from a folder of its own, as another machine would."""
    here = folder / f"start{len(list(folder.glob('start*')))}"
    here.mkdir()
    mirrored = {"ABLATION_STORAGE": f"sqlite:///{folder / 'optuna.db'}"}
    return subprocess.Popen(
        [sys.executable, "-m", "ablation", "run", str(folder / "gated.py"), "--workers", "1"],
        cwd=here, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | mirrored | {"MLFLOW_TRACKING_URI": record},
    )  # fmt: skip


def _content(client: MlflowClient, storage: str) -> dict[str, object]:
    """All that is recorded and mirrored but leases, as plain values."""
    found: dict[str, object] = {
        run.info.run_id: (
            run.info.status, run.info.lifecycle_stage, run.data.tags, run.data.metrics
        )
        for run in client.search_runs(_places(client), run_view_type=ViewType.ALL)
        if run.data.tags["ablation.kind"] != "lease"
    }  # fmt: skip
    with mirror.reading(storage) as query:
        shown = mirror.trials(query, "gated", "score")
    return found | {key: (each.state, each.outcome) for key, each in shown.items()}


@pytest.mark.slow
def test_late_and_simultaneous_starts_change_nothing_of_the_first(
    record: str, tmp_path: Path
) -> None:
    gate, storage = tmp_path / "gate", f"sqlite:///{tmp_path / 'optuna.db'}"
    os.mkfifo(gate)
    (tmp_path / "gated.py").write_text(GATED.format(gate=str(gate)))
    client = tracking.connect(record)
    both = [_start(tmp_path, record) for _ in range(2)]
    until = time.monotonic() + 400
    while sum(each.poll() is not None for each in both) != 1 or _finished(client) < 3:
        assert time.monotonic() < until, "no start goes on alone"
        time.sleep(0.2)
    first, second = sorted(both, key=lambda each: each.returncode is not None)
    _check_refused(*second.communicate(timeout=60), second.returncode)
    before = _content(client, storage)
    late = [_start(tmp_path, record) for _ in range(8)]
    for each in late:
        _check_refused(*each.communicate(timeout=900), each.returncode)
    after = _content(client, storage)
    assert {name: after.get(name) for name in before} == before
    held = os.open(gate, os.O_RDWR)
    out, err = first.communicate(timeout=400)
    os.close(held)
    assert first.returncode == 0, out + err
    runs = client.search_runs(_places(client))
    kinds = Counter((run.data.tags["ablation.kind"], run.info.status) for run in runs)
    assert kinds == {("study", "FINISHED"): 1, ("trial", "FINISHED"): 12}
    keys = {run.data.tags["ablation.key"] for run in runs if "ablation.key" in run.data.tags}
    assert len(keys) == 12


def _check_refused(out: str, err: str, code: int | None) -> None:
    assert code == 2, out + err
    assert len(err.strip().splitlines()) == 2, out + err
    assert re.search("(has been|is) running 'gated'", err), err


def _places(client: MlflowClient) -> list[str]:
    return [each.experiment_id for each in client.search_experiments()]


def _finished(client: MlflowClient) -> int:
    where = "tags.`ablation.kind` = 'trial' AND attributes.status = 'FINISHED'"
    return len(client.search_runs(_places(client), where))
