"""Calls of workers elsewhere: each gets its own end, whatever its worker or its crew does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from typing import Any

import pytest

from ablation.execute.cluster import executors, station
from ablation.execute.cluster.engine import DaskCrew
from ablation.execute.cluster.executors import ElsewhereCrew
from ablation.execute.cluster.packing import Packing
from ablation.execute.crew import Stranded
from ablation.execute.processes import WorkerLost
from ablation.study.load import load


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

    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as made:
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
