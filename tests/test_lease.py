"""The lease: of any number of starts on one record, one holds a study, and none harms another."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import postgres, server

from ablation import tracking
from ablation.errors import Refused
from ablation.tracking import lease as leases
from ablation.tracking import owner

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


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


def _run(folder: Path, study: Path, record: str) -> subprocess.Popen[str]:
    """Starts a study from a folder of its own, as another machine would."""
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "ablation", "run", str(study), "--workers", "1"],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"MLFLOW_TRACKING_URI": record},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("record", ["postgres", "server"], indirect=True)
def test_late_and_simultaneous_starts_change_nothing_of_the_first(
    record: str, tmp_path: Path, tiny_study: Path
) -> None:
    text = tiny_study.read_text().replace("seeds=2", "seeds=4").replace("epochs=2", "epochs=20")
    tiny_study.write_text(text)
    tracking.connect(record)
    first = [_run(tmp_path / f"first{n}", tiny_study, record) for n in range(2)]
    client = tracking.connect(record)
    until = time.monotonic() + 120
    while not _runs(client, "trial"):
        assert time.monotonic() < until, "no trial was recorded"
        time.sleep(0.2)
    late = [_run(tmp_path / f"late{n}", tiny_study, record) for n in range(3)]
    ended = {each: each.communicate(timeout=400) for each in (*first, *late)}
    codes = Counter(each.returncode for each in ended)
    assert codes == {0: 1, 2: 4}, [out + err for out, err in ended.values()]
    for process, (out, err) in ended.items():
        if process.returncode:
            assert len(err.strip().splitlines()) == 2, out + err
            assert "has been running 'tiny' since" in err
    assert Counter(run.info.status for run in _runs(client, "trial")) == {"FINISHED": 12}
    assert len({run.data.tags["ablation.key"] for run in _runs(client, "trial")}) == 12
    assert not _runs(client, "lease")


def _runs(client: MlflowClient, kind: str) -> list[Run]:
    places = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(places, f"tags.`ablation.kind` = '{kind}'"))
