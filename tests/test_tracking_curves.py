"""Curves and examples of many runs at once, from a database and from a server."""

from __future__ import annotations

import math
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from synthetic import arms_named, declaration

from ablation import tracking
from ablation.records.declaration import Look
from ablation.records.outcome import Outcome
from ablation.tracking import Home

DECLARED = declaration(arms=arms_named(["b", "a"]), looks=(Look(2, 0.05),))
VALUES = [0.5, math.nan, 1 / 3, math.inf, 0.0, 1e-30]


def record(home: Home) -> dict[str, Outcome]:
    """Records four runs with curves that hold everything a metric can be."""
    from mlflow.entities import Metric

    outcomes = {}
    for arm in ("c1", "c0"):
        for seed in (1, 0):
            run = home.client.create_run(home.experiment).info.run_id
            names = (
                "train/loss",
                "validation/accuracy",
                "probe/entropy",
                "chosen/validation/loss",
            )
            points = [
                Metric(name, value + seed, step, step)
                for name in names
                for step, value in enumerate(VALUES)
            ]
            home.client.log_batch(run, metrics=points)
            outcomes[f"s/{arm}/{seed}"] = Outcome(
                run_id=run, status="FINISHED", reason=None, metrics={}, epoch=1, seconds=1.0,
                tags={},
            )  # fmt: skip
    return outcomes


def one_by_one(home: Home, outcomes: dict[str, Outcome]) -> pd.DataFrame:
    """The slow way: a question per run and metric."""
    rows = [
        (home.label, config, arm, seed, split, metric, point.step, float(f"{point.value:.7g}"))
        for arm, config in (("b", "c0"), ("a", "c1"))
        for seed in (0, 1)
        for split, metric in (
            ("probe", "entropy"), ("train", "loss"), ("validation", "accuracy"),
        )
        for point in sorted(
            home.client.get_metric_history(
                outcomes[f"s/{config}/{seed}"].run_id, f"{split}/{metric}"
            ),
            key=lambda each: each.step,
        )
        if math.isfinite(point.value) and point.value < 1e300
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(tracking.CURVES))


def test_curves_from_a_database_are_those_of_each_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tracking.connect(f"sqlite:///{tmp_path / 'mlflow.db'}")
    home = tracking.open_home(client, "s", "s", data="d", artifacts=tmp_path / "mlartifacts")
    outcomes = record(home)
    found = tracking.curves_frame(home, DECLARED, outcomes)
    pd.testing.assert_frame_equal(found, one_by_one(home, outcomes), check_dtype=False)
    assert len(found) == 4 * 3 * 4
    with monkeypatch.context() as patch:
        patch.setattr(Home, "shared", True)  # as a database that is no SQLite file is read
        pd.testing.assert_frame_equal(tracking.curves_frame(home, DECLARED, outcomes), found)
    empty = tracking.curves_frame(home, DECLARED, {})
    assert list(empty) == list(tracking.CURVES)
    artifact = tmp_path / "test_correct.bin"
    artifact.write_bytes(b"\x05")
    home.client.log_artifact(outcomes["s/c1/0"].run_id, str(artifact))
    examples = tracking.examples_frame(home, DECLARED, outcomes)
    assert examples.to_numpy().tolist() == [["a", 0, b"\x05"]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port),
               "--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}",
               "--artifacts-destination", str(tmp_path / "served")]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/health", timeout=1).close()
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.slow
def test_curves_and_examples_from_a_server_are_those_of_each_run(
    server: str, tmp_path: Path
) -> None:
    home = tracking.open_home(tracking.connect(server), "s", "s", data="d", artifacts=None)
    outcomes = record(home)
    found = tracking.curves_frame(home, DECLARED, outcomes)
    pd.testing.assert_frame_equal(found, one_by_one(home, outcomes), check_dtype=False)
    artifact = tmp_path / "test_correct.bin"
    artifact.write_bytes(b"\x05")
    home.client.log_artifact(outcomes["s/c1/0"].run_id, str(artifact))
    examples = tracking.examples_frame(home, DECLARED, outcomes)
    assert examples.to_numpy().tolist() == [["a", 0, b"\x05"]]
