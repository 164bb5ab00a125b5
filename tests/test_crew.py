"""Crews: what a walk may ask of any of them, and that each ends its own workers alone."""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from test_task import DICE, Dice

from ablation.execute import Crew, ExecutorCrew, ProcessCrew, session, walk
from ablation.execute import pool as pools
from ablation.execute.garbage import loading, seldom
from ablation.execute.pool import ENVIRONMENT, deal_gpu
from ablation.execute.processes import Limits, Processes, WorkerLost
from ablation.records.places import places
from ablation.spec import Study
from ablation.study.plan import make_plan
from ablation.task.devices import VISIBLE
from ablation.tracking import Unfinished


def _loky() -> Crew:
    from loky import ProcessPoolExecutor

    return ExecutorCrew(ProcessPoolExecutor(2), at_once=2)


CREWS: dict[str, Callable[[], Crew]] = {
    "processes": lambda: ProcessCrew(2),
    "threads": lambda: ExecutorCrew(ThreadPoolExecutor(2), at_once=2),
    "loky": _loky,
}


@pytest.fixture(params=sorted(CREWS))
def crew(request: pytest.FixtureRequest) -> Iterator[Crew]:
    made = CREWS[request.param]()
    yield made
    made.end()


def test_a_crew_submits_and_maps_in_order(crew: Crew) -> None:
    assert crew.at_once == 2
    assert crew.submit(divmod, 7, 2).result() == (3, 1)
    assert list(crew.map(abs, [-3, 2, -1])) == [3, 2, 1]


def test_what_fails_is_told_from_a_lost_worker(crew: Crew) -> None:
    error = crew.submit(divmod, 1, 0).exception()
    assert isinstance(error, ZeroDivisionError)
    assert not crew.is_broken(error)
    assert crew.is_broken(BrokenExecutor())


def test_ending_twice_is_ending_once(crew: Crew) -> None:
    crew.submit(abs, -1).result()
    crew.end()
    crew.end()


def test_a_crew_of_processes_ends_what_runs_and_no_other_child() -> None:
    context = multiprocessing.get_context("spawn")
    stranger = context.Process(target=time.sleep, args=(60,))
    stranger.start()
    try:
        with ProcessCrew(1) as crew:
            worker = crew.submit(os.getpid).result()
            running = crew.submit(time.sleep, 60)
        assert running.cancelled() or crew.is_broken(running.exception(timeout=5))
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
        assert stranger.is_alive()
    finally:
        stranger.kill()
        stranger.join()


def test_a_killed_worker_is_a_lost_one() -> None:
    with ProcessCrew(1) as crew:
        worker = crew.submit(os.getpid).result()
        running = crew.submit(time.sleep, 60)
        os.kill(worker, signal.SIGKILL)
        error = running.exception(timeout=10)
        assert error is not None
        assert crew.is_broken(error)


def test_the_callers_process_keeps_its_variables_and_its_collector() -> None:
    gc.unfreeze()  # what a command of an earlier test froze at its end
    before = {name: os.environ.get(name) for name in ENVIRONMENT}, gc.get_threshold()
    with seldom(), ProcessCrew(1) as crew:
        with loading():
            crew.start()
        assert crew.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() is not None
        assert gc.isenabled()
    assert ({name: os.environ.get(name) for name in ENVIRONMENT}, gc.get_threshold()) == before
    assert gc.get_freeze_count() == 0


def test_workers_of_a_fork_server_that_is_the_callers_have_our_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    context = multiprocessing.get_context("forkserver")
    theirs = context.Process(target=abs, args=(1,))  # starts it, if nothing has
    theirs.start()
    theirs.join()
    monkeypatch.setitem(pools._wanted, "ABLATION_TEST", "7")  # which no server knows yet
    with ProcessCrew(1) as crew:
        assert crew.submit(os.getenv, "ABLATION_TEST").result() == "7"
        assert crew.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() == "1"
    assert "ABLATION_TEST" not in os.environ


MAPS = """
import os, pathlib
from ablation.execute import ProcessCrew
with ProcessCrew(1) as crew:
    for pid in (os.getpid(), crew.submit(os.getpid).result()):
        print(pathlib.Path(f"/proc/{pid}/maps").read_text())
"""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="read from /proc")
def test_no_process_has_a_semaphore_that_a_kill_would_leave() -> None:
    ran = subprocess.run([sys.executable, "-c", MAPS], capture_output=True, text=True, check=True)
    assert "[stack]" in ran.stdout
    assert "/dev/shm" not in ran.stdout


@pytest.mark.parametrize(
    ("seen", "dealt"),
    [("2,5,7", ["2", "5", "7", "2"]), ("3", ["3"] * 4), ("", [""] * 4), ("-1", ["-1"] * 4)],
)
def test_gpus_are_dealt_to_workers_in_turn(
    monkeypatch: pytest.MonkeyPatch, seen: str, dealt: list[str]
) -> None:
    found = []
    for number in range(4):
        monkeypatch.setenv(VISIBLE, seen)
        deal_gpu(number)
        found.append(os.environ[VISIBLE])
    assert found == dealt


def meet(at: str) -> str:
    """Ends when a worker of another number has come to the same pipe."""
    number = os.environ["NUMBER"]
    Path(at).open("rb" if number == "0" else "wb").close()
    return number


