"""The outbox: what is acknowledged is never lost, never counted twice, and never waited for."""

from __future__ import annotations

import errno
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_task import DICE, Dice

from ablation import tracking
from ablation.cli.sync import sync as sync_command
from ablation.errors import Refused
from ablation.execute import ExecutorCrew, glance, session, sync, walk
from ablation.execute import sender as senders
from ablation.execute.worker import Ran
from ablation.records.metric import METRICS
from ablation.records.outcome import EpochRecord, RunResult
from ablation.records.places import Places, places
from ablation.spec import Study
from ablation.study.plan import Plan, make_plan
from ablation.tracking import Parcel, record
from ablation.tracking import parcel as parcels
from ablation.tracking.parcel import from_bytes, to_bytes

SEED = "ablation.seed"


def ran(job: Any, began: float = 1000.0) -> Ran:
    """What a worker would send: figures that follow from seed and bias alone."""
    score = 0.6 + random.Random(job.seed).gauss(0, 0.01) + job.config.bias
    curve = {"train/loss": 1 / 3, "validation/accuracy": score}
    records = [EpochRecord(epoch=n, seconds=n, metrics=curve) for n in (1, 2)]
    result = RunResult(
        status="FINISHED", epoch=2, seconds=2.125 + job.seed, correct=bytes([job.seed]) * 125,
        metrics={f"{split}/{name}": score for split in ("validation", "test") for name in METRICS},
        weights_hash=f"{score}", logits_hash=f"{score}",
    )  # fmt: skip
    return Ran(ending=result, records=records, began=began + job.seed, device="cpu")


class StandIn(Executor):
    """Trains nothing, and keeps which trials it was given."""

    def __init__(self, fails: Callable[[Any], bool] = lambda _: False) -> None:
        self.jobs: list[Any] = []
        self._fails = fails

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.jobs.append(args[0])
        if self._fails(args[0]):
            future.set_exception(KeyboardInterrupt())
        else:
            future.set_result(ran(args[0]))
        return future


class Slow(ThreadPoolExecutor):
    """Trains nothing, for half a second."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def train() -> Ran:
            time.sleep(0.5)
            return ran(args[0], time.time())

        return super().submit(train)


def plan(**more: Any) -> Plan:
    study = Study(
        name="tiny", question="?", task=DICE, config=Dice(), factor="bias", levels=(0.0, 0.1),
        baseline=0.0, margin=0.02, **({"seeds": 3} | more),
    )  # fmt: skip
    return make_plan(study, Path("nowhere"))


@pytest.fixture
def where(empty_store: Path, tmp_path: Path) -> Places:
    shutil.copytree(empty_store, tmp_path / "store")
    return places(tmp_path / "store")


def run(given: Plan, where: Places, executor: Executor, **more: Any) -> list[Any]:
    with session(given, where, **more) as opened:
        return list(walk(opened, ExecutorCrew(executor, at_once=2), device="cpu"))


def recorded(where: Places) -> list[dict[str, Any]]:
    """Every run of a trial: status, tags and final metrics."""
    client = tracking.connect(where.tracking)
    home = tracking.find_home(client, "tiny", "tiny")
    assert home is not None
    found = client.search_runs([home.experiment], "tags.`ablation.kind` = 'trial'")
    return [{"status": r.info.status, "tags": r.data.tags, **r.data.metrics} for r in found]


def outbox_of(where: Places) -> tracking.Outbox:
    return tracking.outbox_of(where, "tiny")


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A record that hangs when it is asked for a run, until the event is set."""
    open_run, answers = tracking.open_run, threading.Event()

    def hang(*args: Any) -> Any:
        answers.wait()
        return open_run(*args)

    monkeypatch.setattr(tracking, "open_run", hang)
    yield answers
    answers.set()


def interrupted(where: Places, hung: threading.Event, given: Plan) -> None:
    """A start of which four trials end before Ctrl-C, while the record hangs."""
    with pytest.raises(KeyboardInterrupt):
        run(given, where, StandIn(lambda job: job.seed == 2))
    hung.set()


VALUES = st.floats() | st.sampled_from([math.inf, -math.inf, -0.0, 5e-324, 0.1 + 0.2])


