"""A change of sources: said before anything is trained again, and kept only if asked."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ablation import report
from ablation.execute import ExecutorCrew, glance, session, walk
from ablation.records.places import Places, places
from ablation.study.load import load
from ablation.study.plan import Plan, make_plan
from ablation.tracking.kept import name_changed, with_kept

STUDY = """
from ablation.spec import Study
from kept_parts import noise

def train(config, seed):
    return {{"accuracy": {slope} * config["rate"] + noise(seed), "weights_hash": str(seed)}}

study = Study(name="kept", question="Q?", run=train, config={{"rate": 0.1}}, metric="accuracy",
              factor="rate", levels=(0.1, 0.2), baseline=0.1, seeds=3, version={version!r})
"""
PARTS = "def noise(seed):\n    return seed / {}\n"


def planned(folder: Path, *, slope: int = 1, parts: int = 100, version: str = "") -> Plan:
    folder.mkdir(exist_ok=True)
    (folder / "kept_parts.py").write_text(PARTS.format(parts))
    (folder / "kept.py").write_text(STUDY.format(slope=slope, version=version))
    return make_plan(load(str(folder / "kept.py"), folder), folder)


def trained(plan: Plan, where: Places, *, keep: bool = False) -> int:
    """Runs what is missing, and returns the number of trials that were."""
    with session(plan, where, keep=keep) as opened:
        crew = ExecutorCrew(ThreadPoolExecutor(1), at_once=1)
        number = len(list(walk(opened, crew, device="cpu")))
        crew.end()
    return number


def told(plan: Plan, where: Places) -> str | None:
    seen = glance(plan, where)
    assert seen is not None
    outdated = seen.outdated(plan)
    if outdated is None:
        return None
    assert not seen.keeping(outdated.hashes).missing(plan)
    return outdated.told(keep=False)


@pytest.fixture
def where(tmp_path: Path, empty_store: Path) -> Places:
    shutil.copytree(empty_store, tmp_path / "store")
    return places(tmp_path / "store")


@pytest.mark.slow
def test_results_of_changed_sources_are_announced_and_kept_if_asked(
    tmp_path: Path, where: Places
) -> None:
    folder = tmp_path / "studies"
    first = planned(folder)
    assert told(first, where) is None
    assert trained(first, where) == 6
    assert told(first, where) is None
    second = planned(folder, slope=2)
    again = "will be trained again; --keep-results takes them as they are."
    assert told(second, where) == f"kept.py changed: 6 finished trials (0 min) {again}"
    assert trained(second, where, keep=True) == 0
    seen = glance(second, where)
    assert seen is not None
    assert not seen.missing(second)
    with session(second, where) as opened:
        assert opened.outdated is None
        text = (report.build(report.gather(opened.home), tmp_path) / "README.md").read_text()
    for arm, then, now in zip(
        ("0.1", "0.2"), first.declaration.arms, second.declaration.arms, strict=True
    ):
        assert f"{arm} ({then.config}, now {now.config})" in text.partition("## ")[0]
    third = planned(folder, slope=2, parts=50, version="3")
    said = told(third, where)
    assert said == f"kept.py, kept_parts.py and version changed: 6 finished trials (0 min) {again}"
    assert trained(third, where) == 6
    assert told(third, where) is None


def test_results_under_earlier_hashes_stand_for_no_others() -> None:
    outcomes = {"s/old/0": "a", "s/old/1": "b", "s/new/1": "c", "s/older/0": "d"}
    found = with_kept(outcomes, {"new": "old"})  # type: ignore[arg-type]  # stand-ins
    assert found == {**outcomes, "s/new/0": "a"}


def test_a_sentence_names_three_sources_at_most() -> None:
    assert name_changed([]) == "the arithmetic of the training"
    assert name_changed(["a.py"]) == "a.py"
    assert name_changed("abc") == "a, b and c"
    assert name_changed("abcde") == "a, b and 3 more"
