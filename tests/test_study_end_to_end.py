"""Whole studies on a corpus of toys: recorded once each, resumed after any end, reported."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from filelock import FileLock
from synthetic import small_figures

from ablation import cli, mirror, tracking
from ablation.execute import Glance
from ablation.execute.worker import run_trial

if TYPE_CHECKING:
    from mlflow import MlflowClient

ABLATION = [sys.executable, "-m", "ablation"]


class Inline(Executor):
    """Trains in this process: the seam that lets a study run anywhere."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Project:
    """An empty folder in which the command line is run as a user runs it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a process of its own, with workers of its own."""
        return subprocess.Popen(
            [*ABLATION, *arguments],
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONFAULTHANDLER": "1"},
        )

    def rest_of(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        """Returns what a process still prints until it ends; one that hangs says where."""
        try:
            return process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            out, err = process.communicate(timeout=30)
            raise AssertionError(f"It hangs:\n{out}{err}") from None

    def run(self, *arguments: str, code: int = 0) -> str:
        """Runs a command in this process; returns all that it printed."""
        self.capsys.readouterr()
        ended = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["ablation", *arguments])
            try:
                cli.main()
            except SystemExit as end:
                ended = int(end.code or 0)
        captured = self.capsys.readouterr()
        assert ended == code, captured.out + captured.err
        return captured.out + captured.err

    def table(self, name: str, report: str = "tiny") -> list[dict[str, str]]:
        text = (self.folder / "reports" / report / f"{name}.csv").read_text(encoding="utf-8")
        return list(csv.DictReader(text.splitlines()))

    def runs(self, report: str = "tiny") -> list[dict[str, str]]:
        return self.table("runs", report)

    @property
    def client(self) -> MlflowClient:
        return tracking.connect(f"sqlite:///{self.folder / 'mlflow.db'}")

    def statuses(self) -> Counter[str]:
        """Status of every run in the store, children and parents alike."""
        ids = [found.experiment_id for found in self.client.search_experiments()]
        return Counter(
            f"{run.data.tags['ablation.kind']} {run.info.status}"
            for run in self.client.search_runs(ids)
        )


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("MLFLOW_TRACKING_URI", "ABLATION_STORAGE", "ABLATION_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ablation.execute.crew.pool", lambda workers: Inline())
    return Project(folder, capsys)


@pytest.fixture
def stored(project: Project, empty_store: Path) -> Iterator[Project]:
    """A project whose databases exist; reports that this process builds have small figures.

    Its other processes draw all that they show, and so does a :func:`project` alone.
    """
    shutil.copytree(empty_store, project.folder, dirs_exist_ok=True)
    with small_figures():
        yield project


def alive(folder: Path) -> list[int]:
    """Processes in a working folder that neither are this one nor were started by it.

    What a conductor leaves behind has lost its parent; a server that workers are forked from may
    be this process's own, since tests run studies in it, too.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            here = (process / "cwd").resolve() == folder
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if here and state != "Z" and os.getpid() not in {int(process.name), int(parent)}:
            found.append(int(process.name))
    return found


def wait_until(condition: object, seconds: float) -> None:
    """Polls, since what is waited for happens in processes that are not ours."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_study_runs_once_is_recorded_and_reported(project: Project, tiny_study: Path) -> None:
    before = project.run("plan", str(tiny_study))
    assert "6 trials are planned; 6 missing" in before
    assert not list(project.folder.glob("*.db"))

    first = project.run("run", str(tiny_study))
    assert "screening" in first
    assert "6/6 trials" in first
    assert project.statuses() == {"trial FINISHED": 6, "study FINISHED": 1}
    rows = project.runs()
    assert len(rows) == 3 * 2 * 6
    assert {row["arm"] for row in rows} == {"0.0", "0.05", "1.0"}
    assert all(float(row["value"]) >= 0 for row in rows)
    text = (project.folder / "reports/tiny/README.md").read_text()
    assert "Does it matter?" in text
    built = {p: p.read_bytes() for p in (project.folder / "reports").rglob("*") if p.is_file()}

    assert "nothing to run" in project.run("run", str(tiny_study))
    assert project.statuses() == {"trial FINISHED": 6, "study FINISHED": 1}
    project.run("report", str(tiny_study))
    assert all(path.read_bytes() == content for path, content in built.items())

    assert "6 of 6 planned trials are done" in project.run("status", str(tiny_study))
    assert "0 missing" in project.run("plan", str(tiny_study))


def test_results_do_not_depend_on_where_or_in_which_order_trials_ran(
    stored: Project, tiny_study: Path
) -> None:
    stored.run("run", str(tiny_study), "--store", "here", "--reports", "reports/here")
    options = ("--store", "there", "--reports", "reports/there", "--workers", "2")
    process = stored.start("run", str(tiny_study), *options)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    columns = ("config", "arm", "seed", "split", "metric", "value", "epoch")
    here, there = (
        [tuple(row[column] for column in columns) for row in stored.runs(f"{place}/tiny")]
        for place in ("here", "there")
    )
    assert here == there
    # The server that workers are forked from sees a moment later that its conductor has ended.
    wait_until(lambda: not alive(stored.folder), seconds=5)


