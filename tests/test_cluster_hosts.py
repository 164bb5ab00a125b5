"""A study on hosts of their own, of which each fails in turn: nothing is lost, and no bit moves.

ABLATION_TEST_TRIALS is the number of trials; the campaign at its full size has 500.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from hosts import Hosts, address, hosts_in

from ablation import tracking
from ablation.records.places import places

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

TRIALS = int(os.environ.get("ABLATION_TEST_TRIALS", "60"))
LEVELS = (0.0, 0.02, 0.05, 0.2, 1.0)
AWAY = 20.0
"""Seconds that a link is down."""
PYTHON = f"{sys.executable} -m"
HEAD, WORKERS = 1, (2, 3, 4, 5)
SCHEDULER = f"{PYTHON} distributed.cli.dask_scheduler --port 8786 --no-dashboard"
WORKER = (
    f"until false; do {PYTHON} distributed.cli.dask_worker tcp://{address(HEAD)}:8786 --host {{}} "
    "--nthreads 1 --no-dashboard --local-directory $PWD; done"
)
LISTENS = (
    f"{sys.executable} -c 'import socket as s; "
    f's.create_connection(("{address(HEAD)}", {{}}), 1)\' 2>/dev/null'
)


@dataclass(kw_only=True)
class Record:
    """Addresses of a record and its mirror, and the commands that serve them on the head."""

    tracking: str
    """As it is read from here, past its server."""
    storage: str
    variables: dict[str, str] = field(default_factory=dict)
    """Variables of the conductor."""
    served: dict[str, str] = field(default_factory=dict)
    """Name to command."""


@contextmanager
def sqlite(hosts: Hosts) -> Iterator[Record]:
    """Two files of the conductor."""
    where = places(hosts.hidden)
    yield Record(tracking=where.tracking, storage=where.storage)


@contextmanager
def server(hosts: Hosts) -> Iterator[Record]:
    """A tracking server on a file of the head; the mirror is a file of the conductor."""
    backend = places(hosts.own(HEAD)).tracking
    yield Record(
        tracking=backend,
        storage=places(hosts.hidden).storage,
        variables={"MLFLOW_TRACKING_URI": f"http://{address(HEAD)}:5000"},
        served={"server": mlflow_server(backend)},
    )


@contextmanager
def postgres(hosts: Hosts) -> Iterator[Record]:
    """A tracking server on PostgreSQL, and the mirror in it, too."""
    pytest.importorskip("psycopg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found or not shutil.which("setpriv"):
        pytest.skip("PostgreSQL's server is not installed")
    binaries = found[-1].parent
    # Not below pytest's folder, which is its user's alone.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        shutil.chown(name, "postgres", "postgres")
        one = "setpriv --reuid=postgres --regid=postgres --clear-groups"
        data = f"-D {name}/data"
        given: dict[str, Any] = {"cwd": "/", "capture_output": True}
        subprocess.run(
            f"{one} {binaries}/initdb {data} -A trust -U ablation".split(), check=True, **given
        )
        single = f"{one} {binaries}/postgres --single {data} postgres"
        subprocess.run(single.split(), check=True, input=b"CREATE DATABASE mirror\n", **given)
        with Path(name, "data/pg_hba.conf").open("a") as file:
            file.write("host all all samenet trust\n")
        serve = f"{one} {binaries}/postgres {data} -k {name} -c listen_addresses='*'"
        here = f"postgresql+psycopg://ablation@/{{}}?host={name}"
        there = f"postgresql+psycopg://ablation@{address(HEAD)}/{{}}"
        record = Record(
            tracking=here.format("postgres"),
            storage=here.format("mirror"),
            variables={
                "MLFLOW_TRACKING_URI": f"http://{address(HEAD)}:5000",
                "ABLATION_STORAGE": there.format("mirror"),
            },
            served={
                "database": f"cd /; until {serve}; do sleep 0.2; done",
                "server": mlflow_server(there.format("postgres")),
            },
        )
        try:
            yield record
        finally:
            hosts.kill_all()


def mlflow_server(backend: str) -> str:
    """Returns the command of a tracking server."""
    off = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true"
    return (
        f"until {off} {PYTHON} mlflow server --host 0.0.0.0 --port 5000 --workers 1 "
        f"--backend-store-uri '{backend}' --artifacts-destination $PWD/artifacts; "
        "do sleep 0.2; done"
    )


class Campaign:
    """A study on four workers while each part of it fails.

    Args:
        hosts: The hosts.
        record: Where it is recorded.
    """

    def __init__(self, hosts: Hosts, record: Record) -> None:
        self.hosts, self.record, self.said = hosts, record, list[str]()
        self.at = {"scheduler": hosts.start(HEAD, SCHEDULER)}
        self.at |= {name: hosts.start(HEAD, command) for name, command in record.served.items()}
        self.commands = {"scheduler": SCHEDULER, **record.served}
        for number in WORKERS:
            self.start_worker(number)
        self.links: list[threading.Timer] = []

    def start_worker(self, number: int) -> None:
        """Starts a host's worker, which comes back whenever it ends."""
        self.at[f"worker{number}"] = self.hosts.start(number, WORKER.format(address(number)))

    def start(self) -> None:
        """Starts the conductor once all that it needs is served."""
        ports = [8786, 5000] if self.record.served else [8786]
        waits = [f"until {LISTENS.format(port)}; do sleep 0.2; done" for port in ports]
        command = f"{PYTHON} ablation run tiny.py --workers-at tcp://{address(HEAD)}:8786"
        line = "; ".join([*waits, command])
        self.conductor = self.hosts.start(0, line, **self.record.variables)

    def restart(self, name: str) -> None:
        """Kills what serves on the head, and starts it again."""
        if name in self.commands:
            self.hosts.kill(self.at[name])
            self.at[name] = self.hosts.start(HEAD, self.commands[name])

    def restart_conductor(self) -> None:
        """Kills the conductor and runs the same command again."""
        self.hosts.kill(self.conductor)
        self.start()

    def cut(self, number: int) -> None:
        """Takes a host's link down for some time."""
        self.hosts.link(number, "down")
        self.links.append(threading.Timer(AWAY, self.hosts.link, (number, "up")))
        self.links[-1].start()

    def follow(self, trials: float) -> None:
        """Reads what the conductor says until so many trials are done."""
        assert self.conductor.stdout is not None
        for line in self.conductor.stdout:
            self.said.append(line)
            found = re.match(r"(\d+)/\d+ trials", line.partition(" · ")[2])
            if found and int(found[1]) >= trials:
                return
        raise AssertionError("".join(self.said))

    def run(self) -> int:
        """Runs the study with a fault at each tenth of its trials; returns the exit code."""
        faults: list[Callable[[], None]] = [
            lambda: self.hosts.kill(self.at["worker2"]),
            lambda: self.cut(3),
            lambda: self.restart("scheduler"),
            lambda: self.start_worker(2),
            lambda: self.restart("server"),
            lambda: self.restart("database"),
            self.restart_conductor,
            lambda: self.cut(0),
        ]
        self.start()
        for tenth, fault in enumerate(faults, 1):
            self.follow(tenth * TRIALS / 10)
            fault()
        self.follow(TRIALS)
        for link in self.links:
            link.join()
        assert self.conductor.stdout is not None
        self.said += self.conductor.stdout
        return self.conductor.wait()


