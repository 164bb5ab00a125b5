"""Designs: which arms follow from a declaration, and what their runs say of the factors."""

from __future__ import annotations

import re
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import arms_named, content, declaration, hashes, plan_on

from ablation.analysis.answers import answer
from ablation.analysis.contrasts import families_of
from ablation.analysis.effects import judge
from ablation.analysis.power import factor_rows
from ablation.errors import Refused
from ablation.records.declaration import Declaration
from ablation.report import Basis
from ablation.report.parts import drawing_of
from ablation.stats import contrasts, factorial_weights
from ablation.study.design import GENERATORS, arms_of
from ablation.study.space import LogUniform
from ablation.study.spec import Study

TWO = {"model.attention.init_std": (0.05, 0.5), "model.pooling": ("attention", "mean")}


def study(**changes: Any) -> Study:
    return Study(**({"name": "s", "question": "?", "factors": TWO} | changes))


def test_each_design_has_its_arms_and_their_names() -> None:
    three = {**TWO, "model.dropout": (0.3, 0, 0.5)}
    arms = study(factors=three, design="one_at_a_time").complete_arms
    assert [arm.name for arm in arms] == [
        "init_std 0.05 · attention · dropout 0.3", "init_std 0.5", "mean", "dropout 0.0",
        "dropout 0.5",
    ]  # fmt: skip
    assert [arm.config.model.dropout for arm in arms] == [0.3, 0.3, 0.3, 0.0, 0.5]
    assert study(factors=three, design="one_at_a_time").baseline_name == arms[0].name
    assert len(study(factors=three, design="factorial").complete_arms) == 2 * 2 * 3
    parts = {
        f"model.attention.train_{name}": (True, False) for name in ("weight", "bias", "query")
    }
    both = study(factors=parts, design=("add_one_in", "leave_one_out"))
    assert [arm.name for arm in both.complete_arms] == [
        "all", "without train_weight", "without train_bias", "without train_query", "none",
        "only train_weight", "only train_bias", "only train_query",
    ]  # fmt: skip
    # Of two components each alone is the other left out: such an arm is there once.
    assert len(study(design=("leave_one_out", "add_one_in")).complete_arms) == 4
    assert study(factors=parts, design="add_one_in").baseline_name == "none"


@pytest.mark.parametrize("size", sorted(GENERATORS))
def test_a_fraction_has_resolution_four(size: int) -> None:
    arms = arms_of({f"f{i}": (0, 1) for i in range(size)}, "fractional")
    table = 1 - 2 * np.array([list(levels.values()) for levels in arms.values()])
    assert len(table) == len(arms) <= 2 ** (size - 1)
    assert (table[0] == 1).all()
    for columns in (c for r in (1, 2, 3) for c in combinations(range(size), r)):
        assert table[:, columns].prod(axis=1).sum() == 0  # no word of three factors or fewer


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"design": "factoral"}, "Did you mean 'factorial'?"),
        ({}, "needs a design"),
        ({"design": "fractional"}, "4 to 11 factors"),
        ({"design": "factorial", "factors": {"model.dropout": (0.1,)}}, "at least 2 levels"),
        ({"design": "leave_one_out", "factors": {"model.dropout": (0.1, 0.2, 0.3)}}, "2 levels"),
        ({"design": "factorial", "baseline": 0.05}, "first level of each factor"),
        (
            {"design": "factorial", "factor": "model.dropout"},
            "factors with a design, arms, search",
        ),
    ],
)
def test_a_design_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as refused:
        study(**changes)
    assert said in str(refused.value)


@given(
    st.lists(st.integers(2, 4), min_size=2, max_size=3),
    st.integers(0, 10**6),
)
def test_contrasts_of_a_factorial_are_the_terms_it_was_made_of(
    sizes: list[int], seed: int
) -> None:
    draw = np.random.default_rng(seed)
    cells = np.array(list(product(*map(range, sizes))))
    mains = [draw.normal(size=size) for size in sizes]
    pair = draw.normal(size=sizes[:2])
    values = pair[cells[:, 0], cells[:, 1]] + sum(
        main[cells[:, factor]] for factor, main in enumerate(mains)
    )
    at, weights = factorial_weights(cells, pairs=True)
    for (one, i, two, j), found in zip(at, weights @ values, strict=True):
        expected = pair[i, j] - pair[i, 0] - pair[0, j] + pair[0, 0] if (one, two) == (0, 1) else 0
        np.testing.assert_allclose(found, expected, atol=1e-9)
    at, weights = factorial_weights(cells)
    for (factor, level), found in zip(at, weights @ values, strict=True):
        means = [values[cells[:, factor] == each].mean() for each in (level, 0)]
        np.testing.assert_allclose(found, means[0] - means[1], atol=1e-9)


def declared(design: Any, factors: dict[str, tuple[Any, ...]]) -> Declaration:
    """A declaration whose arms are those of a design."""
    arms = arms_of(factors, design)
    values = [{path: repr(level) for path, level in levels.items()} for levels in arms.values()]
    named = arms_named(list(arms), values)
    return declaration(arms=named, baseline=next(iter(arms)), collapse=None)


def frame(given: Declaration, worth: Any, seeds: int = 8) -> pd.DataFrame:
    """Runs whose mean is the worth of an arm's levels."""
    draw = np.random.default_rng(3)
    rows = [
        ("s", arm.config, arm.name, seed, "test", "accuracy",
         float(worth(**{path: eval(v) for path, v in arm.values.items()}) + draw.normal(0, 0.002)),
         "FINISHED", None, 3, 1.5, f"{arm.config}-{seed}")
        for arm in given.arms for seed in range(seeds)
    ]  # fmt: skip
    columns = "study config arm seed split metric value status reason epoch seconds run_id"
    return pd.DataFrame(rows, columns=columns.split())


