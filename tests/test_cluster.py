"""Studies on workers elsewhere: they train what the plan says, or are named and put aside."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest
import yaml
from clusters import Cluster, cluster, free_port, pretend
from typer.main import get_command

from ablation import cli
from ablation.cli.doctor import doctor
from ablation.errors import Refused
from ablation.execute import Crew, ProcessCrew, progress_file, session, walk
from ablation.execute.ahead import job_of
from ablation.execute.cluster.engine import DaskCrew
from ablation.execute.cluster.executors import ElsewhereCrew, executor_of
from ablation.execute.cluster.fitness import Expected, Facts, expected, facts, unfit
from ablation.execute.cluster.packing import Packing
from ablation.execute.cluster.parcels import Manifest, hash_of, lacking, lay_out, receive
from ablation.execute.cluster.scheduler import connect
from ablation.execute.cluster.station import carry_out
from ablation.execute.crew import Stranded
from ablation.execute.worker import run_trial
from ablation.records.places import places
from ablation.study.load import load
from ablation.study.plan import Plan, make_plan
from ablation.tracking import Finished, Unfinished

PARTS = """
import torch

class Mine(torch.nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.drop = torch.nn.Dropout(0.2)
        self.scale = torch.nn.Parameter(torch.full((hidden_size,), 1.0))
    def forward(self, states, mask):
        return self.drop(states * mask[..., None]).sum(1) * self.scale
"""


@pytest.fixture
def own_study(tmp_path: Path, tiny_study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study whose arms pool with a class beside its file."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(PARTS)
    text = tiny_study.read_text().replace("hidden_size=8", f"hidden_size=8, pooling='{name}:Mine'")
    text = text.replace("model.attention.init_std", "model.dropout")
    text = text.replace("(0.0, 0.05, 1.0)", "(0.0, 0.1)").replace("baseline=0.05", "baseline=0.0")
    tiny_study.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tiny_study


def plan_of(file: Path) -> Plan:
    return make_plan(load(str(file), file.parent), file.parent / "cache")


def run(plan: Plan, crew: Crew, store: Path) -> tuple[list[Finished], list[Unfinished]]:
    """Trains what is missing, and returns the trials with and without an outcome."""
    done, failed = [], []
    with session(plan, places(store)) as opened:
        for ended in walk(opened, crew, device="cpu"):
            done += [ended] if isinstance(ended, Finished) else []
            failed += [ended] if isinstance(ended, Unfinished) else []
    return done, failed


def hashes(done: list[Finished]) -> dict[str, str | None]:
    return {ended.trial.key: ended.result.weights_hash for ended in done}


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path / "hosts", free_port()) as made:
        yield made


def crew_at(made: Cluster, plan: Plan, told: list[str], wait: float = 60.0) -> DaskCrew:
    return DaskCrew(made.address, Packing(plan.study.task), told.append, wait)


def test_what_a_cache_lacks_is_kept_once_and_checked(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("first")
    (tmp_path / "b").write_text("second")
    one, two = hash_of(tmp_path / "a"), hash_of(tmp_path / "b")
    manifest, cache = Manifest(shared={"d/a": one}, beside={"p/b.py": two}), tmp_path / "cache"
    assert lacking(manifest, cache) == {one, two}
    with pytest.raises(ValueError, match="damaged"):
        receive({one: b"first", two: b"other"}, cache)
    assert lacking(manifest, cache) == {two}
    receive({two: b"second"}, cache)
    folder = lay_out(manifest, cache)
    assert (folder / "p/b.py").read_text() == "second"
    assert (cache / "d/a").read_text() == "first"
    assert lacking(manifest, cache) == set()
    (cache / "d/a").unlink()
    (cache / "d/a").write_text("damaged")
    lay_out(manifest, cache)
    assert (cache / "d/a").read_text() == "first"


FITTING = Expected(python="3.11", package="1 (a)", torch="2.13.0", memory=4e9)
UNFIT = {
    "python": ("3.12", "it has Python 3.12, and the study runs with 3.11"),
    "package": (
        "1 (b)",
        r"ation 1 \(b\), and the study runs with 1 \(a\): the same version, other s",
    ),
    "torch": ("2.12.0", "it has torch 2.12.0, and the study runs with 2.13.0"),
    "memory": (3_000_000_000, "it has 2.8 GB of memory, and a trial may take 3.7 GB"),
    "free": (0, "cannot be written"),
}


@pytest.mark.parametrize("field", [*UNFIT, ""])
def test_a_worker_that_differs_is_refused(field: str) -> None:
    here = dataclasses.replace(
        facts(()), python="3.11", package="1 (a)", torch="2.13.0", memory=8_000_000_000, free=1
    )
    if not field:
        assert unfit(FITTING, here) == ""
        assert "2.8 GB" in unfit(FITTING, here, limit=3e9)
        return
    value, reason = UNFIT[field]
    found: Facts = dataclasses.replace(here, **{field: value})
    assert re.search(reason, unfit(FITTING, found))


def two_processes() -> Executor:
    from loky import ProcessPoolExecutor as Loky

    return Loky(2)


@pytest.mark.parametrize("module", ["this", "elsewhere_made", "here_made"])
def test_a_factory_in_a_module_of_another_place_is_said_to_be_there(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    for file in ("elsewhere_made.py", "here/here_made.py", "here/this.py"):
        (tmp_path / file).write_text("")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    ways = {"this": "a module of Python's own", "elsewhere_made": "outside this folder"}
    with pytest.raises(Refused) as refused:
        executor_of(f"{module}:executor")
    assert ways.get(module, "in this folder or installed") in refused.value.way_out


def test_an_address_at_which_nobody_or_something_else_answers_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        for port in (9, other.getsockname()[1]):
            words = f"No Dask scheduler answers at 'tcp://127.0.0.1:{port}' within"
            with pytest.raises(Refused, match=words):
                connect(f"tcp://127.0.0.1:{port}", 0.5)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1", "head", "head:", "tcp://head/"])
def test_an_address_without_a_port_is_refused_at_once(address: str) -> None:
    with pytest.raises(Refused, match=r"has no port: a scheduler's address is host:port"):
        connect(address)


def test_without_dask_the_command_that_installs_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(Refused, match=r"pip install 'attention-ablation\[dask\]'"):
        connect("tcp://127.0.0.1:9")


@pytest.mark.parametrize("words", [["--help"], ["list"], ["plan", "tiny.py"]])
def test_commands_that_need_no_worker_load_no_dask(words: list[str], tiny_study: Path) -> None:
    code = "import sys; from ablation import cli\ntry: cli.main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, *words]
    loaded = subprocess.run(
        command, cwd=tiny_study.parent, capture_output=True, text=True, check=True
    )
    modules = loaded.stdout.splitlines()[-1].split()
    assert "ablation.cli" in modules
    assert not {"dask", "distributed"} & set(modules)


def blocks(language: str) -> list[str]:
    """Returns the blocks of code in the documentation."""
    text = (Path(__file__).parents[1] / "docs/cluster.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_scripts_and_manifests_of_the_documentation_can_be_read() -> None:
    for script in blocks("bash"):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert sum("#SBATCH" in script for script in blocks("bash")) == 1
    (manifest,) = blocks("yaml")
    kinds = [(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(manifest)]
    assert kinds == [
        ("Service", "ablation-scheduler"),
        ("Deployment", "ablation-scheduler"),
        ("Deployment", "ablation-workers"),
    ]
    for code in blocks("python"):
        compile(code, "docs/cluster.md", "exec")
    command = get_command(cli.app)
    for words in re.findall(r"^ablation (\w+)(.*)$", "\n".join(blocks("bash")), re.MULTILINE):
        options = {each for one in command.commands[words[0]].params for each in one.opts}
        assert set(re.findall(r"--[\w-]+", words[1])) <= options


@pytest.mark.slow
def test_a_worker_without_the_conductors_folder_trains_what_the_pool_does(
    own_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(own_study)
    packing = Packing(plan.study.task)
    trial = plan.trials[0]
    job = dataclasses.replace(job_of(plan, trial, tmp_path / "p", "cpu"), progress=None)
    errand = packing.pack(run_trial, (job,), None)
    with ProcessCrew(1) as crew:
        there = crew.submit(run_trial, job).result()
    contents = packing.contents(errand.manifest.hashes)
    monkeypatch.setenv("ABLATION_CACHE", str(tmp_path / "worker"))
    shutil.rmtree(tmp_path / "cache")
    for source in tmp_path.glob("own_*.py"):
        source.unlink()
    assert carry_out(errand).kind == "lacks"
    answer = carry_out(dataclasses.replace(errand, contents=contents))
    assert answer.kind == "value", answer
    assert answer.value.ending.weights_hash == there.ending.weights_hash
    other = dataclasses.replace(errand, identity="0" * 12)
    assert "it would train a configuration or sources" in str(carry_out(other).value)
    foreign = dataclasses.replace(expected(("torch",)), torch="9.9")
    answer = carry_out(dataclasses.replace(errand, expected=foreign))
    assert (answer.kind, "and the study runs with 9.9" in answer.value) == ("unfit", True)


@pytest.mark.slow
def test_any_executor_trains_what_the_pool_does(
    own_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(own_study)
    monkeypatch.setenv("ABLATION_CACHE", str(tmp_path / "worker"))
    crew = ElsewhereCrew(two_processes(), 2, Packing(plan.study.task))
    done, failed = run(plan, crew, tmp_path / "elsewhere")
    crew.end()
    crew.end()
    assert not failed
    assert (tmp_path / "worker/blobs").is_dir()
    assert all(ended.facts["ablation.host"] for ended in done)
    with ProcessCrew(2) as pool:
        at_home, _ = run(plan, pool, tmp_path / "home")
    assert hashes(done) == hashes(at_home)
    assert len(done) == len(plan.trials)


@pytest.mark.slow
def test_a_call_that_nobody_waits_for_is_ended(
    tiny_study: Path, tmp_path: Path, dask: Cluster
) -> None:
    host = dask.add("one")
    crew = crew_at(dask, plan_of(tiny_study), [])
    crew.submit(os.mkfifo, str(tmp_path / "pipe")).result(timeout=120)
    running = crew.submit(Path.read_text, tmp_path / "pipe")  # for ever: nobody writes
    with (tmp_path / "pipe").open("wb"):  # opens once it is being read
        crew.end()
        assert running.cancelled() or crew.is_broken(running.exception(timeout=10))
        again = crew_at(dask, plan_of(tiny_study), [])
        assert again.submit(os.getcwd).result(timeout=60).startswith(str(host / "cache"))
        again.end()


PIPED = """
import os
from pathlib import Path
from ablation.spec import Metric, Study

def train(config, seed):
    print("said by", config["mode"], flush=True)
    yield {"loss": 1.0}
    Path(os.environ["PIPES"], config["mode"]).read_text()
    if config["mode"] == "dies":
        os._exit(3)
    return {"score": 0.5}

study = Study(name="piped", question="Q?", run=train, config={"mode": "fine"}, seeds=1,
              metric=Metric("score", examples=None), factor="mode", levels=("fine", "dies"),
              baseline="fine")
"""


@pytest.mark.slow
def test_curves_and_logs_come_from_elsewhere_and_the_doctor_tells_what_is_there(
    tmp_path: Path, dask: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    for mode in ("fine", "dies"):
        os.mkfifo(tmp_path / mode)
    (tmp_path / "piped.py").write_text(PIPED)
    plan = plan_of(tmp_path / "piped.py")
    dask.add("one", threads=2, variables={"PIPES": str(tmp_path)})
    crew = crew_at(dask, plan, [])
    jobs = [job_of(plan, trial, tmp_path / "s/p/piped", "cpu") for trial in plan.trials]
    (tmp_path / "s/p/piped").mkdir(parents=True)
    futures = [crew.submit(run_trial, job) for job in jobs]
    for job in jobs:
        assert job.progress is not None
        while not ((seen := progress_file.read(job.progress)) and seen.records):
            assert not any(future.done() for future in futures)
        assert seen.records[0].metrics == {"epoch/loss": 1.0}
    for mode in ("fine", "dies"):
        (tmp_path / mode).open("w").close()  # opens once it is being read
    fine, dead = futures
    assert b"said by fine" in fine.result(timeout=60).ending.log
    assert "exit code 3" in str(dead.exception(timeout=60))
    folder = jobs[1].folder
    assert folder is not None
    assert b"said by dies" in plan.study.task.printed(folder)
    crew.end()
    doctor(str(tmp_path / "piped.py"), workers_at=dask.address)
    told = " ".join(capsys.readouterr().out.split())
    assert "MALLOC_TRIM_THRESHOLD_=65536" in told
    assert "piped: every worker has all that the study reads" in told
    assert "1 of 1 workers may train, 2 trials at once." in told
    dask.kill(dask.workers["one"])
    dask.add("torch", variables=pretend(tmp_path / "t", "torch", "2.0.1"))
    crew = crew_at(dask, plan_of(tmp_path / "piped.py"), [])
    crew.submit(abs, -1).exception(timeout=120)  # of a function without PyTorch: it fits
    crew.end()
    with pytest.raises(Refused, match="None of the 1 workers"):
        doctor(workers_at=dask.address)
    assert "It must not train: it has torch 2.0.1" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("is_installed", [True, False])
def test_the_doctor_lets_workers_import_what_the_study_runs(
    is_installed: bool, tmp_path: Path, dask: Cluster, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages/theirs.py").write_text(
        "def train(config, seed):\n    return {'score': 0.5}\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    study = PIPED.replace("def train", "def _").replace("import os", "from theirs import train")
    (tmp_path / "asks.py").write_text(study.replace('"piped"', '"asks"'))
    with pytest.raises(Refused, match="No worker has joined"):
        doctor(str(tmp_path / "asks.py"), workers_at=dask.address)
    assert "study reads" not in capsys.readouterr().out
    variables = {"PYTHONPATH": str(tmp_path / "site-packages")} if is_installed else {}
    dask.add("one", variables=variables)
    with connect(dask.address) as client:
        client.wait_for_workers(1, timeout=60)
    if is_installed:
        doctor(str(tmp_path / "asks.py"), workers_at=dask.address)
    else:
        with pytest.raises(Refused, match="None of the 1 workers"):
            doctor(str(tmp_path / "asks.py"), workers_at=dask.address)
    said = " ".join(capsys.readouterr().out.split())
    assert "asks: " in said
    assert ("It must not train: it cannot read what it would train" in said) is not is_installed


@pytest.mark.slow
def test_dask_workers_train_the_class_that_the_plan_has_and_not_an_older_one(
    own_study: Path, tmp_path: Path, dask: Cluster
) -> None:
    first_host, second_host = dask.add("one", threads=2), dask.add("two")
    found: list[dict[str, str | None]] = []
    told, crews = list[str](), list[DaskCrew]()
    for start, scale in enumerate(("1.0", "0.5")):
        for source in tmp_path.glob("own_*.py"):
            source.write_text(PARTS.replace("1.0", scale))
        plan = plan_of(own_study)
        crews.append(crew_at(dask, plan, told))  # kept, so that its processes live on
        done, failed = run(plan, crews[-1], tmp_path / f"store{start}")
        assert not failed
        with ProcessCrew(2) as pool:
            at_home, _ = run(plan, pool, tmp_path / f"home{start}")
        assert hashes(done) == hashes(at_home)
        assert len(done) == len(plan.trials)
        found.append(hashes(done))
    assert set(found[0]).isdisjoint(found[1])
    assert set(found[0].values()).isdisjoint(found[1].values())
    for crew in crews:
        crew.end()
    assert not told
    folder = plan.data.folder.name  # type: ignore[attr-defined]  # a text task's
    assert any(
        (host / "cache" / folder / "meta.json").exists() for host in (first_host, second_host)
    )
    assert all(worker.poll() is None for worker in dask.workers.values())


@pytest.mark.slow
def test_foreign_workers_are_named_and_put_aside(
    tiny_study: Path, tmp_path: Path, dask: Cluster
) -> None:
    plan, told = plan_of(tiny_study), list[str]()
    dask.add("torch", variables=pretend(tmp_path / "t", "torch", "2.0.1"))
    crew = crew_at(dask, plan, told)
    error = crew.submit(abs, -1).exception(timeout=120)
    crew.end()
    assert isinstance(error, Stranded)
    assert "it has torch 2.0.1, and the study runs with" in error.rule
    told.clear()
    dask.add("package", variables=pretend(tmp_path / "p", "attention-ablation", "0.0.1"))
    dask.add("right")
    seen = threading.Event()

    def tell(line: str) -> None:
        told.append(line)
        if "it has attention-ablation 0.0.1" in line:
            seen.set()

    crew = DaskCrew(dask.address, Packing(plan.study.task), tell)
    assert seen.wait(120)
    done, failed = run(plan, crew, tmp_path / "store")
    crew.end()
    assert not failed
    assert len(done) == len(plan.trials)
    assert any("it has torch 2.0.1" in line for line in told)


KILLS = """
import multiprocessing, os, signal, time
from ablation.spec import Metric, Study

def train(config, seed):
    yield {"loss": 1.0}
    if config["mode"] == "kills":
        time.sleep(1.5)
        os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
        time.sleep(60)
    return {"score": 0.5 + seed / 10}

study = Study(name="kills", question="Q?", run=train, config={"mode": "fine"}, seeds=2,
              metric=Metric("score", examples=None), factor="mode",
              levels=("fine", "too", "kills"), baseline="fine")
"""


@pytest.mark.slow
def test_a_lost_dask_worker_costs_its_trial_three_tries_and_no_other(
    tmp_path: Path, dask: Cluster
) -> None:
    (tmp_path / "kills.py").write_text(KILLS)
    plan, told = plan_of(tmp_path / "kills.py"), list[str]()
    dask.add("one")
    dask.add("two")
    crew = crew_at(dask, plan, told)
    done, failed = run(plan, crew, tmp_path / "store")
    crew.end()
    assert {ended.trial.arm.name for ended in done} == {"fine", "too"}
    assert len(done) == 4
    assert [ended.failure.kind for ended in failed] == ["lost"] * 6
    assert all("was lost" in ended.failure.what for ended in failed)


@pytest.mark.slow
def test_a_scheduler_that_comes_back_is_waited_for_and_one_that_does_not_ends_the_study(
    tiny_study: Path, tmp_path: Path, dask: Cluster
) -> None:
    plan, told = plan_of(tiny_study), list[str]()
    crew = crew_at(dask, plan, told)
    dask.add("late")  # joins while the study runs
    done: list[Finished] = []
    with session(plan, places(tmp_path / "store")) as opened:
        for ended in walk(opened, crew, device="cpu"):
            assert isinstance(ended, Finished)
            done.append(ended)
            if len(done) == 2:
                dask.kill(dask.scheduler)
                dask.restart_scheduler()
                dask.kill(dask.workers["late"])
                dask.add("again")
    crew.end()
    assert len(done) == len({ended.trial.key for ended in done}) == len(plan.trials)
    assert "does not answer; waiting 60 s for it" in told[0]
    assert [line.endswith("answers again.") for line in told].count(True) == 1
    crew = crew_at(dask, dataclasses.replace(plan), told, wait=2.0)
    dask.kill(dask.scheduler)
    with (
        pytest.raises(Stranded, match="has not answered for 2 s"),
        session(plan, places(tmp_path / "other")) as opened,
    ):
        list(walk(opened, crew, device="cpu"))
