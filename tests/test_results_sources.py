"""Results where others keep them: MLflow's experiments, Optuna's studies, the CSV of W&B."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablation.errors import Refused
from ablation.results import Question, judge_table, read

DRAW = np.random.default_rng(8)
RUNS = [
    (std, seed, 0.7 + (std == 0.1) * 0.1 + DRAW.normal(0, 0.004))
    for std in (0.05, 0.1, 0.5)
    for seed in range(5)
]
"""Init std, seed and accuracy."""


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    """A folder with an empty database of MLflow and of Optuna."""
    return Path(shutil.copytree(empty_store, tmp_path / "store"))


def expected() -> pd.DataFrame:
    frame = pd.DataFrame(RUNS, columns=["std", "seed", "acc"])
    from ablation.results import Table

    table = Table(frame=frame, name="t", origin="here")
    return found(table, arm="std", seed="seed", metric="acc")


def found(table: Any, **asked: Any) -> pd.DataFrame:
    question = Question(baseline="0.05", margin=0.02, **asked)
    effects = judge_table(table, question)[""].judged.effects
    return effects.drop(columns="reason")


@pytest.mark.slow
def test_runs_of_an_mlflow_experiment(store: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.create_experiment("their runs", artifact_location=str(store))

    def run(std: float, seed: int, value: float, status: str) -> None:
        made = client.create_run(experiment)
        client.log_param(made.info.run_id, "init_std", std)
        client.log_param(made.info.run_id, "seed", seed)
        client.log_metric(made.info.run_id, "test_acc", value)
        client.set_terminated(made.info.run_id, status)

    run(0.1, 2, 0.0, "FAILED")  # crashed, and was started again
    for std, seed, value in RUNS:
        run(std, seed, value, "FINISHED")
    table = read("mlflow:their runs", store)
    asked = {"arm": "params.init_std", "seed": "params.seed", "metric": "metrics.test_acc"}
    pd.testing.assert_frame_equal(found(table, **asked), expected())
    with pytest.raises(Refused, match=r"b?0\.1 seed 2 has 2"):
        found(table, failed=("FAILED",), status="status", **asked)
    with pytest.raises(Refused, match=r"Did you mean 'their runs'"):
        read("mlflow:their run", store)
    with pytest.raises(Refused, match=r"There are no runs in .*\n.*--store"):
        read("mlflow:their runs", store / "elsewhere")


def test_trials_of_an_optuna_study(store: Path) -> None:
    import optuna

    study = optuna.create_study(
        study_name="theirs", storage=f"sqlite:///{store / 'optuna.db'}", direction="maximize"
    )
    spaces: Any = {
        "std": optuna.distributions.FloatDistribution(0, 1),
        "seed": optuna.distributions.IntDistribution(0, 9),
    }
    for std, seed, value in RUNS:
        trial = optuna.trial.create_trial(
            params={"std": std, "seed": seed}, distributions=spaces, value=value
        )
        study.add_trial(trial)
    lost = optuna.trial.create_trial(
        params={"std": 0.5, "seed": 3}, distributions=spaces, state=optuna.trial.TrialState.FAIL
    )
    study.add_trial(lost)
    table = read("optuna:theirs", store)
    asked: dict[str, Any] = {"arm": "params_std", "seed": "params_seed", "metric": "value"}
    pd.testing.assert_frame_equal(found(table, **asked, lower_is_better=False), expected())
    with pytest.raises(Refused, match=r"no study 'thers'.* Did you mean 'theirs'"):
        read("optuna:thers", store)


def test_the_csv_that_wandb_exports(tmp_path: Path) -> None:
    head = '"Name","State","Notes","User","Tags","Created","Runtime","init_std","seed","acc"'
    lines = [
        f'"run-{i}","finished","-","me","","2024-05-01T10:{i:02}:00.000Z","61","{std}","{seed}",'
        f'"{value!r}"'
        for i, (std, seed, value) in enumerate(RUNS)
    ]
    lines.insert(2, '"x","crashed","-","me","","2024-05-01T09:59:00.000Z","3","0.1","2",""')
    path = tmp_path / "wandb.csv"
    path.write_text("\n".join([head, *reversed(lines)]))  # its newest run comes first
    table = read(str(path))
    asked: dict[str, Any] = {"arm": "init_std", "seed": "seed", "metric": "acc"}
    pd.testing.assert_frame_equal(found(table, **asked), expected())
    again = f'"y","finished","-","me","","2024-05-02T09:00:00.000Z","3","0.1","2","{0.1!r}"'
    path.write_text("\n".join([head, again, *reversed(lines)]))
    first = found(read(str(path)), which="first", **asked)
    pd.testing.assert_frame_equal(first, expected())
    assert found(read(str(path)), which="last", **asked)["mean"][1] < expected()["mean"][1]


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a b")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a"')
    (tmp_path / "latin.csv").write_bytes(b"arm,seed,acc\n\xe9,0,0.5\n")
    (tmp_path / "folder").mkdir()
    for name, said in {
        "latin.csv": "Save it as UTF-8",
        "t.txt": "no table that can be judged",
        "gone.csv": "There is no file",
        "reports/gone": "There is no file",
        "t.parquet": "cannot be read",
        "t.jsonl": "cannot be read",
        "folder": "no table that can be judged",
    }.items():
        with pytest.raises(Refused, match=said):
            read(str(tmp_path / name))