def keep_number(number: int) -> None:
    os.environ["NUMBER"] = str(number)


def test_a_worker_that_takes_a_lost_ones_place_has_its_number(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    workers = Processes(2, multiprocessing.get_context("forkserver"), keep_number)
    with pytest.raises(WorkerLost):
        workers.submit(os._exit, 3).result()
    both = [workers.submit(meet, str(tmp_path / "pipe")) for _ in range(2)]
    assert {each.result(timeout=60) for each in both} == {"0", "1"}
    workers.shutdown()


def test_a_call_is_kept_away_from_workers_as_long_as_there_are_others(tmp_path: Path) -> None:
    two = Processes(2, multiprocessing.get_context("forkserver"), keep_number)
    os.mkfifo(tmp_path / "pipe")
    both = [two.submit(meet, str(tmp_path / "pipe")) for _ in range(2)]
    assert {each.result(timeout=60) for each in both} == {"0", "1"}  # so both are ready
    away = [two.submit_limited(Limits(), os.getenv, "NUMBER", avoided=[0]) for _ in range(4)]
    assert {each.result(timeout=60) for each in away} == {"1"}
    assert {two.worker_of(each) for each in away} == {1}
    everywhere = two.submit_limited(Limits(), os.getenv, "NUMBER", avoided=[0, 1])
    assert everywhere.result(timeout=60) in {"0", "1"}
    assert two.put_aside(1)
    there = [two.submit_limited(Limits(), os.getenv, "NUMBER", avoided=[0]) for _ in range(4)]
    assert {each.result(timeout=60) for each in there} == {"0"}
    assert not two.put_aside(0)
    assert two.submit(os.getenv, "NUMBER").result(timeout=60) == "0"
    two.shutdown()


class HalfBroken(ExecutorCrew):
    """Two workers that end at once: one loses every call that is not kept away from it."""

    def __init__(self) -> None:
        super().__init__(ThreadPoolExecutor(1), at_once=2)
        self.at: dict[Future[Any], str] = {}
        self.aside: list[str] = []

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, limits: Limits | None = None
    ) -> Future[Any]:
        return self.submit_elsewhere((), fn, *args, limits=limits)

    def submit_elsewhere(
        self, avoided: Any, fn: Callable[..., Any], /, *args: Any, limits: Limits | None = None
    ) -> Future[Any]:
        worker = next(name for name in ("bad", "good") if name not in {*avoided, *self.aside})
        future: Future[Any] = Future()
        self.at[future] = worker
        if worker == "bad":
            future.set_exception(WorkerLost("killed by SIGBUS"))
        else:
            future.set_result(fn(*args))
        return future

    def worker_of(self, future: Future[Any]) -> str | None:
        return self.at[future]

    def put_aside(self, worker: str) -> bool:
        self.aside.append(worker)
        return True


def test_a_worker_that_fails_what_others_can_is_put_aside(
    tmp_path: Path, empty_store: Path
) -> None:
    shutil.copytree(empty_store, tmp_path / "store")
    study = Study(
        name="dice", question="?", task=DICE, config=Dice(), factor="bias",
        levels=(0.0, 0.1, 0.2, 0.3), baseline=0.0, seeds=4,
    )  # fmt: skip
    plan, crew = make_plan(study, tmp_path), HalfBroken()
    with session(plan, places(tmp_path / "store")) as opened:
        ended = list(walk(opened, crew, device="auto"))
        assert not opened.missing
        assert opened.attempts.workers == crew.aside == ["bad"]
    lost = [each.trial for each in ended if isinstance(each, Unfinished)]
    assert len(lost) == len({trial.key for trial in lost})  # a retry is on another worker
    assert len({trial.arm.name for trial in lost}) >= 3
    assert len(lost) < len(plan.trials)


def test_calls_that_wait_when_a_crew_ends_are_done() -> None:
    one = Processes(1, multiprocessing.get_context("forkserver"))
    futures = [one.submit(time.sleep, 60) for _ in range(2)]
    one.shutdown()
    assert not wait(futures, timeout=1).not_done


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows has no signal mask")
def test_an_interrupt_while_processes_start_is_not_lost_and_not_theirs() -> None:
    code = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    told: list[bytes] = []

    def start() -> None:
        with pools._without_interrupts():
            signal.raise_signal(signal.SIGINT)
            told.append(subprocess.check_output([sys.executable, "-c", code]))

    with pytest.raises(KeyboardInterrupt):
        start()
    assert b"SIGINT" in told[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_an_interrupt_while_a_pool_starts_leaves_no_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Processes] = []

    class Interrupted(Processes):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(pools, "Processes", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        pools.pool(1)
    assert not made[0]._thread.is_alive()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads Linux's /proc")
def test_pythons_tracker_of_semaphores_is_told_to_be_silent() -> None:
    code = """if __name__ == "__main__":
        from ablation.execute.pool import prepare_pool
        from multiprocessing import resource_tracker
        prepare_pool()
        pid = resource_tracker._resource_tracker._pid
        print(b"PYTHONWARNINGS" in open(f"/proc/{pid}/environ", "rb").read())
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    said = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert said == "True\n"