def test_a_new_level_runs_only_its_own_trials(stored: Project, tiny_study: Path) -> None:
    stored.run("run", str(tiny_study))
    text = tiny_study.read_text()
    tiny_study.write_text(text.replace("(0.0, 0.05, 1.0)", "(0.0, 0.05, 0.1, 1.0)"))
    assert "8 trials are planned; 2 missing" in stored.run("plan", str(tiny_study))
    out = stored.run("run", str(tiny_study))
    assert "7/8 trials" in out
    assert "6/8 trials" not in out
    assert stored.statuses()["trial FINISHED"] == 8
    report = (stored.folder / "reports/tiny/README.md").read_text()
    assert report.count("Declaration") == 2
    assert "when 6 runs had been seen" in report


@pytest.mark.parametrize(
    "how",
    [
        signal.SIGINT,
        *(pytest.param(each, marks=pytest.mark.slow)
          for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)),
        signal.SIGKILL,
    ],
)  # fmt: skip
def test_a_killed_study_goes_on_where_it_stopped(
    stored: Project, tiny_study: Path, how: signal.Signals
) -> None:
    text = tiny_study.read_text()
    tiny_study.write_text(text.replace("seeds=2", "seeds=6").replace("epochs=2", "epochs=10"))
    process = stored.start("run", str(tiny_study))
    assert process.stdout is not None
    for line in process.stdout:
        if " trials · " in line:
            break
    process.send_signal(how)
    killed = time.monotonic()
    out, err = stored.rest_of(process)
    # The workers hold the other ends of the pipes, so this is when the last of them ended.
    assert time.monotonic() - killed < 5
    wait_until(lambda: not alive(stored.folder), seconds=5 - (time.monotonic() - killed))
    if how != signal.SIGKILL:
        assert process.returncode == 130, out + err
        assert "Run the same command again to go on" in out
        assert not {"trial RUNNING", "study RUNNING"} & stored.statuses().keys()
    waiting = len(
        list(stored.folder.rglob("*.parcel"))
    )  # acknowledged, and sent by the next start
    assert 0 < stored.statuses()["trial FINISHED"] + waiting < 18

    stored.run("run", str(tiny_study))
    statuses = stored.statuses()
    assert statuses["trial FINISHED"] == 18
    assert not {"trial RUNNING", "study RUNNING"} & statuses.keys()
    assert len({(r["arm"], r["seed"], r["run_id"]) for r in stored.runs()}) == 18
    assert "18 of 18 planned trials are done" in stored.run("status", str(tiny_study))


def test_a_run_deleted_in_the_browser_is_run_again(stored: Project, tiny_study: Path) -> None:
    stored.run("run", str(tiny_study))
    stored.client.delete_run(stored.runs()[0]["run_id"])
    assert "6/6 trials" in stored.run("run", str(tiny_study))
    assert stored.statuses()["trial FINISHED"] == 6
    assert "6 of 6 planned trials are done" in stored.run("status", str(tiny_study))


