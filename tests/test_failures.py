"""The table of failures: what raises, is lost or exceeds a limit costs no other trial anything."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import failing
import pytest
from synthetic import Corpus, plan_on

from ablation.cli.part import part_of
from ablation.errors import Refused
from ablation.execute.attempts import Attempts
from ablation.execute.processes import LimitExceeded, Limits, Processes, WorkerLost
from ablation.execute.worker import Job, crash_file, run_trial
from ablation.records.failure import FAILURES, Failure, lost, raised_by
from ablation.spec import Study
from ablation.study.plan import Plan

CORPUS = Corpus(fingerprint="0123456789ab", counts=(30, 20, 50))


@pytest.fixture
def two() -> Iterator[Processes]:
    made = Processes(2, multiprocessing.get_context("forkserver"))
    yield made
    made.shutdown()


class Unstartable:
    """A context that starts no process, as where a library fails at its import."""

    Pipe = staticmethod(multiprocessing.Pipe)

    def Process(self, **_: object) -> object:
        raise EOFError("unexpected EOF")


def test_where_no_process_can_be_started_every_call_fails() -> None:
    none = Processes(2, Unstartable())
    calls = [none.submit(pow, 2, 3) for _ in range(3)]
    for call in calls:
        with pytest.raises(WorkerLost, match="no process can be started"):
            call.result(timeout=20)
    none.shutdown()


def test_a_lost_process_costs_its_own_call_alone_and_is_replaced(two: Processes) -> None:
    dying = {two.submit(os._exit, 0): "exit code 0", two.submit(os.abort): "SIGABRT"}
    others = [two.submit(pow, 2, n) for n in range(20)]
    assert [each.result(timeout=60) for each in others] == [2**n for n in range(20)]
    for future, said in dying.items():
        with pytest.raises(WorkerLost, match=said):
            future.result(timeout=60)


@pytest.mark.parametrize(
    ("fn", "error"), [(failing.raise_what_cannot_be_pickled, RuntimeError), (sys.exit, SystemExit)]
)
def test_whatever_a_call_raises_comes_back(
    two: Processes, fn: Callable[[], None], error: type[BaseException]
) -> None:
    assert isinstance(two.submit(fn).exception(timeout=60), error)
    assert isinstance(two.submit(pow, 2, lambda: 0).exception(timeout=60), Exception)


def test_a_worker_that_leaves_is_replaced_and_loses_no_call(two: Processes) -> None:
    futures = [two.submit(failing.pid_of_the_leaving) for _ in range(6)]
    assert len({each.result(timeout=60) for each in futures}) == 6


@pytest.mark.parametrize(
    ("fn", "limits", "name"),
    [
        (failing.ignore_and_sleep, Limits(seconds=0.5), "seconds"),
        pytest.param(
            failing.grow, Limits(memory=200 * 2**20), "memory",
            marks=pytest.mark.skipif(not Path("/proc").exists(), reason="read from /proc"),
        ),
    ],
)  # fmt: skip
def test_a_call_that_exceeds_a_limit_is_ended(
    two: Processes, monkeypatch: pytest.MonkeyPatch, fn: Any, limits: Limits, name: str
) -> None:
    monkeypatch.setattr("ablation.execute.processes.GRACE", 0.2)
    with pytest.raises(LimitExceeded, match=name):
        two.submit_limited(limits, fn).result(timeout=60)


def test_what_ignores_sigterm_is_killed_at_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ablation.execute.processes.GRACE", 0.2)
    one = Processes(1, multiprocessing.get_context("forkserver"))
    pid = one.submit(os.getpid).result(timeout=60)
    os.mkfifo(tmp_path / "ready")
    running = one.submit(failing.ignore_and_sleep, tmp_path / "ready")
    assert (tmp_path / "ready").read_text()
    one.shutdown()
    assert isinstance(running.exception(timeout=1), WorkerLost)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(WorkerLost):
        one.submit(abs, 1)


def _train(config: Any, seed: int, data: Any, *, device: str, folder: Any) -> Any:
    yield from ()
    return config(seed)


def _job(ending: Callable[[int], Any], progress: Path | None = None) -> Job:
    return Job(
        train=_train, resolve_device=str, config=ending, seed=0, data=CORPUS, device="cpu",
        progress=progress,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ending", "what"),
    [
        (failing.raise_key_error, "KeyError: 'depth'"),
        (sys.exit, "SystemExit: 0"),
        (float, "TypeError: the training returned 0.0, no result"),
    ],
)
def test_what_a_training_raises_is_no_outcome(ending: Callable[[int], Any], what: str) -> None:
    failure = run_trial(_job(ending)).ending
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.what) == ("raised", what)
    assert "Traceback" in failure.trace
    if ending is failing.raise_key_error:
        line = failing.raise_key_error.__code__.co_firstlineno + 1
        assert failure.place == f"{Path(failing.__file__).name}:{line}"


def test_a_signal_in_a_worker_leaves_the_line(two: Processes, tmp_path: Path) -> None:
    progress = tmp_path / "a-0.jsonl"
    error = two.submit(run_trial, _job(failing.abort, progress)).exception(timeout=60)
    failure = lost(str(error), crash_file(progress).read_text(encoding="utf-8"))
    line = failing.abort.__code__.co_firstlineno + 1
    assert str(failure) == f"killed by SIGABRT at {Path(failing.__file__).name}:{line}"


def test_a_refusal_is_placed_where_it_was_caused() -> None:
    try:
        try:
            failing.raise_key_error(0)
        except KeyError as error:
            raise Refused("It cannot be constructed.", "Fix it.") from error
    except Refused as refused:
        failure = raised_by(refused)
    assert failure.what == "It cannot be constructed."
    assert failure.place.startswith(Path(failing.__file__).name)


def _plan(**declared: Any) -> Plan:
    study = Study(
        name="tiny", question="?", factor="model.dropout", levels=(0.0, 0.1), baseline=0.0,
        seeds=5, **declared,
    )  # fmt: skip
    return plan_on(study, CORPUS)


def test_attempts_follow_the_table() -> None:
    trials = {(t.arm.name, t.seed): t for t in _plan().trials}
    attempts = Attempts()
    raised = Failure(kind="raised", what="KeyError: 1", place="mine.py:7")
    dead = Failure(kind="lost", what="killed by SIGSEGV")

    assert [attempts.note(trials["0.0", 0], dead) for _ in range(3)] == [True, True, False]
    assert not attempts.note(trials["0.1", 0], raised)
    attempts.note(trials["0.1", 1], raised)
    assert attempts.given_up(trials.values()) == {("0.0", 0), ("0.1", 0), ("0.1", 1)}
    attempts.note(trials["0.1", 2], raised)
    every = {("0.1", seed) for seed in range(5)}
    assert attempts.given_up(trials.values()) == {("0.0", 0)} | every
    assert attempts.summary() == [
        "Arm '0.0', seed 0, was lost in each of 3 tries: killed by SIGSEGV",
        "Arm '0.1', seeds 0, 1, 2, raised: KeyError: 1 at mine.py:7",
    ]
    assert [rule.is_outcome for rule in FAILURES.values()] == [True, False, False]


def test_declared_limits_are_part_of_a_key_only_where_they_are_set() -> None:
    plain, same, limited = _plan(), _plan(timeout=None), _plan(timeout=60, memory=2)
    assert [t.key for t in plain.trials] == [t.key for t in same.trials]
    assert not {t.key for t in plain.trials} & {t.key for t in limited.trials}
    with pytest.raises(Refused, match="timeout must be > 0"):
        _plan(timeout=0)


def test_a_part_is_chosen_by_arm_and_seed() -> None:
    plan = _plan()
    wanted = part_of(plan, ["arm=0.1", "seed=1", "seed=4"])
    assert [(t.arm.name, t.seed) for t in filter(wanted, plan.trials)] == [("0.1", 1), ("0.1", 4)]
    assert all(map(part_of(plan, []), plan.trials))
    for wrong, rule in {
        "arm=0.2": "No arm '0.2'",
        "seed=9": "No seed '9'",
        "x": "--only takes",
    }.items():
        with pytest.raises(Refused, match=rule):
            part_of(plan, [wrong])
