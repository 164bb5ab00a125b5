"""The README is a test subject: what it names exists, and what it shows works."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from synthetic import content, small_figures
from typer.testing import CliRunner

from ablation import cli
from ablation.report import build, index
from ablation.study.load import known_studies, load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^make [^\n]*", README, flags=re.MULTILINE)


def test_every_study_is_listed_with_its_question() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| .* \|$", README, flags=re.MULTILINE)
    assert [name for name, _ in rows] == known_studies(ROOT / "studies")
    for name, question in rows:
        assert question == load(name, ROOT / "studies").question


def test_every_command_of_the_command_line_is_listed() -> None:
    listed = set(re.findall(r"^\| `ablation (\w+)", README, flags=re.MULTILINE))
    assert listed == {command.name or command.callback.__name__ for command in _commands()}


def _commands() -> list[object]:
    return cli.app.registered_commands


def _dry(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = ["make", "-n", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_make_command_is_one_that_make_knows(command: str) -> None:
    words = command.split()
    dry = _dry(words[1:])
    assert dry.returncode == 0, dry.stderr
    if words[1] == "study":
        passed = re.search(r"ablation run (.*)", dry.stdout)
        assert passed is not None
        name = passed.group(1).split()[0].strip('"')
        assert name in known_studies(ROOT / "studies")


def test_every_variable_of_make_study_reaches_an_option() -> None:
    named = re.search(r"`make study` passes on(.*?)record elsewhere", README, flags=re.DOTALL)
    assert named is not None
    variables = set(re.findall(r"`([A-Z]+)`", named.group(1)))
    assert {"DATA", "TEXT", "LABEL", "SEEDS", "WORKERS", "DEVICE", "STORE", "REPORTS"} == variables
    help_text = CliRunner().invoke(cli.app, ["run", "--help"], env={"COLUMNS": "200"}).output
    for variable in variables:
        dry = _dry(["study", "NAME=init_std", f"{variable}=x"])
        assert f'--{variable.lower()} "x"' in dry.stdout
        assert f"--{variable.lower()}" in help_text


def test_the_study_in_the_readme_loads(tmp_path: Path) -> None:
    text = re.search(r"```python\n(# studies/.*?)```", README, flags=re.DOTALL)
    assert text is not None
    path = tmp_path / "shown.py"
    path.write_text(text.group(1))
    assert load(str(path), tmp_path).factor == "model.dropout"


def test_the_function_in_the_readme_is_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = re.search(r"```python\n(# studies/warmup.py.*?)```", README, flags=re.DOTALL)
    assert text is not None
    (tmp_path / "warmup.py").write_text(text.group(1))
    (tmp_path / "my_project").mkdir()
    (tmp_path / "my_project/training.py").write_text(
        "import dataclasses\n\n"
        "@dataclasses.dataclass(frozen=True)\nclass Optimizer:\n    warmup: int = 0\n\n"
        "@dataclasses.dataclass(frozen=True)\nclass Config:\n"
        "    optimizer: Optimizer = Optimizer()\n\n"
        "def train(config, seed):\n    return {'test/accuracy': 0.5}\n"
    )
    study = load(str(tmp_path / "warmup.py"), tmp_path)
    assert [arm.name for arm in study.complete_arms] == ["0", "100", "1000"]
    assert study.measure.chance == 0.1


def test_the_pooling_in_the_readme_is_the_median(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from ablation.task.text.config import ModelConfig
    from ablation.task.text.model import dry_run
    from ablation.task.text.model.named import named_class

    section = README[README.index("## Your own pooling in ten lines") :]
    text = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert text is not None
    (tmp_path / "my_poolings.py").write_text(text.group(1))
    monkeypatch.syspath_prepend(tmp_path)
    dry_run(ModelConfig(pooling="my_poolings:Median"))
    states = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    found = named_class("my_poolings:Median", 3)(
        states, torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    )
    expected = torch.stack([states[0].median(dim=0).values, states[1, :3].median(dim=0).values])
    assert torch.equal(found, expected)


def _module(path: Path) -> Any:
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_table_of_studies_is_what_make_readme_writes() -> None:
    assert _module(ROOT / "docs/readme.py").replaced(README) == README


def test_the_table_of_studies_tells_the_answers_of_the_samples(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies/s.py").write_text(
        "from ablation.study.spec import Study\n"
        "study = Study(name='s', question='Why?', factor='model.dropout', levels=(0.0, 0.3), "
        "baseline=0.3)\n"
    )
    readme = _module(ROOT / "docs/readme.py")
    assert "| `s` | Why? | not reported yet |" in readme.block(tmp_path)
    with small_figures():
        build(content(), tmp_path / "docs/samples")
        index(tmp_path / "docs/samples")
    block = readme.block(tmp_path)
    assert "5.9 points below the baseline (" in block
    assert "docs/samples/figures/overview.png" in block
    assert (tmp_path / "docs/samples/s/README.md").exists()


def test_the_notebook_section_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = re.search(r"```python\n(import ablation\n.*?)```", README, flags=re.DOTALL)
    assert text is not None
    with small_figures():
        folder = build(content(), tmp_path)
    monkeypatch.chdir(tmp_path)
    code = text.group(1).replace('"init_std"', repr(str(folder)))
    assert repr(str(folder)) in code
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "forest.png").stat().st_size > 0


def test_samples_link_to_nothing_on_this_machine() -> None:
    for path in (ROOT / "docs/samples").rglob("*"):
        if path.suffix in {".html", ".md", ".json"}:
            assert "127.0.0.1" not in path.read_text(encoding="utf-8"), path


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert link.startswith("https://") or (ROOT / link.partition("#")[0]).exists()


def test_help_is_quick_since_heavy_libraries_wait() -> None:
    code = "import sys, ablation; from ablation import cli; print(*sorted(sys.modules))"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "mlflow", "optuna", "pandas", "numpy", "scipy", "datasets", "matplotlib"}
    assert not heavy & set(loaded)
