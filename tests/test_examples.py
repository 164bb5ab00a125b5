"""The examples: each runs by one command, is killed and resumed, and fills its report."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ablation import report
from ablation.study.load import known_studies, load

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
MOST_LINES = 60

SECTIONS = [
    "In words", "Intervals and p values", "How it was computed", "Response", "Seeds across arms",
    "Learning curves",
    "Examples gained and lost", "Failures", "Other metrics and cost", "Arm or seed",
    "Sensitivity", "Caveats", "Runs", "Provenance",
]  # fmt: skip


def command(name: str, place: Path) -> list[str]:
    study = ["run", f"examples/{name}.py", "--seeds", "5"]
    places = ["--store", str(place / "store"), "--reports", str(place / "reports")]
    return [sys.executable, "-P", "-m", "ablation", *study, *places]


def test_examples_are_short_and_named() -> None:
    assert known_studies(EXAMPLES) == ["digits_mlp", "hf_trainer", "torch_loop"]
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < MOST_LINES
        assert f"ablation run examples/{path.name}" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", known_studies(EXAMPLES))
def test_an_example_is_killed_resumed_and_reported_in_full(name: str, tmp_path: Path) -> None:
    if name == "hf_trainer":
        pytest.importorskip("transformers", reason="pip install -e '.[transformers]'")
    environment = {**os.environ, "ABLATION_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(
        command(name, tmp_path), cwd=ROOT, text=True, stdout=subprocess.PIPE, env=environment
    ) as first:
        assert first.stdout is not None
        done = next(found for line in first.stdout
                    if (found := re.search(r"(\d+)/\d+ trials", line)))  # fmt: skip
        first.kill()
    ran = subprocess.run(
        command(name, tmp_path), cwd=ROOT, text=True, capture_output=True, check=False,
        env=environment,
    )  # fmt: skip
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    resumed = [int(line) for line in re.findall(r"(\d+)/\d+ trials", ran.stdout)]
    assert resumed[0] > int(done.group(1))
    content = report.read(tmp_path / "reports" / name)
    planned = len(load(str(EXAMPLES / f"{name}.py"), EXAMPLES).complete_arms) * 5
    assert content.runs["run_id"].nunique() == planned
    assert (content.runs.query("split == 'test'")["status"] == "FINISHED").all()
    assert content.judged.effects["scope"].iloc[0] == "new_examples"
    page = (tmp_path / "reports" / name / "README.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", page, flags=re.M | re.S))
    without = {"Learning curves"} if name == "hf_trainer" else set()
    found = [heading for heading in sections if heading != "Checks"]  # as the noise may have it
    assert found == [heading for heading in SECTIONS if heading not in without]
    assert all(text.strip() for text in sections.values())
    left = tmp_path / "store/.ablation/scratch"
    assert not list(left.rglob("*")) or not list((left / name).rglob("*"))
