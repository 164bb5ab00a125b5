"""The checks of a study: each finds what it is for, and nothing in a fair study."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from synthetic import arms_named, content, declaration

from ablation.analysis.checks import CHECKS, Facts, findings
from ablation.report import Basis
from ablation.report.parts import checks

FAIR = {"train.epochs": "8", "model.pooling": "'attention'"}


def facts(**changes: object) -> Facts:
    arms = arms_named(["base", "other"], [FAIR, FAIR | {"model.pooling": "'mean'"}])
    given = Facts(declaration=declaration(arms=arms), noise=0.01)
    return dataclasses.replace(given, **changes)  # type: ignore[arg-type]  # of any field


def verdict(word: str) -> pd.DataFrame:
    return pd.DataFrame({"arm": ["base", "other"], "verdict": ["", word]})


SLOW = arms_named(["base", "other"], [FAIR, FAIR | {"train.epochs": "16"}])

FOUND = {
    "sizes": {"sizes": {"base": 1000, "other": 1111}},
    "effort": {"declaration": declaration(arms=SLOW)},
    "edge of a range": {"edges": ["other (train.learning_rate)"]},
    "seeds": {"noise": 0.05},
    "margin": {"noise": 0.09},
    "same model": {"effects": verdict("IDENTICAL")},
    "simpler baseline": {"effects": verdict("BETTER")},
}


@pytest.mark.parametrize("name", [check.name for check in CHECKS])
def test_each_check_finds_what_it_is_for(name: str) -> None:
    found = [said for said in findings(facts(**FOUND[name])) if said.startswith(f"{name}: ")]
    assert len(found) == 1
    assert found[0].endswith((".", "?"))


def test_a_fair_study_has_no_findings() -> None:
    fine = facts(sizes={"base": 1000, "other": 1090}, effects=verdict("WORSE"))
    assert findings(fine) == []
    factor = declaration(arms=SLOW, factor="train.epochs")  # what a study varies on purpose
    assert findings(facts(declaration=factor)) == []


def test_a_report_tells_the_findings() -> None:
    given = content()
    given.judged.effects.loc[1, "verdict"] = "IDENTICAL"
    (block,) = checks.section(Basis(given))
    assert any("leaves the baseline's very weights" in said for said in block.items)  # type: ignore[union-attr]  # a list of points
