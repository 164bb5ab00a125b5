"""The cards under docs/factors are a test subject: what they list and name exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from ablation.records.paths import flatten, replace
from ablation.study.load import known_studies, load
from ablation.task.text.config import ModelConfig, Normal, RunConfig, TrainConfig
from ablation.task.text.train import Texts, train

ROOT = Path(__file__).parent.parent
STUDIES = ROOT / "studies"
CARDS = {path.stem: path.read_text(encoding="utf-8") for path in ROOT.glob("docs/factors/*.md")}
HEADINGS = [
    "Question",
    "Why it might matter",
    "Levels and why these",
    "What is held fixed",
    "What to expect",
    "References",
]
NEEDS_NONE = {"aa", "init_std_tuned", "pooling_tuned", "joint"}
"""Studies without a factor of their own: of the harness, or of factors that another card tells."""

by_card = pytest.mark.parametrize("name", sorted(CARDS))


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def section(name: str, heading: str) -> str:
    return CARDS[name].split(f"\n## {heading}\n")[1].split("\n## ")[0].strip()


def listed(name: str) -> list[str]:
    """What stands in backticks before the colon of each item of the levels."""
    items = re.findall(r"^- (.+?): ", section(name, "Levels and why these"), flags=re.MULTILINE)
    return [arm for item in items for arm in quoted(item)]


def test_every_study_has_a_card_and_every_card_a_study() -> None:
    assert set(CARDS) == set(known_studies(STUDIES)) - NEEDS_NONE


@by_card
def test_headings_are_the_six_in_order_under_the_title(name: str) -> None:
    headings = re.findall(r"^(#+) (.+)$", CARDS[name], flags=re.MULTILINE)
    title = load(name, STUDIES).title
    assert headings == [("#", title), *(("##", heading) for heading in HEADINGS)]
    assert CARDS[name].startswith(f"# {title}\n")


@by_card
def test_the_question_is_the_study_s(name: str) -> None:
    assert section(name, "Question") == load(name, STUDIES).question


@by_card
def test_the_levels_are_the_arms_in_their_order(name: str) -> None:
    assert listed(name) == [arm.name for arm in load(name, STUDIES).complete_arms]


@by_card
def test_fields_of_the_configuration_exist(name: str) -> None:
    paths = [
        path
        for code in quoted(CARDS[name])
        for path in re.findall(r"\b(?:model|train|data)\.[\w.]*\w", code)
    ]
    assert paths, "a card says what it varies or holds"
    assert set(paths) <= set(flatten(RunConfig()))


@by_card
def test_probes_are_recorded(name: str, recorded: set[str]) -> None:
    named = set(re.findall(r"probe/\w*", CARDS[name]))
    assert named, "a card says what to look at"
    assert named <= recorded


@pytest.fixture(scope="module")
def recorded(splits: Mapping[str, Texts]) -> set[str]:
    """The metrics of a run of the baseline whose bias starts with a length."""
    small = RunConfig(
        model=ModelConfig(embedding_size=7, hidden_size=14), train=TrainConfig(epochs=1)
    )
    config = replace(small, "model.attention.bias_init", Normal(0.1))
    run = train(config, 0, splits, vocabulary_size=37, classes=3)
    return set(next(run).metrics)
