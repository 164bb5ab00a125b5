"""Functions that misbehave in worker processes: each in its own arm, and the others go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablation import cli, report, tracking

STUDY = """
import ctypes, os, sys, time
from ablation.spec import Metric, Study

def train(config, seed, context):
    mode = config["mode"]
    print("mode", mode, flush=True)
    if mode == "exits":
        os._exit(3)
    if mode == "segfault":
        ctypes.string_at(0)
    if mode == "quits":
        sys.exit(0)
    if mode == "hangs":
        while True:
            time.sleep(1)
    if mode == "prints":
        for line in range(300_000):
            print("and on", line)
    if mode == "unimportable":
        import no_such_module
    return {
        "score": float("nan") if mode == "nan" else 0.5 + seed / 10,
        **({"other": 1.0} if mode == "names" else {"own": 2.0}),
        "lacks": "text" if mode == "text" else 3,
    }

MODES = ("fine", "prints", "names", "nan", "hangs", "exits", "segfault", "quits", "unimportable",
         "text")

study = Study(name="modes", question="Q?", run=train, config={"mode": "fine"}, seeds=1,
              metric=Metric("score", examples=None), factor="mode", levels=MODES,
              baseline="fine", timeout=15)
"""


@pytest.mark.slow
def test_every_way_to_fail_costs_its_own_arm_alone(tmp_path: Path) -> None:
    (tmp_path / "modes.py").write_text(STUDY)
    places = ["--store", str(tmp_path / "store"), "--reports", str(tmp_path / "reports")]
    ran = CliRunner().invoke(cli.app, ["run", str(tmp_path / "modes.py"), *places])
    assert ran.exit_code == 1, ran.output
    content = report.read(tmp_path / "reports/modes")
    runs = content.runs.query("split == 'test'").set_index(["arm", "metric"])
    finished = set(runs.query("status == 'FINISHED'").index.get_level_values("arm"))
    assert finished == {"fine", "prints", "names"}
    failed = runs.query("status == 'FAILED'").groupby("arm")["reason"].first().to_dict()
    assert failed == {"nan": "nan_metric", "hangs": "timeout"}
    assert runs.loc[("fine", "own"), "value"] == 2.0
    assert runs.loc[("names", "other"), "value"] == 1.0
    assert runs["value"].isna().loc[("names", "own")]
    for arm, said in {
        "exits": "exit code 3", "segfault": "SIGSEGV", "quits": "SystemExit",
        "unimportable": "no_such_module", "text": "'lacks' must be a number",
    }.items():  # fmt: skip
        assert any(arm in line and said in line for line in ran.output.splitlines()), said
    assert "unimportable seed 0" in ran.output
    client = tracking.connect(f"sqlite:///{tmp_path / 'store/mlflow.db'}")
    (experiment,) = (e for e in client.search_experiments() if e.name.startswith("modes"))

    def artifact(arm: str, name: str) -> bytes:
        where = f"tags.`ablation.arm` = '{arm}' AND tags.`ablation.kind` = 'trial'"
        run = client.search_runs([experiment.experiment_id], where)[0]
        return Path(client.download_artifacts(run.info.run_id, name, str(tmp_path))).read_bytes()

    assert artifact("hangs", "log.txt") == b"mode hangs\n"
    assert artifact("exits", "traceback.txt").endswith(b"It had printed:\nmode exits\n")
    log = artifact("prints", "log.txt")
    assert log.startswith(b"mode prints\n")
    assert log.endswith(b"and on 299999\n")
    assert len(log) < 1_200_000
    where = "tags.`ablation.arm` = 'prints' AND tags.`ablation.kind` = 'trial'"
    (run,) = client.search_runs([experiment.experiment_id], where)
    assert json.loads(run.data.tags["ablation.sources"]).keys() == {"modes.py"}