def runs_of(uri: str) -> list[tuple[str, ...]]:
    """Returns status, key, arm and seed, and weights of every run, sorted; no key if no trial."""
    client = tracking.connect(uri)
    every = [each.experiment_id for each in client.search_experiments()]
    tags = ("ablation.key", "mlflow.runName", "ablation.weights")
    return sorted(
        (run.info.status, *(run.data.tags.get(tag, "") for tag in tags))
        for run in client.search_runs(every, max_results=10_000)
    )


def finished(runs: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Returns the trials that have an outcome, each as often as it is recorded."""
    return [run for run in runs if run[0] == "FINISHED" and run[1]]


def states_of(url: str) -> set[str]:
    """Returns the states of the mirror's trials."""
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        states = connection.execute(sqlalchemy.text("SELECT DISTINCT state FROM trials"))
        found = {str(state) for (state,) in states}
    engine.dispose()
    return found


@pytest.mark.parametrize("kind", [sqlite, server, postgres])
def test_a_study_of_which_every_part_fails_in_turn_is_that_of_one_machine(
    kind: Callable[[Hosts], AbstractContextManager[Record]], tmp_path: Path, tiny_study: Path
) -> None:
    with hosts_in(tmp_path) as hosts, kind(hosts) as record:
        home = hosts.hidden
        shutil.copytree(tiny_study.parent / "toys", home / "toys")
        text = tiny_study.read_text().replace(str(tiny_study.parent), str(home))
        text = text.replace("seeds=2", f"seeds={TRIALS // len(LEVELS)}")
        text = text.replace("epochs=2", "epochs=6")  # so that some train at each fault
        (home / "tiny.py").write_text(text.replace("(0.0, 0.05, 1.0)", repr(LEVELS)))
        campaign = Campaign(hosts, record)
        code = campaign.run()
        runs = runs_of(record.tracking)
        print("".join(campaign.said), dict(Counter(status for status, *_ in runs)))
        assert code == 0
        assert "RUNNING" not in {status for status, *_ in runs}
        assert states_of(record.storage) == {"COMPLETE"}
        assert not [path for path in home.rglob("outbox/**/*") if path.is_file()]
        alone = [sys.executable, "-m", "ablation", "run", "tiny.py", "--workers", "2"]
        where = ["--store", "alone", "--reports", "alone/reports"]
        subprocess.run([*alone, *where], cwd=home, check=True, capture_output=True)
        expected = finished(runs_of(places(home / "alone").tracking))
        assert len(expected) == TRIALS
        assert finished(runs) == expected
        effects = "tiny/effects.csv"
        assert (home / "reports" / effects).read_text() == (
            home / "alone/reports" / effects
        ).read_text()
