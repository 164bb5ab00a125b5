"""Calls of workers elsewhere: each gets its own end, whatever its worker or its crew does."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from clusters import cluster, free_port

from ablation.execute.ahead import job_of
from ablation.execute.cluster import engine, executors, own_process, roster, scheduler, station
from ablation.execute.cluster.engine import DaskCrew
from ablation.execute.cluster.executors import ElsewhereCrew
from ablation.execute.cluster.packing import Packing
from ablation.execute.crew import Stranded
from ablation.execute.processes import WorkerLost
from ablation.execute.worker import run_trial
from ablation.study.load import load
from ablation.study.plan import make_plan


@pytest.fixture
def packing(tiny_study: Path) -> Packing:
    return Packing(load(str(tiny_study), tiny_study.parent).task)


class ByHand(Executor):
    """An executor whose calls end as the test says."""

    def __init__(self) -> None:
        self.sent: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.sent.append(Future())
        return self.sent[-1]


class Breaks(station.Unwatched):
    """A watch that fails, or after which the call has ended."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def is_wanted(self) -> bool:
        self.act()
        return True


def test_only_a_call_itself_ends_with_its_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "EVERY", 0.01)
    watched = station._is_watched_to_its_end
    running = Future[int]()
    assert watched(running, None, Breaks(lambda: running.set_result(1)))
    assert not watched(Future(), None, Breaks(b"\xff".decode))
    running = Future()
    running.set_exception(TimeoutError("its own"))
    assert watched(running, None, Breaks(lambda: 1 / 0))


def test_a_call_that_its_executor_cancels_is_lost(packing: Packing) -> None:
    executor = ByHand()
    crew = ElsewhereCrew(executor, 2, packing)
    calls = [crew.submit(abs, -1) for _ in range(2)]
    executor.sent[0].cancel()
    assert wait(calls, 0).done == {calls[0]}
    crew.end()
    assert wait(calls, 0).done == set(calls)
    assert all(isinstance(call.exception(), WorkerLost) for call in calls)


def test_a_call_of_an_unfit_worker_waits_for_a_fit_one_that_trains(
    packing: Packing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "PAUSE", 60.0)
    monkeypatch.setattr(executors, "GRACE", 0.0)
    unfit = station.Answer(kind="unfit", value="it is old", host="one")
    executor = ByHand()
    crew = ElsewhereCrew(executor, 2, packing)
    trains, waits = [crew.submit(abs, -1) for _ in range(2)]
    executor.sent[1].set_result(unfit)
    assert (len(executor.sent), waits.done()) == (2, False)
    executor.sent[0].set_result(station.Answer(kind="value", value=1))
    assert trains.result(0) == 1
    executor.sent[2].set_result(unfit)  # now nobody trains
    assert "one: it is old" in str(waits.exception(0))
    crew.end()


@pytest.fixture
def dask() -> Iterator[str]:
    """The address of a scheduler in this process."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as made:
        yield made.scheduler_address


@pytest.mark.parametrize("fails", [False, True])
def test_a_crew_that_ends_settles_every_call(fails: bool, packing: Packing, dask: str) -> None:
    crew = DaskCrew(dask, packing, print)
    calls = [crew.submit(abs, -1)]
    for _ in range(2):
        crew._queue.put((lambda: 1 / 0) if fails else (lambda: None))
    calls.append(crew.submit(abs, -1))
    if not fails:
        crew.end()
    assert not wait(calls, 10).not_done
    calls.append(crew.submit(abs, -1))
    crew.end()
    wanted = Stranded if fails else WorkerLost
    assert [type(call.exception(0)) for call in calls] == [wanted] * 3


def test_a_file_that_was_damaged_on_its_way_is_no_error_of_the_call(
    packing: Packing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABLATION_CACHE", str(tmp_path / "worker"))
    errand = dataclasses.replace(packing.pack(abs, (-1,), None), contents={"0" * 64: b"other"})
    answer = station.carry_out(errand)
    assert (answer.kind, "damaged on its way" in answer.value) == ("unfit", True)


@pytest.mark.slow
def test_workers_that_are_frozen_or_cannot_keep_files_are_put_aside(
    tiny_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "ANSWER", 4.0)
    plan, told = make_plan(load(str(tiny_study), tmp_path), tmp_path / "cache"), list[str]()
    with cluster(tmp_path / "hosts", free_port()) as made:
        full = made.add("full") / "cache"
        full.mkdir()
        (full / "blobs").write_text("no folder")
        made.add("frozen")
        made.add("right")
        crew = DaskCrew(made.address, Packing(plan.study.task), told.append)
        while crew.at_once < 3:
            assert not told
        os.killpg(made.workers["frozen"].pid, signal.SIGSTOP)
        job = job_of(plan, plan.trials[0], tmp_path / "p", "cpu")
        assert crew.submit(run_trial, job).result(timeout=120).ending
        crew.end()
    assert sorted(line.split("put aside: ")[1][:24] for line in told) == [
        "it cannot keep a file: [", "it does not answer.",
    ]  # fmt: skip


MEETS = """
from pathlib import Path
from ablation.spec import Metric, Study