@given(values=st.lists(VALUES, max_size=5), text=st.text(max_size=30), at=st.integers(0))
def test_a_parcel_survives_exactly_or_is_recognised_as_damaged(
    values: list[float], text: str, at: int
) -> None:
    parcel = Parcel(
        name=text, began=1, ended=2, status="FINISHED", tags={"t": text}, params={"p": text},
        metrics=[("m", value, 3, 4) for value in values], artifacts={"a": text.encode()},
    )  # fmt: skip
    written = to_bytes(parcel)
    assert repr(from_bytes(written)) == repr(parcel)
    at %= len(written)
    assert from_bytes(written[:at]) is None
    assert from_bytes(written[:at] + bytes([written[at] ^ 1]) + written[at + 1 :]) is None


def test_ctrl_c_does_not_wait_for_a_record_that_hangs_and_the_next_start_sends_first(
    where: Places, hung: threading.Event
) -> None:
    given, began = plan(), time.monotonic()
    interrupted(where, hung, given)
    assert time.monotonic() - began < 30
    waiting = [parcel for _, parcel in outbox_of(where).parcels()]
    assert [each.tags[SEED] for each in waiting] == ["0", "0", "1", "1"]
    seen = glance(given, where)
    assert seen is not None
    assert len(seen.missing(given)) == 2  # acknowledged is done

    left = StandIn()
    with session(given, where) as opened:
        assert opened.resent == 4
        list(walk(opened, ExecutorCrew(left, at_once=2), device="cpu"))
    assert {job.seed for job in left.jobs} == {2}
    assert not outbox_of(where).files()
    assert Counter(each["status"] for each in recorded(where))["FINISHED"] == 6


def test_a_damaged_parcel_is_set_aside_and_its_trial_trained_again(
    where: Places, hung: threading.Event
) -> None:
    interrupted(where, hung, plan())
    *_, last = outbox_of(where).files()
    last.write_bytes(last.read_bytes()[:-7])
    left = StandIn()
    with session(plan(), where) as opened:
        assert (opened.resent, opened.damaged) == (3, 1)
        list(walk(opened, ExecutorCrew(left, at_once=2), device="cpu"))
    assert sorted(job.seed for job in left.jobs) == [1, 2, 2]
    assert len(tracking.outcomes(opened.home)) == 6