def test_a_decided_interaction_is_said_before_the_arms_and_drawn() -> None:
    given = declared("factorial", {"a": (0, 1), "b": ("x", "y", "z"), "c": (0, 1)})
    runs = frame(given, lambda a, b, c: 0.5 + 0.02 * a + 0.05 * a * (b == "y") + 0.01 * c)
    whole = content(runs, declaration=given)
    found = whole.judged.contrasts
    assert list(found["family"]) == ["main"] * 4 + ["interaction"] * 5
    effects = found.set_index("name")["effect"]
    np.testing.assert_allclose(
        effects[["a 1", "b y", "c 1", "a 1 with b y", "a 1 with c 1"]],
        [0.037, 0.025, 0.01, 0.05, 0.0], atol=0.004,
    )  # fmt: skip
    said = answer(whole.judged.effects, given, found)
    assert re.match(
        r"It matters, [^.]*\. Interaction: a 1 with b y, together (4\.\d|5\.\d) points beyond",
        said,
    )
    assert "Interaction" not in said.partition(" Take ")[2]
    basis = Basis(whole)
    for name in ("interactions", "together"):
        drawing = drawing_of(basis, name)
        assert drawing is not None
        figure = drawing()
        figure.draw_without_rendering()
    assert [line.get_xdata().tolist() for line in figure.axes[0].lines] == [[0, 1]] * 3
    heat = drawing_of(basis, "interactions")
    assert heat is not None
    bar = heat().axes[1]
    bar.figure.draw_without_rendering()
    box = bar.yaxis.label.get_window_extent()
    assert box.y0 >= 0
    assert box.y1 <= bar.figure.bbox.y1  # the label of the colour bar is there as a whole


def test_a_map_of_one_field_is_not_drawn() -> None:
    """It shows one number on white, which the table has."""
    given = declared("factorial", {"a": (0, 1), "b": ("x", "y")})
    basis = Basis(
        content(frame(given, lambda a, b: 0.5 + 0.05 * a * (b == "y")), declaration=given)
    )
    assert drawing_of(basis, "together") is not None
    assert drawing_of(basis, "interactions") is None


def test_a_fraction_names_what_it_cannot_tell_apart() -> None:
    given = declared("fractional", dict.fromkeys("abcd", (0, 1)))
    assert len(given.arms) == 8
    mains, pairs = families_of(given)
    assert len(mains.rows) == 4
    assert [row["also"] for row in pairs.rows] == [
        "c 1 with d 1", "b 1 with d 1", "b 1 with c 1",
    ]  # fmt: skip
    said = " ".join(factor_rows(study(design="factorial", margin=0.02), given, []))
    assert "4 main effects" in said
    assert "a 1 with b 1 = c 1 with d 1" in said
    runs = frame(given, lambda a, b, c, d: 0.5 + 0.05 * c * d)
    judged = judge(runs, hashes(runs), given)
    assert "or c 1 with d 1, which this fraction" in answer(
        judged.effects, given, judged.contrasts
    )


def test_a_component_that_another_makes_up_for_is_an_interaction() -> None:
    given = declared(
        ("leave_one_out", "add_one_in"),
        dict.fromkeys(("one", "two", "three", "four"), (True, False)),
    )
    runs = frame(given, lambda one, two, three, four: 0.5 + 0.1 * (one or two) + 0.02 * three)
    found = judge(runs, hashes(runs), given).contrasts
    worth = found.set_index(["family", "name"])["effect"]
    np.testing.assert_allclose(worth["left_out"], [0, 0, 0.02, 0], atol=0.005)
    np.testing.assert_allclose(worth["added_in"], [0.1, 0.1, 0.02, 0], atol=0.005)
    said = answer(judge(runs, hashes(runs), given).effects, given, found)
    assert said.count("Interaction: ") == 2
    assert re.search(r"one is worth −?0\.\d points beside all others and (9|10)\.\d point", said)


def test_a_study_of_one_factor_has_no_contrasts() -> None:
    one = Study(name="s", question="?", factor="model.dropout", levels=(0, 0.3), baseline=0.3)
    assert families_of(plan_on(one).declaration) == []
    assert families_of(plan_on(study(design="one_at_a_time")).declaration) == []
    assert content().judged.contrasts.empty


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 8, 20])
@pytest.mark.parametrize("shape", [(2, 2), (2, 4)])
@pytest.mark.parametrize("spread", ["equal", "one arm loud", "half the arms loud"])
def test_interactions_are_claimed_falsely_within_their_error_rate(
    n: int, shape: tuple[int, int], spread: str
) -> None:
    studies, arms = 20_000, shape[0] * shape[1]
    draw = np.random.default_rng([n, arms, len(spread)])
    loud = {"equal": [], "one arm loud": [arms - 1], "half the arms loud": range(arms // 2)}
    scale = np.ones(arms)
    scale[list(loud[spread])] = 4
    values = draw.normal(size=(studies, arms, n)) * scale[:, None]
    cells = np.array(list(np.ndindex(*shape)))
    values += (cells @ [0.5, 2.0])[:, None]  # factors that add up
    _, weights = factorial_weights(cells, pairs=True)
    false = (contrasts(values, weights).p <= 0.05).any(axis=-1).mean()
    assert false <= 0.05 + 3.3 * np.sqrt(0.05 * 0.95 / studies)


def test_the_study_of_several_factors_in_the_readme_is_one() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    text = re.search(r"```python\n(# several factors.*?)```", readme, flags=re.DOTALL)
    assert text is not None
    names: dict[str, Any] = {"Study": Study, "LogUniform": LogUniform}
    exec(compile(text.group(1), "README.md", "exec"), names)
    assert len(names["study"].complete_arms) == 4
