"""The keys of the built-in studies: a change here trains everything anew, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthetic import Corpus, plan_on

from ablation.records.declaration import Declaration
from ablation.study.load import known_studies, load

STUDIES = Path(__file__).parent.parent / "studies"
SAMPLES = Path(__file__).parent.parent / "docs/samples"
KEYS = json.loads((Path(__file__).parent / "keys.json").read_text(encoding="utf-8"))


def test_every_study_has_its_keys() -> None:
    assert known_studies(STUDIES) == sorted(KEYS)


@pytest.mark.parametrize("name", sorted(KEYS))
def test_keys_and_declarations_stay(name: str) -> None:
    corpus = Corpus(fingerprint="0123456789ab", counts=(30, 20, 50))
    declared = plan_on(load(name, STUDIES), corpus).declaration
    assert {arm.name: arm.config for arm in declared.arms} == KEYS[name]["arms"]
    assert declared.hash == KEYS[name]["declaration"]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/study.json")), ids=lambda p: p.parent.name)
def test_a_declaration_keeps_its_json_and_its_hash(path: Path) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    declared = Declaration.from_json(stored["declaration"])
    assert declared.to_json() == stored["declaration"]
    assert declared.hash == stored["current"]
