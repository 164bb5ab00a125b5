"""What a script, a notebook and a new user call: the same as the command line, and no more."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ablation
from ablation import cli, tracking
from ablation.config import DataConfig, RunConfig
from ablation.errors import Refused
from ablation.study.load import load

SCRIPT = """
import sys
import ablation
from ablation.config import DataConfig, ModelConfig, RunConfig, TrainConfig

print("script")
study = ablation.Study(
    name="tiny", question="Does it matter?", factor="model.attention.init_std",
    levels=(0.0, 1.0), baseline=0.0, seeds=2,
    config=RunConfig(
        data=DataConfig(source=sys.argv[1]),
        model=ModelConfig(embedding_size=8, hidden_size=8),
        train=TrainConfig(epochs=1, batch_size=16),
    ),
)
found = ablation.run(study, workers=1)
print(len(found.runs), found.answer)
"""

LOCAL = """
import ablation

def train(config, seed):
    return {"test/accuracy": 0.5}

ablation.run(ablation.Study(
    name="own", question="?", run=train, config={"a": 1}, factor="a", levels=(1, 2), baseline=1,
))
"""

TRAINING = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Config:
    optimizer: str = "sgd"
    warmup: int = 100

def train(config, seed):
    return {"test/accuracy": 0.9 + config.warmup / 1e5 + seed / 1e4}
"""

SCRIPTED = """
CONFIG = {"name": "mlp", "hidden": 32}

def train(config, seed):
    return {"test/accuracy": 0.9}
"""


def python(*arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)


def test_importing_the_package_imports_nothing_else() -> None:
    said = (
        "import sys; before = set(sys.modules); import ablation; "
        "print([m for m in set(sys.modules) - before if m.startswith(('ablation.', 'pandas'))]); "
        "print(ablation.Study.__name__, ablation.Metric.__name__, ablation.run.__name__, "
        "ablation.judge.__name__, ablation.load.__name__); print(hasattr(ablation, 'nothing'))"
    )
    done = python("-c", said, at=Path.cwd())
    assert done.stdout.splitlines() == ["[]", "Study Metric run judge load", "False"], done.stderr


@pytest.mark.slow
def test_a_script_without_a_guard_runs_a_study_once(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    first = python("script.py", str(corpus), at=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("script") == 1  # workers do not run it again
    assert "tiny · 4/4 trials" in first.stdout
    assert (tmp_path / "reports/tiny/index.html").exists()
    again = python("script.py", str(corpus), at=tmp_path)
    assert " trials · " not in again.stdout
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
    told = python("-m", "ablation", "report", "tiny", "--json", at=tmp_path)
    (judged,) = json.loads(told.stdout)["judged"]  # and nothing else
    assert judged["report"] == "reports/tiny"
    assert [row["n"] for row in judged["effects"]] == [2, 2]


def test_a_function_that_the_script_itself_defines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(LOCAL)
    done = python("script.py", at=tmp_path)
    assert "Refused: The function train is defined in a notebook" in done.stderr
    assert not (tmp_path / "mlflow.db").exists()


def test_a_study_shows_what_its_author_wrote() -> None:
    study = ablation.Study(
        name="t", question="?", factor="model.dropout", levels=(0.0, 0.3), baseline=0.3
    )
    said = "Study(name='t', question='?', factor='model.dropout', levels=(0.0, 0.3), baseline=0.3)"
    assert repr(study) == said
    assert eval(said, {"Study": ablation.Study}) == study
    assert set(ablation.__all__) <= set(dir(ablation))


@pytest.mark.parametrize(
    ("asked", "rule", "way_out"),
    [
        ("reports/none", "There is no report in reports/none", "study.json"),
        ("tried.py", "No runs of 'tried'", "ablation run tried"),
        ("misspelt.py", "argument 'question_'", "Did you mean 'question'"),
    ],
)
def test_what_cannot_be_loaded_is_refused_by_its_kind(
    asked: str, rule: str, way_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "from ablation import Study\nstudy = Study(name='{}', {}='?', factor='a')\n"
    Path("misspelt.py").write_text(text.format("misspelt", "question_"))
    declared = "factor='model.dropout', levels=(0.0, 0.3), baseline=0.3"
    Path("tried.py").write_text(
        f"from ablation import Study\nstudy = Study(name='tried', question='?', {declared})\n"
    )
    tracking.connect(f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(Refused, match=rule) as refusal:
        ablation.load(asked, store=tmp_path)
    assert way_out in refusal.value.way_out


def test_a_call_leaves_the_garbage_collector_as_it_was(tmp_path: Path) -> None:
    study = ablation.Study(
        name="nowhere", question="?", factor="model.dropout", levels=(0.0, 0.3), baseline=0.3,
        config=RunConfig(data=DataConfig(source=str(tmp_path / "nowhere"))),
    )  # fmt: skip
    gc.unfreeze()  # what a command of an earlier test froze at its end
    for is_enabled in (True, False):
        (gc.enable if is_enabled else gc.disable)()
        before = gc.get_freeze_count(), gc.get_threshold()
        try:
            with pytest.raises(Refused, match="No file or folder"):
                ablation.run(study, store=tmp_path)
            assert (gc.get_freeze_count(), gc.get_threshold()) == before
            assert gc.isenabled() is is_enabled
        finally:
            gc.enable()


def test_new_writes_a_study_that_loads_and_never_writes_over_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.app, ["new", "dropout"])
    assert result.exit_code == 0, result.output
    assert load("dropout", tmp_path / "studies").factor == "model.dropout"
    (tmp_path / "studies/dropout.py").write_text("mine")
    refused = CliRunner().invoke(cli.app, ["new", "dropout"])
    assert isinstance(refused.exception, Refused)
    assert (tmp_path / "studies/dropout.py").read_text() == "mine"
    assert isinstance(CliRunner().invoke(cli.app, ["new", "Drop out"]).exception, Refused)


def test_new_writes_a_study_of_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "their_training.py").write_text(TRAINING)
    result = CliRunner().invoke(cli.app, ["new", "warmup", "--function", "their_training:train"])
    assert result.exit_code == 0, result.output
    study = load("warmup", tmp_path / "studies")
    assert (study.factor, study.baseline) == ("warmup", 100)
    assert [arm.config.warmup for arm in study.complete_arms] == [50, 100, 200]
    (tmp_path / "their_script.py").write_text(SCRIPTED)
    CliRunner().invoke(cli.app, ["new", "size", "--function", "their_script:train"])
    study = load("size", tmp_path / "studies")
    assert (study.factor, [arm.config["hidden"] for arm in study.complete_arms]) == (
        "hidden", [16, 32, 64],
    )  # fmt: skip
    (tmp_path / "their_words.py").write_text(SCRIPTED.replace(', "hidden": 32', ""))
    CliRunner().invoke(cli.app, ["new", "words", "--function", "their_words:train"])
    assert load("words", tmp_path / "studies").baseline_name == "mlp"
    (tmp_path / "unfinished.py").write_text("def train(config, seed: ...")
    asked_for = ("their_training:test", "their_trainings:train", "their_training")
    for asked in (*asked_for, "unfinished:train"):
        refused = CliRunner().invoke(cli.app, ["new", "other", "--function", asked])
        assert isinstance(refused.exception, Refused), asked
    assert not (tmp_path / "studies/other.py").exists()
