"""The checks of a study: each finds what it is for, and nothing in a fair study."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from synthetic import arms_named, content, declaration

from ablation.analysis.checks import CHECKS, Facts, findings
from ablation.config import RunConfig
from ablation.records.paths import replace
from ablation.report import Basis
from ablation.report.parts import checks
from ablation.task import Made
from ablation.task.text.data.encoded import Split
from ablation.task.text.train import first_step, sketch

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


MORE = {
    "effort": {"declaration": declaration(arms=arms_named(["base", "other"], [
        {"optimizer.max_steps": "10"}, {"optimizer.max_steps": "20"}]))},
    "same model": {"first_steps": {"base": "cd", "other": "ab", "third": "ab"}},
    "same model ": {"effects": verdict("").assign(n=[3, 3], ties=[0, 3])},
}  # fmt: skip


@pytest.mark.parametrize("name", list(MORE))
def test_a_check_finds_it_in_other_ways_too(name: str) -> None:
    found = findings(facts(**MORE[name]))
    assert [said.partition(":")[0] for said in found] == [name.strip()]


def test_a_check_knows_nothing_of_models_that_a_task_does_not_make() -> None:
    assert findings(facts(first_steps={"base": "", "other": ""})) == []
    assert findings(facts(effects=verdict("").assign(n=[3, 3], ties=[0, 2]))) == []


TOKENS = Split(
    tokens=np.arange(40, dtype=np.int32) % 11 + 2,
    offsets=np.arange(0, 41, 5),
    sentences=np.union1d(np.arange(0, 41, 5), [2, 12, 33]),
    labels=np.arange(8) % 2,
)


def begun(begin: Callable[..., Made] = first_step, **changes: object) -> Made:
    config = RunConfig()
    for path, value in changes.items():
        config = replace(config, path.replace("__", "."), value)
    return begin(config, TOKENS, vocabulary_size=13, classes=2)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"model__attention__fill": -1e9}, True),
        ({"model__top_k": 7}, True),
        ({"model__top_k": 7, "model__pooling": "top_k"}, False),
        ({"model__dropout": 0.1}, False),
        ({"model__attention__init_std": 0.5}, False),
        ({"model__attention__train_query": False}, False),
        ({"train__learning_rate": 0.001}, False),
        ({"model__kind": "hierarchical"}, False),
    ],
)
def test_arms_that_begin_alike_are_one_model(changes: dict[str, object], same: bool) -> None:
    step, drawn = begun(**changes), begun(sketch, **changes)
    assert (step.first_step == begun().first_step) == same
    assert drawn.first_step == begun(sketch).first_step or not same  # a sketch misses no pair
    assert drawn.parameters == step.parameters


def test_a_sketch_tells_most_arms_apart() -> None:
    stds = [{"model__attention__init_std": std} for std in (0.0, 0.001, 0.05, 0.5)]
    others = [{"model__dropout": 0.1}, {"train__epochs": 3}, {"model__pooling": "mean"}]
    assert len({begun(sketch, **changes).first_step for changes in stds + others}) == 7


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
    sizes = {arm.name: 100 + i * 11 for i, arm in enumerate(given.declaration.arms)}
    given = dataclasses.replace(given, record={**given.record, "sizes": sizes})
    (block,) = checks.section(Basis(given))
    assert any("parameters and" in said for said in block.items)  # type: ignore[union-attr]  # a list of points
    assert any("bit for bit what the baseline does" in said for said in block.items)  # type: ignore[union-attr]  # a list of points
