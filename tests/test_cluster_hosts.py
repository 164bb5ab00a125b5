"""A study on hosts of their own: addresses by network, files by mount namespaces."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from clusters import SOURCES

from ablation import tracking
from ablation.execute import ProcessCrew, session, walk
from ablation.records.places import places
from ablation.study.load import load
from ablation.study.plan import make_plan
from ablation.tracking import Finished

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

NET = f"10.{os.getpid() % 200 + 20}.0"
NAME = f"abl{os.getpid() % 100000}"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Hosts:
    """Six hosts on one bridge; each process is killed with all that it has started.

    Args:
        folder: Where each has its folder; a host sees its own and not the conductor's.
        hidden: The conductor's folder.
    """

    def __init__(self, folder: Path, hidden: Path) -> None:
        self.folder, self.hidden = folder, hidden
        self.processes: list[subprocess.Popen[str]] = []
        ip("netns", "add", NAME)
        ip("-n", NAME, "link", "add", "bridge", "type", "bridge")
        ip("-n", NAME, "link", "set", "bridge", "up")
        for number in range(6):
            host = f"{NAME}-{number}"
            ip("netns", "add", host)
            ip("-n", NAME, "link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0",
               "netns", host)  # fmt: skip
            ip("-n", NAME, "link", "set", f"to{number}", "master", "bridge", "up")
            ip("-n", host, "addr", "add", f"{NET}.{number + 1}/24", "dev", "eth0")
            ip("-n", host, "link", "set", "eth0", "up")
            ip("-n", host, "link", "set", "lo", "up")

    def start(self, number: int, command: str) -> subprocess.Popen[str]:
        """Starts a shell command on a host."""
        own = self.folder / f"host{number}"
        own.mkdir(exist_ok=True)
        hide = f"mount -t tmpfs none {self.hidden};" if number > 0 else ""
        inside = f"{hide} cd {own if number else self.hidden}; {command}"
        environment = {**os.environ, "PYTHONPATH": SOURCES, "ABLATION_CACHE": str(own / "cache")}
        alone = ["ip", "netns", "exec", f"{NAME}-{number}", "unshare", "-m"]
        with (own / "log.txt").open("a") as log:
            made = subprocess.Popen(
                [*alone, "sh", "-c", inside], env=environment, text=True, start_new_session=True,
                stdout=log if number else subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.processes.append(made)
        return made

    def link(self, number: int, state: str) -> None:
        """Takes the link of a host down, or up again."""
        ip("-n", NAME, "link", "set", f"to{number}", state)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kills what a command started."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def close(self) -> None:
        """Ends and removes all."""
        for process in self.processes:
            self.kill(process)
        for number in range(6):
            subprocess.run(["ip", "netns", "del", f"{NAME}-{number}"], check=False)
        subprocess.run(["ip", "netns", "del", NAME], check=False)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    if os.geteuid() or not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("network namespaces need root, ip and unshare")
    hidden = tmp_path / "conductor"
    hidden.mkdir()
    try:
        made = Hosts(tmp_path, hidden)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not permitted: {error.stderr!r}")
    try:
        yield made
    finally:
        made.close()


PYTHON = f"{sys.executable} -m"
SCHEDULER = f"{PYTHON} distributed.cli.dask_scheduler --port 8786 --no-dashboard"


def worker(number: int) -> str:
    where = f"tcp://{NET}.2:8786 --host {NET}.{number + 1} --nthreads 1 --no-dashboard"
    once = f"{PYTHON} distributed.cli.dask_worker {where} --local-directory {{}}"
    return f"until false; do {once.format('$PWD')}; done"


def follow(conductor: subprocess.Popen[str], said: list[str], trials: int) -> None:
    """Reads what a conductor says until so many trials are done, or it ends."""
    assert conductor.stdout is not None
    for line in conductor.stdout:
        said.append(line)
        found = re.match(r"(\d+)/\d+ trials", line.partition(" · ")[2])
        if found and int(found[1]) >= trials:
            return


def test_a_study_survives_the_loss_of_any_host_with_the_weights_of_one_machine(
    hosts: Hosts, tiny_study: Path
) -> None:
    home = hosts.hidden
    shutil.copytree(tiny_study.parent / "toys", home / "toys")
    text = tiny_study.read_text().replace(str(tiny_study.parent), str(home))
    (home / "tiny.py").write_text(text.replace("seeds=2", "seeds=6"))
    scheduler = hosts.start(1, SCHEDULER)
    workers = {number: hosts.start(number, worker(number)) for number in (2, 3, 4, 5)}
    command = f"{PYTHON} ablation run tiny.py --workers-at tcp://{NET}.2:8786 --store store"
    said: list[str] = []
    conductor = hosts.start(0, command)
    follow(conductor, said, 2)
    hosts.kill(workers[2])
    hosts.link(3, "down")
    follow(conductor, said, 5)
    workers[2] = hosts.start(2, worker(2))
    hosts.kill(scheduler)
    scheduler = hosts.start(1, SCHEDULER)
    hosts.link(3, "up")
    follow(conductor, said, 9)
    hosts.kill(conductor)
    conductor = hosts.start(0, command)
    follow(conductor, said, 10**6)
    assert conductor.wait() == 0, "".join(said)
    plan = make_plan(load(str(home / "tiny.py"), home), home / "cache")
    client = tracking.connect(places(home / "store").tracking)
    runs = [
        run
        for experiment in client.search_experiments()
        for run in client.search_runs([experiment.experiment_id], "tags.`ablation.kind` = 'trial'")
    ]
    finished = [run for run in runs if run.info.status == "FINISHED"]
    assert not [run for run in runs if run.info.status == "RUNNING"]
    recorded = {run.data.tags["ablation.key"]: run.data.tags["ablation.weights"]
                for run in finished}  # fmt: skip
    assert len(finished) == len(recorded) == len(plan.trials)
    with ProcessCrew(2) as crew, session(plan, places(home / "alone")) as opened:
        alone = {ended.trial.key: ended.result.weights_hash
                 for ended in walk(opened, crew, device="cpu")
                 if isinstance(ended, Finished)}  # fmt: skip
    assert recorded == alone
    report = home / "reports/tiny"
    assert (report / "index.html").is_file() or any(report.iterdir())