def test_a_study_with_looks_gives_more_seeds_to_undecided_arms_alone(
    stored: Project, tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tiny_study.read_text().replace("seeds=2", "margin=0.05, looks=(4, 6)")
    # A rate of 1e-12 learns nothing, whatever the seed: decided at the first look.
    text = text.replace("model.attention.init_std", "train.learning_rate")
    text = text.replace("(0.0, 0.05, 1.0)", "(0.05, 0.0505, 1e-12)")
    text = text.replace("epochs=2", "epochs=12")
    tiny_study.write_text(text)
    assert "12 trials are planned; 12 missing" in stored.run("plan", str(tiny_study))
    out = stored.run("run", str(tiny_study))
    seeds = Counter(row["arm"] for row in stored.runs() if row["metric"] == "loss")
    effects = stored.table("effects")
    assert [row["arm"] for row in effects] == ["0.05", "0.0505", "1e-12"]
    assert effects[0]["verdict"] == ""
    assert (effects[2]["verdict"], effects[2]["look"]) == ("WORSE", "4")
    assert seeds["1e-12"] == 2 * 4
    if effects[1]["verdict"] == "INCONCLUSIVE" or effects[1]["look"] == "6":
        assert seeds["0.05"] == seeds["0.0505"] == 2 * 6
    assert "Avoid 1e-12" in out
    assert {row["scope"] for row in effects} == {"new_examples"}
    folder = stored.folder / "reports/tiny"
    examples = pd.read_parquet(folder / "examples.parquet")
    (commonest,) = examples.loc[examples["seed"] == tracking.COMMONEST, "correct"]
    tests = pd.read_parquet(folder / "tests.parquet")
    assert tests["class"].value_counts().max() == sum(byte.bit_count() for byte in commonest)
    assert "text" in tests
    current = json.loads((folder / "study.json").read_text())["current"]
    with mirror.reading(f"sqlite:///{stored.folder / 'optuna.db'}") as query:
        planned = mirror.planned_seeds(query, "tiny", current)
        assert mirror.planned_seeds(query, "tiny", "another") == {}
    assert planned["1e-12"] == 4
    assert planned["0.05"] == seeds["0.05"] / 2
    assert "0 missing" in stored.run("plan", str(tiny_study))
    assert "nothing to run" in stored.run("run", str(tiny_study))
    before = (folder / "study.json").read_bytes()
    fixed = stored.run("run", str(tiny_study), "--seeds", "2")
    assert "screening" in fixed
    assert "stays: it rests on up to 6 seeds per arm, this on 2." in fixed
    assert (folder / "study.json").read_bytes() == before
    monkeypatch.setenv("ABLATION_LINKS", "0")
    stored.run("run", str(tiny_study), "--seeds", "2", "--reports", "few")
    assert "127.0.0.1" in (folder / "README.md").read_text()
    assert "127.0.0.1" not in (stored.folder / "few/tiny/README.md").read_text()
    few = json.loads((stored.folder / "few/tiny/study.json").read_text())
    assert few["declaration"]["looks"] == [[2, "0.05"]]
    fewer = "margin=0.04, seeds=2, show_texts=False"
    tiny_study.write_text(text.replace("margin=0.05, looks=(4, 6)", fewer))
    stored.run("run", str(tiny_study))
    assert list(pd.read_parquet(folder / "tests.parquet")) == ["class"]
    assert {row["look"] for row in stored.table("effects")} == {"2"}  # another study replaces it


def test_the_baseline_against_itself_is_identical_or_undecided(
    stored: Project, tiny_study: Path
) -> None:
    text = tiny_study.read_text().replace('factor="model.attention.init_std",\n', "")
    text = text.replace(
        "levels=(0.0, 0.05, 1.0),",
        'arms={"a": {}, "again": {"seed_offset": 0}, "others": {"seed_offset": 1000}},',
    )
    tiny_study.write_text(text.replace("baseline=0.05", 'baseline="a"').replace("=2,", "=4,", 1))
    stored.run("run", str(tiny_study))
    _, again, others = stored.table("effects")
    assert (again["verdict"], again["effect"]) == ("IDENTICAL", "0.0")
    assert again["reason"].startswith("the same as the baseline, bit for bit, on all 4 seeds")
    assert others["verdict"] in {"EQUIVALENT", "INCONCLUSIVE"}
    assert stored.statuses()["trial FINISHED"] == 12


@pytest.mark.parametrize("file", ["mlflow.db", "optuna.db"])
def test_a_store_that_is_no_database_is_named(
    project: Project, tiny_study: Path, file: str
) -> None:
    (project.folder / file).write_text("this is no database, by any reading of its first bytes")
    out = project.run("run", str(tiny_study), code=2)
    rule, way_out = out.strip().splitlines()[-2:]  # what was read of the data comes before
    assert file in rule
    assert "give another folder with --store" in way_out


def test_a_report_needs_neither_the_data_nor_the_study_file(
    stored: Project, tiny_study: Path, corpus: Path
) -> None:
    stored.run("run", str(tiny_study))
    built = (stored.folder / "reports/tiny/README.md").read_bytes()
    shutil.rmtree(corpus)
    tiny_study.unlink()
    stored.run("report", "tiny")
    assert (stored.folder / "reports/tiny/README.md").read_bytes() == built
    assert "No runs of 'tiny@elsewhere'" in stored.run("report", "tiny@elsewhere", code=2)


def test_a_deleted_experiment_is_named(stored: Project, tiny_study: Path) -> None:
    stored.run("run", str(tiny_study))
    found = stored.client.get_experiment_by_name("tiny")
    assert found is not None
    stored.client.delete_experiment(found.experiment_id)
    out = stored.run("run", str(tiny_study), code=2)
    assert "experiment 'tiny' was deleted" in out
    assert "mlflow experiments restore" in out


def test_a_lost_mirror_is_rebuilt(stored: Project, tiny_study: Path) -> None:
    stored.run("run", str(tiny_study))
    for path in stored.folder.glob("optuna.db*"):
        path.unlink()
    assert "6 missing" in stored.run("plan", str(tiny_study))
    assert "nothing to run" in stored.run("run", str(tiny_study))
    assert "0 missing" in stored.run("plan", str(tiny_study))


def test_the_mirror_reads_like_the_question(stored: Project, tiny_study: Path) -> None:
    import optuna
    import optuna_dashboard

    stored.run("run", str(tiny_study))
    storage = f"sqlite:///{stored.folder / 'optuna.db'}"
    expected = {
        (row["arm"], int(row["seed"])): float(row["value"])
        for row in stored.runs()
        if (row["split"], row["metric"]) == ("test", "accuracy")
    }
    curves = {
        (row["arm"], int(row["seed"]), int(row["epoch"])): float(row["validation/accuracy"])
        for row in stored.table("curves")
        if row["validation/accuracy"]
    }
    for again in (False, True):  # as it grew, and as it is rebuilt from the record
        if again:
            for path in stored.folder.glob("optuna.db*"):
                path.unlink()
            stored.run("run", str(tiny_study))
        (summary,) = optuna.get_all_study_summaries(storage)
        assert summary.study_name.startswith("tiny [")
        study = optuna.load_study(study_name=summary.study_name, storage=storage)
        assert study.metric_names == ["test accuracy"]
        assert {tuple(trial.params) for trial in study.trials} == {("init_std",)}
        named = {(t.params["init_std"], t.user_attrs["seed"]): t for t in study.trials}
        assert {name: trial.value for name, trial in named.items()} == expected
        told = {
            (*name, epoch): pytest.approx(value, rel=1e-6)
            for name, trial in named.items()
            for epoch, value in trial.intermediate_values.items()
        }
        assert told == curves
        note = optuna_dashboard.get_note(study)
        assert "Does it matter?" in note
        assert "luckiest seed" in note
        assert note.endswith("reports/tiny/index.html")


def test_a_note_of_any_length_is_what_the_dashboard_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna
    import optuna_dashboard

    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    study = optuna.create_study(storage=mirror.connect(url))
    for name, value in (("study", "s"), ("declaration", "d")):
        study.set_user_attr(f"ablation.{name}", value)
    for size in (5000, 4091, 10, 0):
        mirror.keep_note(url, "s", "d", "x" * size, {})
        assert optuna_dashboard.get_note(study) == "x" * size
    mirror.keep_note(url, "s", "d", "x", {"fact": ["accuracy", 0.1]})
    monkeypatch.setattr("ablation.mirror.note.connect", None)  # Optuna is asked no more
    mirror.keep_note(url, "s", "d", "x", {"fact": ["accuracy", 0.1]})
    mirror.keep_note(url, "another", "d", "y", {})
    for note, fact in (("x", 0.2), ("z", 0.1)):
        with pytest.raises(TypeError):
            mirror.keep_note(url, "s", "d", note, {"fact": ["accuracy", fact]})


def test_what_is_read_of_the_mirror_is_what_optuna_reads(
    stored: Project, tiny_study: Path
) -> None:
    import optuna

    from ablation.mirror import read as mirrored

    tiny_study.write_text(tiny_study.read_text().replace("0.05, 1.0)", "0.05, 1e30)"))
    stored.run("run", str(tiny_study))
    url = f"sqlite:///{stored.folder / 'optuna.db'}"
    (summary,) = optuna.get_all_study_summaries(url)
    study = optuna.load_study(study_name=summary.study_name, storage=url)
    waiting = optuna.create_trial(
        state=optuna.trial.TrialState.RUNNING, user_attrs={mirrored.KEY: "tiny/other/0"}
    )
    study.add_trial(waiting)
    with mirrored.reading(url) as query:
        assert mirrored.labels_taken(query) == {"tiny": summary.user_attrs[mirrored.DATA]}
        found = mirrored.trials(query, "tiny", "accuracy")
        assert not mirrored.trials(query, "other", "accuracy")
    assert len(found) == 7
    for trial in study.trials:
        each = found[trial.user_attrs[mirrored.KEY]]
        assert each.state == trial.state.name
        if each.outcome is None:
            assert trial.state.name == "RUNNING"
            continue
        facts = trial.user_attrs[mirrored.OUTCOME]
        assert each.outcome.run_id == trial.user_attrs[mirrored.RUN]
        assert each.outcome.metrics.get("test/accuracy") == trial.value
        assert (each.outcome.reason, each.outcome.seconds) == (
            facts.get("reason"),
            facts["seconds"],
        )


def test_workers_have_their_next_trial_while_one_is_recorded(
    stored: Project, tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted, queued = [0], []

    class Counting(Inline):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            submitted[0] += fn is run_trial
            return super().submit(fn, *args, **kwargs)

    recorded = tracking.parcel_of

    def record(*args: Any, **kwargs: Any) -> Any:
        queued.append(submitted[0] - len(queued) - 1)
        return recorded(*args, **kwargs)

    monkeypatch.setattr(tracking, "parcel_of", record)
    monkeypatch.setattr("ablation.execute.crew.pool", lambda workers: Counting())
    tiny_study.write_text(tiny_study.read_text().replace("seeds=2", "seeds=3"))
    stored.run("run", str(tiny_study), "--workers", "2")
    assert queued == [4, 4, 4, 4, 4, 3, 2, 1, 0]  # twice the workers, until none is left


def test_commands_that_only_look_load_no_heavy_library(
    stored: Project, tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_study.write_text(tiny_study.read_text().replace("seeds=2", "looks=(1, 2)"))
    stored.run("plan", str(tiny_study))
    code = "import sys; from ablation import cli\ntry: cli.main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, "status", str(tiny_study)]
    loaded = subprocess.run(command, cwd=stored.folder, capture_output=True, text=True, check=True)
    heavy = {"torch", "mlflow", "optuna", "pandas", "scipy", "datasets", "sqlalchemy"}
    assert not heavy & set(loaded.stdout.split())


def test_the_conductor_never_loads_torch(stored: Project, tiny_study: Path) -> None:
    code = "import sys; from ablation import cli\ntry: cli.main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, "run", str(tiny_study)]
    loaded = subprocess.run(command, cwd=stored.folder, capture_output=True, text=True, check=True)
    assert "mlflow" in loaded.stdout.split()
    assert "torch" not in loaded.stdout.split()


def test_a_watched_status_ends_when_all_is_done_or_at_ctrl_c(
    stored: Project, tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ablation.cli import matrix

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(matrix, "time", SimpleNamespace(sleep=interrupt))
    waiting = stored.run("status", str(tiny_study), "--watch")
    assert "0 of 6 planned trials are done" in waiting
    assert "(a rough guess" in waiting
    stored.run("run", str(tiny_study))
    done = stored.run("status", str(tiny_study), "--watch")
    assert "6 of 6 planned trials are done" in done
    assert " s " in done


def test_the_answer_is_on_the_parent_run_and_stays_single(
    stored: Project, tiny_study: Path
) -> None:
    text = tiny_study.read_text().replace("Does it matter?", "<script>alert(1)</script>?")
    tiny_study.write_text(text)
    for _ in range(2):
        stored.run("run", str(tiny_study))
        (run,) = (
            run
            for run in stored.client.search_runs(["1"])
            if run.data.tags["ablation.kind"] == "study"
        )
        note = run.data.tags["mlflow.note.content"]
        assert "&#60;script&#62;" in note
        assert "| 0.05 | baseline |" in note
        assert run.data.metrics["study/arms"] == 3
        assert len(stored.client.get_metric_history(run.info.run_id, "study/arms")) == 1
        assert run.data.params == {
            "baseline": "0.05", "metric": "accuracy", "margin": "none",
            "factor": "model.attention.init_std",
        }  # fmt: skip
        paths = {f.path for f in stored.client.list_artifacts(run.info.run_id, "report")}
        assert {"report/README.md", "report/effects.csv", "report/figures"} <= paths
    names = sorted(
        run.info.run_name
        for run in stored.client.search_runs(["1"], "tags.`ablation.arm` = '0.05'")
    )
    assert names == ["0.05 · seed 00", "0.05 · seed 01"]


def test_a_diverged_arm_is_an_outcome(stored: Project, tiny_study: Path) -> None:
    tiny_study.write_text(tiny_study.read_text().replace("0.05, 1.0)", "0.05, 1e30)"))
    stored.run("run", str(tiny_study))
    assert stored.statuses() == {"trial FINISHED": 4, "trial FAILED": 2, "study FINISHED": 1}
    failed = [row for row in stored.runs() if row["arm"] == "1e+30"]
    assert {(r["value"], r["status"], r["reason"]) for r in failed} == {("", "FAILED", "nan_loss")}
    assert "2 of 2" in (stored.folder / "reports/tiny/README.md").read_text()
    assert "nothing to run" in stored.run("run", str(tiny_study))
    assert "nan_loss" in stored.run("status", str(tiny_study))


def test_a_collapse_criterion_judges_runs_that_are_there(
    stored: Project, tiny_study: Path
) -> None:
    stored.run("run", str(tiny_study))
    text = tiny_study.read_text()
    tiny_study.write_text(text.replace("seeds=2", "seeds=2, collapse=1.0"))
    assert "nothing to run" in stored.run("run", str(tiny_study))
    found = {(row["value"], row["status"], row["reason"]) for row in stored.runs()}
    assert found == {("", "FAILED", "collapsed")}
    report = (stored.folder / "reports/tiny/README.md").read_text()
    assert "The baseline itself failed on 2 of 2 seeds" in report


def test_replaced_data_are_recorded_under_a_label_and_in_an_experiment_of_their_own(
    stored: Project, tiny_study: Path, corpus: Path
) -> None:
    other = corpus.rename(corpus.parent / "others")
    text = (other / "train.csv").read_text().replace("text,label", "words,colour")
    (other / "train.csv").write_text(text)
    text = (other / "test.csv").read_text().replace("text,label", "words,colour")
    (other / "test.csv").write_text(text)
    options = ("--data", str(other), "--text", "words", "--label", "colour", "--seeds", "1")
    stored.run("run", str(tiny_study), *options)
    assert {row["study"] for row in stored.runs("tiny@others")} == {"tiny@others"}
    found = stored.client.get_experiment_by_name("tiny@others")
    assert found is not None
    assert len(stored.client.search_runs([found.experiment_id])) == 4
    # In an older layout the study's experiment holds all labels: nothing is trained again.
    stored.client.rename_experiment(found.experiment_id, "tiny")
    shutil.rmtree(stored.folder / "reports/tiny@others")
    assert "nothing to run" in stored.run("run", str(tiny_study), *options)
    assert len(stored.client.search_runs([found.experiment_id])) == 4
    stored.run("report", "tiny@others")


def test_the_parent_run_names_the_data_as_they_are_now(
    stored: Project, tiny_study: Path, corpus: Path
) -> None:
    named = set()
    for _ in range(2):
        stored.run("run", str(tiny_study), "--seeds", "1")
        runs = stored.client.search_runs(["1"])
        (parent,) = (run for run in runs if run.data.tags["ablation.kind"] == "study")
        (newest,) = {run.data.tags["ablation.data"] for run in runs if run is not parent} - named
        assert parent.data.tags["ablation.data"] == newest
        named.add(newest)
        with (corpus / "train.csv").open("a") as file:
            file.write("one more blueish word,blue\n")


def test_a_store_option_wins_over_both_variables(
    project: Project, tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.folder / 'a.db'}")
    monkeypatch.setenv("ABLATION_STORAGE", f"sqlite:///{project.folder / 'b.db'}")
    project.run("run", str(tiny_study), "--store", "kept")
    assert {path.name for path in project.folder.rglob("*.db")} == {"mlflow.db", "optuna.db"}
    project.run("run", str(tiny_study))
    assert (project.folder / "a.db").exists()
    assert (project.folder / "b.db").exists()


def test_a_storage_that_is_refused_leaves_no_reports_behind(
    project: Project, tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABLATION_STORAGE", "mysql+nonesuch://127.0.0.1/db")
    asked = ("run", str(tiny_study), "--reports", "new/reports")
    assert "its driver is not installed" in project.run(*asked, code=2)
    left = {path.name for path in project.folder.iterdir()}
    assert left <= {".ablation", ".cache"}  # locks, and the data as they were prepared


def test_a_second_conductor_is_refused(project: Project, tiny_study: Path) -> None:
    begun = project.folder / ".ablation/progress/tiny/of-the-first-0.jsonl"
    begun.parent.mkdir(parents=True)
    begun.touch()
    with FileLock(project.folder / ".ablation/tiny.lock"):
        out = project.run("run", str(tiny_study), code=2)
    assert "Another process is running 'tiny'" in out
    assert begun.exists()


ILL = """
import os, sys, torch


class Mine(torch.nn.Module):
    def __init__(self, hidden_size):
        super().__init__()

    def forward(self, states, mask):
        if len(states) > 10:  # not the few of the check
            self.fail()
        return states.sum(dim=1)


class Raises(Mine):
    def fail(self):
        raise KeyError("nothing here")


class Exits(Mine):
    def fail(self):
        sys.exit(0)


class Dies(Mine):
    def fail(self):
        os._exit(0)
"""


@pytest.mark.slow
def test_poolings_that_raise_exit_or_die_cost_the_others_nothing(
    stored: Project, tiny_study: Path
) -> None:
    (tiny_study.parent / "ill.py").write_text(ILL)
    text = tiny_study.read_text().replace('"model.attention.init_std"', '"model.pooling"')
    ill = '("ill:Raises", "ill:Exits", "ill:Dies", "mean", "max")'
    text = text.replace("(0.0, 0.05, 1.0)", ill).replace("seeds=2", "seeds=4")
    tiny_study.write_text(text.replace("baseline=0.05", 'baseline="mean"'))
    process = stored.start("run", str(tiny_study), "--workers", "2")
    out = "".join(process.communicate(timeout=300))
    assert process.returncode == 1, out
    assert "Traceback" not in out
    line = 1 + ILL.splitlines().index('        raise KeyError("nothing here")')
    seeds = "seeds [0-3], [0-3], [0-3](, 3)?"
    assert re.search(rf"'ill:Raises', {seeds}, raised: KeyError: .* at ill.py:{line}", out)
    assert re.search(r"'ill:Exits', seeds .*, raised: SystemExit: 0 at ill.py", out)
    assert "Arm 'ill:Dies', seeds 0, 1, 2, 3, was lost in each of 3 tries" in out
    statuses = stored.statuses()
    assert statuses["trial FINISHED"] == 2 * 4
    assert statuses["trial KILLED"] == 3 * 4
    assert 3 * 2 <= statuses["trial FAILED"] <= 4 * 2
    assert statuses["study KILLED"] == 1
    assert {row["arm"] for row in stored.runs()} == {"mean", "max"}
    raised = "tags.`ablation.raised` LIKE 'KeyError%'"
    run = stored.client.search_runs(["1"], raised)[0]
    assert [each.path for each in stored.client.list_artifacts(run.info.run_id)] == [
        "traceback.txt"
    ]
    again = stored.start("run", str(tiny_study), "--only", "arm=mean", "--only", "arm=max")
    out = "".join(again.communicate(timeout=300))
    assert again.returncode == 0, out
    assert "12 planned trials are missing" in out


@pytest.mark.parametrize(
    ("arguments", "rule", "way_out"),
    [
        (("run", "int_std"), "No study 'int_std' in studies/.", "give the path of a study file"),
        (("run", "{study}", "--seeds", "0"), "at least 1 seed; got 0", "5 or more"),
        (("run", "{study}", "--data", "{empty}"), "is empty", "Add a train file"),
        (("run", "{study}", "--label", "colour"), "colour", "--label"),
        (
            ("run", "{study}", "--workers", "0"),
            "1 to 1000 workers are possible",
            "Leave --workers out",
        ),
        (("run", "{study}", "--device", "tpu"), "No device 'tpu'", "auto, cpu or cuda"),
        (("report", "{study}"), "Nothing is recorded", "Run a study first"),
        (("ui",), "Nothing is recorded", "Run a study first"),
    ],
)
def test_bad_input_is_two_lines_and_nothing_written(
    project: Project, tiny_study: Path, arguments: tuple[str, ...], rule: str, way_out: str
) -> None:
    empty = tiny_study.parent / "empty"
    empty.mkdir()
    filled = [a.format(study=tiny_study, empty=empty) for a in arguments]
    out = project.run(*filled, code=2)
    assert rule in out
    assert way_out in out
    assert len(out.strip().splitlines()) == 2
    assert not list(project.folder.rglob("*.db"))
    assert not (project.folder / "reports").exists()


def test_workers_train_before_the_record_is_open(
    stored: Project, tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = stored.folder / ".ablation/progress/tiny"
    progress.mkdir(parents=True)
    (progress / "left.jsonl").touch()
    seen: list[set[str]] = []
    states: list[Counter[str]] = []
    connect, complete = tracking.connect, tracking.complete

    def connect_late(*args: Any, **kwargs: Any) -> Any:
        if not seen:
            wait_until(lambda: len(list(progress.glob("*-0.jsonl"))) == 3, seconds=60)
            seen.append({path.name for path in progress.iterdir()})
            began = int(time.time())
            wait_until(lambda: time.time() > began + 1, seconds=5)
        return connect(*args, **kwargs)

    def record_shown(*args: Any, **kwargs: Any) -> Any:
        with mirror.reading(f"sqlite:///{stored.folder / 'optuna.db'}") as query:
            shown = mirror.trials(query, "tiny", "accuracy").values()
        states.append(Counter(each.state for each in shown))
        return complete(*args, **kwargs)

    monkeypatch.setattr(tracking, "connect", connect_late)
    monkeypatch.setattr(tracking, "complete", record_shown)
    stored.run("run", str(tiny_study), "--workers", "2")
    assert "left.jsonl" not in seen[0]
    assert states[0] == {
        "RUNNING": 5
    }  # four were handed out ahead, one took the place of the first
    runs = stored.client.search_runs(["1"])
    (parent,) = (run for run in runs if run.data.tags["ablation.kind"] == "study")
    (declared,) = (
        json.loads(value)["date"]
        for name, value in parent.data.tags.items()
        if name.startswith("ablation.declared.")
    )
    first = min(run.info.start_time for run in runs if run is not parent) / 1000
    assert declared <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(first))


def test_what_turns_out_to_be_recorded_is_not_recorded_again(
    stored: Project, tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.run("run", str(tiny_study))
    before = {row["run_id"] for row in stored.runs()}
    gone = stored.runs()[-1]["run_id"]
    stored.client.delete_run(gone)
    behind = lambda plan, places: Glance(label="tiny", outcomes={})  # noqa: E731 - as short as what it stands in for
    monkeypatch.setattr("ablation.execute.glance", behind)
    handed: list[int] = []

    class Counting(Inline):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            handed.append(len(handed))
            return super().submit(fn, *args, **kwargs)

    monkeypatch.setattr("ablation.execute.crew.pool", lambda workers: Counting())
    stored.run("run", str(tiny_study), "--workers", "2")
    assert len(handed) >= 4
    assert stored.statuses() == {"trial FINISHED": 6, "study FINISHED": 1}
    after = {row["run_id"] for row in stored.runs()}
    assert before - after == {gone}
    assert "6 of 6 planned trials are done" in stored.run("status", str(tiny_study))


def test_a_refused_start_ends_the_workers_that_had_begun(
    project: Project, tiny_study: Path
) -> None:
    tiny_study.write_text(tiny_study.read_text().replace("epochs=2", "epochs=100_000"))
    (project.folder / "optuna.db").write_text("no database, whoever reads its first few bytes")
    process = project.start("run", str(tiny_study))
    out = "".join(process.communicate(timeout=120))
    ended = time.monotonic()
    assert process.returncode == 2
    assert "optuna.db" in out
    wait_until(lambda: not alive(project.folder), seconds=5 - (time.monotonic() - ended))


def test_an_interrupt_while_the_record_is_opened_ends_the_workers(
    stored: Project, tiny_study: Path
) -> None:
    tiny_study.write_text(tiny_study.read_text().replace("epochs=2", "epochs=100_000"))
    process = stored.start("run", str(tiny_study))
    wait_until(lambda: list(stored.folder.glob(".ablation/progress/tiny/*-0.jsonl")), seconds=90)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    out = "".join(stored.rest_of(process))
    assert time.monotonic() - sent < 5
    wait_until(lambda: not alive(stored.folder), seconds=5 - (time.monotonic() - sent))
    assert process.returncode == 130, out
    assert "Run the same command again" in out
    assert not {"trial RUNNING", "study RUNNING"} & stored.statuses().keys()
    with FileLock(stored.folder / ".ablation/tiny.lock", timeout=0):
        pass


def test_an_interrupt_that_a_library_swallows_stops_the_study(
    stored: Project, tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ablation.cli import progress

    def swallows(opened: Any) -> str:
        with suppress(BaseException):
            signal.raise_signal(signal.SIGINT)
        return opened.home.label

    monkeypatch.setattr(progress, "stage", swallows)
    before = signal.getsignal(signal.SIGINT)
    try:
        out = stored.run("run", str(tiny_study), code=130)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "Stopped: 1 of 6 planned trials are done and kept" in out


def test_a_study_that_is_done_is_left_alone_and_loads_nothing(
    stored: Project, tiny_study: Path
) -> None:
    first = stored.run("run", str(tiny_study))
    report = stored.folder / "reports"
    built = {path: path.stat().st_mtime_ns for path in report.rglob("*")}
    code = "import sys; from ablation import cli\ntry: cli.main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, "run", str(tiny_study)]
    again = subprocess.run(command, cwd=stored.folder, capture_output=True, text=True, check=True)
    heavy = {"torch", "mlflow", "optuna", "pandas", "scipy", "datasets", "sqlalchemy"}
    *said, loaded = again.stdout.splitlines()
    assert not heavy & set(loaded.split())
    assert said[0] == "tiny: all 6 planned trials are done; nothing to run."
    assert said[1:] == first.splitlines()[-len(said) + 1 :]
    assert {path: path.stat().st_mtime_ns for path in report.rglob("*")} == built
    wait_until(lambda: not alive(stored.folder), seconds=5)


def test_a_new_report_on_a_study_that_is_done_opens_no_session(
    stored: Project, tiny_study: Path
) -> None:
    stored.run("run", str(tiny_study))
    effects = (stored.folder / "reports/tiny/effects.csv").read_bytes()
    shutil.rmtree(stored.folder / "reports")

    def ends() -> list[int | None]:
        with closing(sqlite3.connect(stored.folder / "mlflow.db")) as record:
            return record.execute("SELECT end_time FROM runs ORDER BY run_uuid").fetchall()

    before = ends()
    code = "import sys; from ablation import cli\ntry: cli.main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, "run", str(tiny_study)]
    again = subprocess.run(command, cwd=stored.folder, capture_output=True, text=True, check=True)
    *said, loaded = again.stdout.splitlines()
    assert "tiny: all 6 planned trials are done; nothing to run." in said
    assert not {"torch", "datasets"} & set(loaded.split())
    assert ends() == before  # a session closes the parent run once more
    assert (stored.folder / "reports/tiny/effects.csv").read_bytes() == effects


DISTURBANCES: dict[str, Callable[[Project, Path], object]] = {
    "wording": lambda _, study: study.write_text(
        study.read_text().replace("Does it matter?", "Does it?")
    ),
    "a figure gone": lambda project, _: next(project.folder.glob("reports/tiny/*/*.svg")).unlink(),
    "a file changed": lambda project, _: (project.folder / "reports/tiny/effects.csv").write_text(
        "nothing"
    ),
    "no page over all": lambda project, _: (project.folder / "reports/index.html").unlink(),
    "cut off": lambda project, _: project.client.set_terminated(
        project.client.search_runs(["1"], "tags.`ablation.kind` = 'study'")[0].info.run_id,
        status="KILLED",
    ),
    "the table of fills wanted": lambda _, study: study.write_text(
        study.read_text().replace("seeds=2", "seeds=2, numerics=True")
    ),
    "a trial shown as running": lambda project, _: _unfinish(project),
}


def _unfinish(project: Project) -> None:
    with closing(sqlite3.connect(project.folder / "optuna.db")) as connection, connection:
        connection.execute("UPDATE trials SET state = 'RUNNING' WHERE trial_id = 1")


@pytest.mark.parametrize("what", sorted(DISTURBANCES))
def test_whatever_has_changed_is_seen_to(stored: Project, tiny_study: Path, what: str) -> None:
    stored.run("run", str(tiny_study))
    effects = (stored.folder / "reports/tiny/effects.csv").read_bytes()
    page = stored.folder / "reports/tiny/index.html"
    before = page.stat().st_mtime_ns
    stored.run("run", str(tiny_study))
    assert page.stat().st_mtime_ns == before
    DISTURBANCES[what](stored, tiny_study)
    stored.run("run", str(tiny_study))
    assert page.stat().st_mtime_ns > before
    assert (stored.folder / "reports/tiny/effects.csv").read_bytes() == effects
    assert stored.statuses() == {"trial FINISHED": 6, "study FINISHED": 1}
    assert "6 of 6 planned trials are done" in stored.run("status", str(tiny_study))
    again = page.stat().st_mtime_ns
    stored.run("run", str(tiny_study))
    assert page.stat().st_mtime_ns == again


def test_a_report_of_another_version_is_built_anew(
    stored: Project, tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.run("run", str(tiny_study))
    page = stored.folder / "reports/tiny/index.html"
    before = page.stat().st_mtime_ns
    monkeypatch.setattr("ablation.cli.settled.version", lambda: ["another"])
    stored.run("run", str(tiny_study))
    assert page.stat().st_mtime_ns > before


@pytest.mark.slow
def test_a_study_over_data_sets_trains_each_once_and_has_a_page_over_all(
    stored: Project, tiny_study: Path, corpus: Path
) -> None:
    other = shutil.copytree(corpus, corpus.parent / "others")
    text = (other / "test.csv").read_text().replace("word1 ", "word2 ")
    (other / "test.csv").write_text(text)
    bare, several = tiny_study.read_text(), f"seeds=1, data=({str(corpus)!r}, {str(other)!r})"
    tiny_study.write_text(bare.replace("seeds=2", several))
    bad = stored.run("run", str(tiny_study), "--data", f"{other},{corpus / 'none'}", code=2)
    assert "none'" in bad
    assert not stored.statuses()  # nothing was trained on the first set either
    said = stored.run("run", str(tiny_study), "--data", str(other))
    assert "data sets" not in said
    said = stored.run("report", str(tiny_study))
    assert "(toys and others)" in said
    assert "Without a report yet: toys." in said
    said = stored.run("run", str(tiny_study))
    assert "Data set 1 of 2: toys" in said
    assert "tiny@others: all 3 planned trials are done" in said
    assert stored.statuses() == {"study FINISHED": 2, "trial FINISHED": 6}
    page = stored.folder / "reports/tiny+sets/index.html"
    built = page.stat().st_mtime_ns, page.read_bytes()
    assert said.splitlines()[-1] == "Report: reports/tiny+sets/index.html"
    again = stored.run("run", str(tiny_study))
    assert again.splitlines()[-2:] == said.splitlines()[-2:]
    assert (page.stat().st_mtime_ns, page.read_bytes()) == built
    assert stored.statuses() == {"study FINISHED": 2, "trial FINISHED": 6}
    both = f"{other},{corpus}"
    stored.run("run", str(tiny_study), "--data", both, "--seeds", "2")
    said = stored.run("report", str(tiny_study), "--data", both)  # of what was run, not planned
    assert "tiny over 2 data sets: " in said
    assert "Without a report yet" not in said
    for command in ("plan", "status", "report"):
        said = stored.run(command, str(tiny_study), "--data", both)
        own = re.search(r"^tiny[:,]", said, flags=re.MULTILINE)
        assert own is not None
        assert said.index("tiny@others") < own.start()
    same = stored.run("plan", str(tiny_study), "--data", f"{other},{other}/../others", code=2)
    assert "have the same content" in same


def test_a_run_is_trained_again_and_compared(stored: Project, tiny_study: Path) -> None:
    stored.run("run", str(tiny_study), "--seeds", "1")
    run = stored.runs()[0]["run_id"]
    assert "comes out the same: 10 results are equal" in stored.run("rerun", run, str(tiny_study))
    stored.client.set_tag(run, tracking.WEIGHTS, "another")
    stored.client.set_tag(run, "ablation.processor", "an abacus")
    out = stored.run("rerun", run, str(tiny_study), code=1)
    assert "ablation.weights: then another, now " in out
    assert "test/accuracy" not in out
    assert "ablation.processor: then an abacus, now " in out
    tiny_study.write_text(tiny_study.read_text().replace("hidden_size=8", "hidden_size=9"))
    assert "have changed" in stored.run("rerun", run, str(tiny_study), code=2)
    assert "No run 'nothing'" in stored.run("rerun", "nothing", str(tiny_study), code=2)