def train(config, seed, context):
    with (context.folder / "mine").open("x"):
        if (gate := Path(config["gate"])).exists():
            gate.read_text()
    assert (context.folder / "mine").exists()
    return {"score": 0.5}

study = Study(name="meets", question="Q?", run=train, config={"gate": GATE, "mode": 1}, seeds=1,
              metric=Metric("score", examples=None), factor="mode", levels=(1, 2), baseline=1)
"""


@pytest.mark.slow
def test_two_trainings_of_one_trial_at_one_time_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    (tmp_path / "meets.py").write_text(MEETS.replace("GATE", repr(str(gate))))
    monkeypatch.setenv("ABLATION_CACHE", str(tmp_path / "worker"))
    plan = make_plan(load(str(tmp_path / "meets.py"), tmp_path), tmp_path / "cache")
    packing = Packing(plan.study.task)
    job = job_of(plan, plan.trials[0], tmp_path / "store/progress/meets", "cpu")
    errand = packing.pack(run_trial, (job,), None)
    contents = packing.contents(errand.manifest.hashes)
    errand = dataclasses.replace(errand, contents=contents)
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(station.carry_out, errand)
        with gate.open("w"):  # opens once the first one reads
            gate.unlink()
            answers = [station.carry_out(errand)]
        answers.append(first.result(timeout=60))
    answers.append(station.carry_out(errand))
    own_process.close()
    assert [each.value.ending.status for each in answers] == ["FINISHED"] * 3
    assert {path.name for path in (tmp_path / "worker").glob("scratch*")} == {
        "scratch", "scratch-1",
    }  # fmt: skip


def test_that_no_worker_joins_is_said_once_and_the_call_waits_for_one(
    packing: Packing, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr(roster, "ALONE", 0.0)
    monkeypatch.setattr(engine, "LOOK", 0.01)
    told, said = list[str](), threading.Event()

    def tell(line: str) -> None:
        told.append(line)
        said.set()

    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as made:
        crew = DaskCrew(made.scheduler_address, packing, tell)
        call = crew.submit(abs, -1)
        assert said.wait(10)
        made.scale(1)
        assert call.result(60) == 1
        assert str(crew.roster) == "1 worker on 1 host"
        crew.end()
    assert told == [f"No worker has joined {made.scheduler_address} for 0 s; waiting for one."]


def test_a_scheduler_that_never_said_its_workers_is_waited_for(
    packing: Packing, dask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client

    monkeypatch.setattr(Client, "scheduler_info", lambda _: {"type": "Scheduler"})
    told = list[str]()
    crew = DaskCrew(dask, packing, told.append, wait=0.0)
    error = crew.submit(abs, -1).exception(timeout=30)
    crew.end()
    assert isinstance(error, Stranded)
    assert "has not answered for 0 s" in str(error)
    assert "does not answer; waiting 0 s for it" in told[0]
