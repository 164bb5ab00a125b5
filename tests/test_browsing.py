"""What MLflow shows of a study: its parent run, its children, trainings that take long."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import declaration

from ablation import tracking
from ablation.analysis.answers import answer_sentences
from ablation.cli import guard, pages
from ablation.errors import Refused
from ablation.execute import progress_file
from ablation.execute.live import AFTER, EVERY, Live
from ablation.records.outcome import EpochRecord, RunResult
from ablation.report.note import note
from ablation.study.plan import Trial, make_plan
from ablation.study.spec import Study
from ablation.task.text.config import DataConfig, RunConfig
from ablation.task.text.data import Encoded, prepare
from ablation.tracking import Finished, Home, parent, record
from ablation.tracking.entities import curves_of
from ablation.tracking.notes import LIMIT, MARKUP, text

ENDS = ("verdict_low", "verdict_high", "estimate_low", "estimate_high")
NAMES = ("<script>alert(1)</script>", "a|b", "{{7*7}}", r"$\alpha$_%", "a/b", "..", "")
ROW = {
    "mean": 0.5, "effect": 0.25, "verdict_low": 0.125, "verdict_high": 0.375, "n": 5, "failed": 0,
    "verdict": "BETTER", "reason": "", "by_margin": False, "seeds_likely": math.nan,
    "p_difference": 0.01, "p_equivalence": 0.9, "wins": 5, "ties": 0, "losses": 0,
    "failed_upper95": 0.45, "ground": "ABOVE", "stage": "final",
    "estimate_low": 0.15, "estimate_high": 0.35, "scope": "new_examples", "reach": "open",
    "may_differ95": math.nan, "needs_examples": False, "odd_shape": False, "one_seed": False,
    "missing": 0, "late": False, "alpha": 0.05, "look": 5,
    "fresh_n": math.nan, "fresh_effect": math.nan,
}  # fmt: skip


def rows_of(labels: Sequence[str], **others: Any) -> list[dict[str, Any]]:
    rows = [ROW | others | {"arm": label} for label in labels]
    rows[0] |= {"verdict": "", "effect": math.nan, "reach": ""} | dict.fromkeys(ENDS, math.nan)
    return rows


def content_of(labels: Sequence[str], question: str = "Does it matter?") -> Any:
    declared = declaration(baseline=labels[0])
    judged = SimpleNamespace(effects=pd.DataFrame(rows_of(labels)))
    said = tuple(answer_sentences(judged.effects, declared))
    return SimpleNamespace(
        judged=judged, declaration=declared, wording={"question": question}, answer=said
    )


@given(st.dictionaries(st.sampled_from(["study/arms", "n/b", "mean/a", "other"]), st.floats(0, 2)))
def test_logging_the_changes_shows_the_new_values_and_nothing_twice(
    old: dict[str, float],
) -> None:
    new = {"study/arms": 1.0, "study/failed_runs": 0.5}
    changed = parent.changes(old, new)
    shown = old | changed
    assert {name: shown[name] for name in new} == new
    assert all(math.isnan(v) for n, v in shown.items() if n not in new and n != "other")
    assert parent.changes(shown, new) == {}


@given(st.text())
def test_no_markup_is_left_in_a_text(words: str) -> None:
    import html

    shown = text(words, longest=10**6)
    bare = shown
    for sign in MARKUP:
        bare = bare.replace(f"&#{ord(sign)};", "")
    assert not MARKUP & set(bare)
    if "&" not in words:
        assert html.unescape(shown) == " ".join(words.split())


@pytest.mark.parametrize("labels", [NAMES, [f"{'*' * 400} {i}" for i in range(300)]])
def test_a_note_fits_and_shows_names_as_text(labels: Sequence[str]) -> None:
    written = note(content_of(labels, question="#" * 9000))
    assert len(written) <= LIMIT
    assert "<script>" not in written
    assert "BETTER" in written
    table = [line for line in written.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {8}
    left = len(labels) + 2 - len(table)
    assert (f"{left} more arms" in written) == (left > 0)


def test_a_note_keeps_the_largest_effects() -> None:
    content = content_of([f"arm {i}" for i in range(200)])
    content.judged.effects["effect"] = [math.nan, *(0.001 * i for i in range(1, 200))]
    written = note(content, most=2000)
    assert len(written) <= 2000
    assert "| arm 0 |" in written
    assert "| arm 199 |" in written
    assert "| arm 1 |" not in written


@dataclasses.dataclass
class Clock:
    """The seconds since the epoch, as the test has them."""

    seconds: float = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclasses.dataclass
class Watched:
    """A study label in a store of its own, with one trial and its clock."""

    home: Home
    trial: Trial
    encoded: Encoded
    clock: Clock
    live: Live

    @property
    def runs(self) -> list[Any]:
        found = self.home.client.search_runs([self.home.experiment])
        return [run for run in found if run.info.run_id != self.home.parent]

    def curve(self, run_id: str) -> list[tuple[int, float, int]]:
        points = self.home.client.get_metric_history(run_id, "train/loss")
        return sorted((point.step, point.value, point.timestamp) for point in points)


@pytest.fixture
def watched(tmp_path: Path, corpus: Path, empty_store: Path) -> Iterator[Watched]:
    shutil.copytree(empty_store, tmp_path / "store")
    client = tracking.connect(f"sqlite:///{tmp_path / 'store/mlflow.db'}", record=True)
    config = RunConfig(data=DataConfig(source=str(corpus)))
    encoded = prepare(config.data, cache=tmp_path / "cache")
    study = Study(
        name="tiny", question="?", factor="model.dropout", levels=(0.0, 0.1), baseline=0.0,
        seeds=1, config=config,
    )  # fmt: skip
    artifacts = tmp_path / "artifacts"
    home = tracking.open_home(
        client, "tiny", "tiny", data=encoded.fingerprint, artifacts=artifacts
    )
    plan = make_plan(study, tmp_path / "cache")
    trial, clock = plan.trials[0], Clock()
    (tmp_path / "progress").mkdir()
    live = Live(home, tmp_path / "progress", plan, {}, now=clock)
    yield Watched(home, trial, encoded, clock, live)
    live.close(complete=True)
    assert not (tmp_path / "progress").exists()


def epochs(number: int) -> list[EpochRecord]:
    return [
        EpochRecord(epoch=e, seconds=4.0 * e, metrics={"train/loss": 1 / e})
        for e in range(1, number + 1)
    ]


def test_a_long_training_shows_while_it_runs_and_is_one_run_in_the_end(watched: Watched) -> None:
    file, began = watched.live.file(watched.trial), watched.clock()
    watched.live.look([watched.trial])
    progress_file.begin(file, began, "cpu")
    progress_file.append(file, epochs(1)[0])
    watched.clock.seconds += AFTER - 1
    watched.live.look([watched.trial])
    assert not watched.runs

    watched.clock.seconds += EVERY
    for epoch in epochs(3)[1:]:
        progress_file.append(file, epoch)
    with file.open("a") as cut:
        cut.write('{"epoch": 4, "sec')
    watched.live.look([watched.trial])
    (run,) = watched.runs
    assert run.info.status == "RUNNING"
    assert run.info.run_name == "0.0 · seed 00"
    assert run.data.tags["ablation.key"] == watched.trial.key
    assert run.data.params["arm"] == "0.0"
    assert [step for step, *_ in watched.curve(run.info.run_id)] == [1, 2, 3]

    early = watched.live.take(watched.trial.key)
    watched.live.forget(watched.trial)
    assert not file.exists()
    result = RunResult(
        status="FINISHED", epoch=5, seconds=20.0, metrics={"test/accuracy": 0.5}, correct=b"\1"
    )
    finished = Finished(
        trial=watched.trial, records=epochs(5), result=result, began=began, device="cpu"
    )
    parcel = tracking.parcel_of(watched.home, finished, watched.encoded, {})
    outcome = tracking.complete(watched.home, parcel, early)
    assert outcome is not None
    (run,) = watched.runs
    assert (run.info.status, run.info.run_id) == ("FINISHED", outcome.run_id)
    expected = [(step, value, at) for _, value, at, step in curves_of(epochs(5), began)]
    assert watched.curve(run.info.run_id) == expected
    assert tracking.outcomes(watched.home)[watched.trial.key].metrics == result.metrics
    (artifact,) = watched.home.client.list_artifacts(run.info.run_id)
    assert artifact.path == "test_correct.bin"


def test_a_run_that_was_created_when_the_record_went_away_is_the_one_that_goes_on(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress_file.begin(watched.live.file(watched.trial), watched.clock(), "cpu")
    watched.clock.seconds += AFTER + EVERY
    with monkeypatch.context() as away:
        away.setattr(record, "log", lambda *_, **__: (_ for _ in ()).throw(ConnectionError()))
        with pytest.raises(ConnectionError):
            watched.live.look([watched.trial])
    watched.live.look([watched.trial])
    (run,) = watched.runs
    assert run.data.params["arm"] == "0.0"


def test_points_that_are_logged_again_are_kept_once(watched: Watched) -> None:
    started = tracking.Started(trial=watched.trial, began=5.0, device="cpu")
    early = tracking.begin(watched.home, started, watched.encoded, {})
    for seen in (2, 3):  # the second call does not know what the first one logged
        tracking.append(watched.home, early, started, watched.encoded, epochs(seen))
    assert [step for step, *_ in watched.curve(early.run_id)] == [1, 2, 3]


def test_a_run_that_was_shown_early_and_never_ended_is_no_outcome(watched: Watched) -> None:
    progress_file.begin(watched.live.file(watched.trial), watched.clock(), "cpu")
    watched.clock.seconds += AFTER + EVERY
    watched.live.look([watched.trial])
    assert [run.info.status for run in watched.runs] == ["RUNNING"]
    assert tracking.close_unfinished(watched.home) == 1
    assert [run.info.status for run in watched.runs] == ["KILLED"]
    assert not tracking.outcomes(watched.home)


def test_only_the_record_is_written_to_the_disk_at_checkpoints_alone(
    watched: Watched, tmp_path: Path
) -> None:
    import sqlalchemy

    found = {}
    for name in ("store/mlflow.db", "other.db"):
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / name}")
        with engine.connect() as connection:
            found[name] = [
                connection.exec_driver_sql(f"PRAGMA {what}").scalar_one()
                for what in ("journal_mode", "synchronous")
            ]
        engine.dispose()
    assert found == {"store/mlflow.db": ["wal", 1], "other.db": ["delete", 2]}


def test_a_worker_without_the_folder_trains_all_the_same(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere/file.jsonl"
    progress_file.begin(nowhere, 1.0, "cpu")
    progress_file.append(nowhere, epochs(1)[0])
    assert progress_file.read(nowhere) is None


def test_a_progress_file_gives_back_every_digit(tmp_path: Path) -> None:
    file = tmp_path / "file.jsonl"
    values = {"train/loss": 0.1 + 0.2, "probe/norm": math.nan}
    progress_file.begin(file, 0.1 + 0.7, "cuda")
    progress_file.append(file, EpochRecord(epoch=0, seconds=1 / 3, metrics=values))
    seen = progress_file.read(file)
    assert seen is not None
    assert (seen.began, seen.device) == (0.1 + 0.7, "cuda")
    (record,) = seen.records
    assert (record.epoch, record.seconds) == (0, 1 / 3)
    assert repr(record.metrics) == repr(values)


def test_what_is_published_again_replaces_what_was_there(watched: Watched, tmp_path: Path) -> None:
    home, folder = watched.home, tmp_path / "report"
    folder.mkdir()
    for place, file in enumerate(("index.html", "other.html", "other.html")):
        for old in folder.iterdir():
            old.unlink()
        (folder / file).write_text(f"<p>{place}</p>")
        rows = rows_of(NAMES[: 4 - (place > 0)], mean=0.5 + (place > 0))
        tracking.publish(home, rows, f"**Does it?**\n\nYes, {place}.\n\n| table |", folder)
    run = home.client.get_run(home.parent)
    assert run.data.tags["mlflow.note.content"] == "**Does it?**\n\nYes, 2.\n\n| table |"
    assert [each.path for each in home.client.list_artifacts(home.parent, "report")] == [
        "report/other.html"
    ]
    told = home.client.get_experiment(home.experiment).tags["mlflow.note.content"]
    assert told.startswith("Yes, 2.\n\n**Does it?**\n\n| table |\n\n[The run")
    assert run.data.metrics["study/arms"] == 3
    assert len(run.data.metrics) <= 6
    points = home.client.get_metric_history(home.parent, "study/arms")
    assert [point.value for point in points] == [4, 3]


def test_the_browser_opens_only_where_there_is_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda page: opened.append(page) is None)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not pages.open_browser("a", {})
    assert pages.open_browser("b", {"DISPLAY": ":0"})
    assert opened == ["b"]


def test_a_server_that_ends_by_itself_is_named(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind((pages.HOST, 0))
        port = free.getsockname()[1]
    broken = f"sqlite:///{tmp_path / 'no/such/folder/mlflow.db'}"
    with pages.server(broken, port) as process:
        process.terminate()
        with pytest.raises(Refused, match="MLflow's server ended"):
            pages.until_it_listens(process, port)


@pytest.mark.slow
def test_a_server_ends_with_the_command_that_was_killed(tmp_path: Path, empty_store: Path) -> None:
    shutil.copytree(empty_store, tmp_path / "store")
    with socket.socket() as free:
        free.bind((pages.HOST, 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ablation", "ui", "--port", str(port)]
    process = subprocess.Popen([*command, "--store", str(tmp_path / "store")])
    until = time.monotonic() + 600
    while not pages.listens(port):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.2)
    process.kill()
    process.wait()
    while pages.listens(port):
        assert time.monotonic() < until
        time.sleep(0.2)


def test_what_is_guarded_ends_with_its_caller(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    endless = f"import time; open({str(tmp_path / 'begun')!r}, 'w').close(); time.sleep(600)"
    caller = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, {guard.__file__!r}, sys.executable, "-c", {endless!r}],
                 stdin=subprocess.PIPE)
time.sleep(600)
"""
    ours, theirs = os.pipe()  # every process of the three holds its other end
    process = subprocess.Popen([sys.executable, "-c", caller], stdout=theirs)
    os.close(theirs)
    assert (tmp_path / "begun").read_text() == ""
    process.kill()
    process.wait()
    assert os.read(ours, 1) == b""
    os.close(ours)