def test_a_parcel_that_the_record_refuses_keeps_no_other_from_it(
    where: Places, hung: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    interrupted(where, hung, plan())
    outbox, complete = outbox_of(where), record.complete
    first, *others = outbox.files()
    (key,) = [parcel.key for path, parcel in outbox.parcels() if path == first]
    tries: list[str] = []

    def refuse_one(home: Any, parcel: Parcel, *rest: Any) -> Any:
        tries.append(parcel.key)
        if parcel.key == key:
            raise MlflowException("an odd value")
        if len(tries) == 3:
            raise ConnectionError("refused")
        return complete(home, parcel, *rest)

    monkeypatch.setattr(record, "complete", refuse_one)
    monkeypatch.setattr(senders, "PAUSES", (0.0,))
    with pytest.raises(Refused, match=first.stem) as refused, session(plan(), where):
        pass
    assert "Remove that file" in str(refused.value)
    assert len(tries) > len(others) + 1
    assert outbox.files() == [first]
    first.unlink()
    monkeypatch.undo()
    with session(plan(), where) as opened:
        assert (opened.resent, len(opened.outcomes)) == (0, 3)


def test_what_was_sent_before_the_record_went_away_is_counted(
    where: Places, hung: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(where, hung, plan())
    complete, tries = record.complete, iter([None, ConnectionError("refused"), None, None, None])

    def fail_once(*given: Any) -> Any:
        if (error := next(tries)) is not None:
            raise error
        return complete(*given)

    monkeypatch.setattr(record, "complete", fail_once)
    monkeypatch.setattr(senders, "PAUSES", (0.0,))
    with session(plan(), where) as opened:
        assert opened.resent == 4


def kept(label: str = "tiny") -> Parcel:
    """A parcel that nothing but its outbox needs to understand."""
    tags = {"ablation.key": "0/a/1", "ablation.study": label}
    return Parcel(name="x", began=1, ended=2, status="FINISHED", tags=tags, params={}, metrics=())


def fail_with(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_what_is_not_on_the_disk_does_not_count(
    where: Places, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    with pytest.raises((Refused, KeyboardInterrupt)), session(plan(), where) as opened:  # noqa: PT012 - either may raise
        monkeypatch.setattr(os, "fsync", fail_with(error))
        list(walk(opened, ExecutorCrew(StandIn(), at_once=2), device="cpu"))
    assert not opened.outcomes
    assert not opened.sender.unsent
    assert not outbox_of(where).files()


def test_only_a_file_that_is_not_whole_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = tracking.Outbox(tmp_path / "new" / "outbox")
    path = outbox.put(kept())
    monkeypatch.setattr(Path, "read_bytes", fail_with(OSError(errno.EMFILE, "Too many open")))
    with pytest.raises(OSError, match="Too many open"):
        outbox.set_damaged_aside()
    monkeypatch.undo()
    monkeypatch.setattr(parcels, "FORMAT", parcels.FORMAT + 1)
    with pytest.raises(Refused, match="another version"):
        outbox.set_damaged_aside()
    monkeypatch.undo()
    assert outbox.files() == [path]
    path.write_bytes(path.read_bytes()[:-1])
    assert outbox.set_damaged_aside() == 1
    assert not outbox.files()


def test_sync_goes_on_after_a_study_that_is_refused_and_names_damaged_files(
    where: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    tracking.outbox_of(where, "absent").put(kept("absent"))
    outbox_of(where).put(kept()).write_bytes(b"torn")
    with pytest.raises(Refused, match="'absent' has no runs"):
        sync_command(store=where.folder)
    out = " ".join(capsys.readouterr().out.split())
    assert "tiny: damaged files in" in out
    assert "tiny: 0 trials are recorded" in out
    assert not outbox_of(where).files()


def test_who_asks_for_a_study_of_which_nothing_waits_is_told_what_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = {"one": tmp_path, "two": tmp_path}
    monkeypatch.setattr("ablation.tracking.studies_with_parcels", lambda _: waiting)
    sync_command("tiny", store=tmp_path)
    said = "No trial of tiny waits to be recorded. Trials of one and two do."
    assert said in " ".join(capsys.readouterr().out.split())


def test_sync_sends_what_is_left_and_supersedes_what_has_an_outcome_by_then(
    where: Places, hung: threading.Event
) -> None:
    interrupted(where, hung, plan())
    outbox = outbox_of(where)
    held = {path: path.read_bytes() for path in outbox.files()}
    first, again, *others = held
    for path in (again, *others):
        path.unlink()
    assert sync(where, "tiny", outbox) == 1
    counts = recorded(where)
    first.write_bytes(held[first])  # its end was recorded, and the kill came before its removal
    same = from_bytes(held[first])
    assert same is not None
    outbox.put(tracking.Parcel(**{n: getattr(same, n) for n in Parcel.__slots__} | {"ended": 7}))
    assert sync(where, "tiny", outbox) == 0
    assert not outbox.files()
    tags = [each["tags"] for each in recorded(where) if each["status"] == "FINISHED"]
    assert len(tags) == 2
    finished = next(each for each in counts if each["status"] == "FINISHED")
    assert sum("ablation.superseded" in each for each in tags) == 1
    assert finished["tags"] in tags
    with session(plan(), where) as opened:
        assert len(opened.missing) == 5


def test_results_and_looks_are_those_of_a_record_that_answers(
    where: Places, tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = plan(seeds=8, looks=(5, 8))
    shutil.copytree(empty_store, tmp_path / "other")
    other = places(tmp_path / "other")
    run(study, where, StandIn())

    complete, trained = tracking.complete, threading.Event()

    def late(*args: Any) -> Any:
        trained.wait()
        return complete(*args)

    monkeypatch.setattr(tracking, "complete", late)
    with session(study, other) as opened:
        for _ in walk(opened, ExecutorCrew(StandIn(), at_once=2), device="cpu"):
            pass
        assert opened.sender.unsent == len(opened.trials)  # the look was taken on the outbox alone
        trained.set()
    key = "ablation.key"
    mine, theirs = (
        sorted((r["tags"][key], r["test/accuracy"], r["test/loss"]) for r in recorded(each))
        for each in (where, other)
    )
    assert mine == theirs


def test_any_other_error_of_the_record_ends_the_study_and_loses_nothing(
    where: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tracking, "complete", fail)
    with pytest.raises(
        tracking.Refused if hasattr(tracking, "Refused") else Exception, match="space"
    ):
        run(plan(), where, StandIn())
    assert 1 <= len(outbox_of(where).files()) <= 6
    monkeypatch.undo()
    run(plan(), where, StandIn())
    assert sum(each["status"] == "FINISHED" for each in recorded(where)) == 6


def test_a_record_that_stays_away_is_given_up_when_all_is_trained(
    where: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise ConnectionError("connection refused")

    monkeypatch.setattr(tracking, "open_run", away)
    monkeypatch.setattr(senders, "SILENT", 0.1)
    monkeypatch.setattr(senders, "PATIENCE", 1.0)
    said: list[str] = []
    with pytest.raises(senders.Unsent, match="6 trained trials wait in") as unsent:
        run(plan(), where, StandIn(), tell=said.append)
    assert unsent.value.code == 1
    told = [line for line in said if "(connection refused). Training goes on" in line]
    assert len(told) == 1, said
    monkeypatch.undo()
    assert sync(where, "tiny", outbox_of(where)) == 6


def test_what_is_recorded_does_not_decide_whether_a_record_is_away() -> None:
    exc = pytest.importorskip("sqlalchemy.exc")
    locked = sqlite3.OperationalError("database is locked")
    stated = exc.OperationalError("INSERT", {"value": "Permission denied"}, locked)
    assert tracking.is_away(stated)
    wrong = ValueError("as said")
    wrong.__context__, wrong.__suppress_context__ = stated, True
    assert not tracking.is_away(wrong)


def test_a_server_that_fails_for_good_is_given_up_after_a_few_tries(
    where: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    from requests.exceptions import RetryError

    calls: list[str] = []

    def fail(*_: Any) -> None:
        calls.append("")
        raise RetryError("Max retries exceeded (too many 500 error responses)")

    monkeypatch.setattr(senders, "PAUSES", (0.0,))
    monkeypatch.setattr(tracking, "close_unfinished", fail)
    with pytest.raises(Refused, match="500"), session(plan(), where):
        pass
    assert senders.TRIES <= len(calls) <= senders.TRIES + 1  # and the last request
    assert not tracking.is_faulty(RetryError("too many 503 error responses"))


def test_a_start_and_a_look_do_not_wait_for_a_record_without_end(
    where: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders, "PATIENCE", 0.3)
    monkeypatch.setattr(tracking, "close_unfinished", fail_with(ConnectionError("refused")))
    with pytest.raises(senders.Unsent, match="has not answered"), session(plan(), where):
        pass


KILLS = {
    "before the run is created": ("ablation.tracking", "open_run"),
    "before its end is written": ("ablation.tracking", "complete"),
    "before the parcel is removed": ("ablation.tracking.Outbox", "remove"),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", KILLS)
def test_a_kill_between_acknowledgement_and_record_loses_and_doubles_nothing(
    where: Places, moment: str
) -> None:
    place, name = KILLS[moment]
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "import test_outbox as t; from ablation import tracking\n"
        "from ablation.records.places import places\n"
        f"target = tracking.Outbox if '{place}'.endswith('Outbox') else tracking\n"
        f"real, calls = getattr(target, '{name}'), []\n"
        "def die(*given):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(*given)\n"
        f"setattr(target, '{name}', die)\n"
        "t.run(t.plan(), places(Path(sys.argv[1])), t.StandIn())\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    killed = subprocess.run(
        [sys.executable, "-c", script, str(where.folder)], env=os.environ | {"PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr
    kept = outbox_of(where).outcomes("tiny")
    assert kept
    seen = glance(plan(), where)
    assert seen is not None
    lacking = seen.missing(plan())
    left = StandIn()
    run(plan(), where, left)
    assert len(left.jobs) == len(lacking)
    statuses = Counter(each["status"] for each in recorded(where))
    assert statuses["FINISHED"] == 6
    assert "RUNNING" not in statuses
    assert not outbox_of(where).files()


@pytest.mark.slow
def test_training_goes_on_while_another_process_has_the_write_lock(where: Places) -> None:
    said: list[str] = []
    with Slow(2) as executor, session(plan(seeds=40), where, tell=said.append) as opened:
        other = sqlite3.connect(where.folder / "mlflow.db", check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        unlock = threading.Timer(70, other.rollback)
        unlock.start()
        acknowledged = 0
        for _ in walk(opened, ExecutorCrew(executor, at_once=2), device="cpu"):
            acknowledged += unlock.is_alive()
        assert acknowledged == 80
        assert opened.sender.unsent > 70
    unlock.join()
    other.close()
    assert "does not answer" in said[0]
    assert "answers again" in said[1]
    assert len(said) == 2
    assert sum(each["status"] == "FINISHED" for each in recorded(where)) == 80
