"""The keys of the built-in studies: a change here trains everything anew, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ablation.config import digest
from ablation.plan import declaration
from ablation.spec import known_studies, load

STUDIES = Path(__file__).parent.parent / "studies"
KEYS = json.loads((Path(__file__).parent / "keys.json").read_text(encoding="utf-8"))


def test_every_study_has_its_keys() -> None:
    assert known_studies(STUDIES) == sorted(KEYS)


@pytest.mark.parametrize("name", sorted(KEYS))
def test_keys_and_declarations_stay(name: str) -> None:
    declared = declaration(load(name, STUDIES), "0123456789ab", (30, 20, 50))
    assert {arm["name"]: arm["config"] for arm in declared["arms"]} == KEYS[name]["arms"]
    assert digest(declared) == KEYS[name]["declaration"]
