"""Study files: what they may say, and what is refused in words that help."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import pickle
import pydoc
from pathlib import Path

import pytest
from synthetic import Corpus, config_hash, plan_on

from ablation.errors import Refused
from ablation.records.paths import flatten, replace
from ablation.study.identity import arm_hash
from ablation.study.load import known_studies, load
from ablation.study.plan import label_of
from ablation.study.spec import Study
from ablation.task.text import TEXT
from ablation.task.text.config import Constant, ModelConfig, Normal, RunConfig
from ablation.task.text.metrics import SCORES

STUDIES = Path(__file__).parent.parent / "studies"

INIT_STD = Study(
    name="init_std",
    question="Does it matter?",
    factor="model.attention.init_std",
    levels=(0, 0.05, 1),
    baseline=0.05,
    seeds=3,
)


COUNTS = (30, 20, 50)
"""Texts of each class in test."""


@pytest.mark.parametrize("cls", [Study, RunConfig, ModelConfig])
def test_help_says_what_each_field_means(cls: type) -> None:
    source = inspect.getsource(cls)
    said = {field.name: inspect.getdoc(getattr(cls, field.name)) for field in
            dataclasses.fields(cls)}  # fmt: skip
    assert all(text and text.split()[0] in source for text in said.values())
    assert len(set(said.values())) == len(said)
    page = pydoc.plain(pydoc.render_doc(cls))
    assert all(text.splitlines()[-1] in page for text in said.values() if text)
    assert pickle.loads(pickle.dumps(RunConfig())) == copy.copy(RunConfig()) == RunConfig()


def changed(**fields: object) -> Study:
    return dataclasses.replace(INIT_STD, **fields)


def test_an_arm_is_a_complete_configuration_named_by_its_level() -> None:
    arms = INIT_STD.complete_arms
    assert [arm.name for arm in arms] == ["0.0", "0.05", "1.0"]
    assert [arm.config.model.attention.init_std for arm in arms] == [0.0, 0.05, 1.0]
    assert arms[1].config == RunConfig()


def test_initialisations_are_named_by_their_repr() -> None:
    levels = ("zeros", Constant(0.1), Normal(0.05), "none")
    study = changed(factor="model.attention.bias_init", levels=levels, baseline="zeros")
    names = [arm.name for arm in study.complete_arms]
    assert names == ["zeros", "Constant(0.1)", "Normal(0.05)", "none"]
    assert eval(names[1], {"Constant": Constant}) == levels[1]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"name": "Init-Std"}, r"matches \[a-z\]"),
        ({"factor": "model.attention.init_sdt"}, "Did you mean 'model.attention.init_std'"),
        ({"factor": "model.attention"}, "No field 'model.attention'"),
        ({"levels": (0.05, -1.0)}, "init_std must be finite in float32 and >= 0; got -1.0"),
        ({"levels": (0.05, float("nan"))}, "init_std must be finite"),
        ({"levels": (0.05, "wide")}, "init_std cannot be 'wide'"),
        ({"data": "trec"}, "data of a study must be a list or tuple"),
        ({"data": ("trec", "trec")}, "data names each data set once"),
        ({"factor": "train.epochs", "levels": (2, 2.5), "baseline": 2}, "epochs cannot be 2.5"),
        (
            {
                "factor": "model.attention.second_masking",
                "levels": (True, "off"),
                "baseline": True,
            },
            "second_masking cannot be 'off'",
        ),
        ({"levels": (0.05, 0.05)}, "have the same configuration"),
        ({"levels": (0, 0.0, 0.05)}, "have the same configuration"),
        ({"levels": (0.05,)}, r"1 arm"),
        ({"baseline": 0.06}, "is not one of its arms"),
        ({"baseline": None}, "names no baseline"),
        (
            {
                "factor": None,
                "levels": (),
                "arms": {"a": {}, "b": {"train.epochs": 3}},
                "baseline": None,
            },
            "names no baseline",
        ),
        ({"design": "factorial"}, "gives design, but no factors"),
        ({"factor": None, "arms": {"a": {}, "b": {"train.epochs": 3}}}, "levels, but no factor"),
        ({"seeds": 0}, "at least 1 seed; got 0"),
        ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
        ({"margin": 0.0}, "margin must be > 0"),
        ({"looks": (8, 5)}, "Looks must be ascending"),
        ({"looks": (0, 5)}, "Looks must be ascending"),
        ({"looks": (5, 8), "spend": (0.05,)}, "one number > 0 per look"),
        ({"looks": (5, 8), "spend": (0.03, 0.03)}, "a sum of at most 0.05"),
        ({"collapse": -0.1}, "collapse must be >= 0"),
        ({"floor": float("nan")}, "floor must be finite"),
        ({"arms": {"a": {}}}, "factors with a design, arms, search"),
        ({"factor": None}, "factors with a design, arms, search"),
        ({"factor": "data.source", "levels": ("a", "b"), "baseline": "a"}, "differ in their data"),
        ({"factor": "model.pooling", "levels": ("attention", "men")}, "Did you mean 'mean'"),
    ],
)
def test_nonsense_is_refused(fields: dict[str, object], rule: str) -> None:
    with pytest.raises(Refused, match=rule):
        changed(**fields)


def test_a_refusal_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(Refused("rule", "way out")))
    assert (error.rule, error.way_out) == ("rule", "way out")


def test_one_number_has_one_spelling() -> None:
    spelled = replace(replace(RunConfig(), "model.dropout", 0), "model.attention.fill", -10)
    assert config_hash(spelled, "data") == config_hash(
        replace(replace(RunConfig(), "model.dropout", 0.0), "model.attention.fill", -10.0), "data"
    )
    assert repr(Constant(1)) == "Constant(1.0)"


def test_every_field_can_be_replaced_by_its_path() -> None:
    config = RunConfig()
    for path, value in flatten(config).items():
        assert replace(config, path, value) == config


def test_the_plan_is_complete_blocks_first() -> None:
    trials = plan_on(INIT_STD).trials
    assert [trial.seed for trial in trials] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [trial.arm.name for trial in trials[:3]] == ["0.0", "0.05", "1.0"]
    assert len({trial.key for trial in trials}) == 9


def test_a_key_knows_the_configuration_and_the_data_but_no_wording() -> None:
    keys = [trial.key for trial in plan_on(INIT_STD).trials]
    same = changed(question="Else?", title="T", caveats=("C",), margin=0.01)
    assert [trial.key for trial in plan_on(same).trials] == keys
    more = changed(levels=(0, 0.05, 0.1, 1))
    assert set(keys) < {trial.key for trial in plan_on(more).trials}
    slower = changed(config=replace(RunConfig(), "train.learning_rate", 1e-4))
    assert not set(keys) & {trial.key for trial in plan_on(slower).trials}
    assert not set(keys) & {
        trial.key for trial in plan_on(INIT_STD, Corpus(fingerprint="other")).trials
    }


def test_another_arithmetic_is_another_key() -> None:
    arm, identity = INIT_STD.complete_arms[0], TEXT.identify(RunConfig())
    raised = identity._replace(numerics=identity.numerics + 1)
    assert arm_hash(arm, identity, "data") != arm_hash(arm, raised, "data")


def test_where_the_data_came_from_is_not_what_they_are() -> None:
    moved = replace(RunConfig(), "data.source", "elsewhere/trec")
    assert config_hash(moved, "data") == config_hash(RunConfig(), "data")
    cut = replace(RunConfig(), "data.max_length", 8)
    assert config_hash(cut, "data") != config_hash(RunConfig(), "data")


def test_a_declaration_holds_all_but_the_wording() -> None:
    declared = plan_on(INIT_STD).declaration
    assert plan_on(changed(question="Else?", title="T", caveats=("C",))).declaration == declared
    for fields in (
        {"margin": 0.01},
        {"seeds": 4},
        {"metric": "loss"},
        {"baseline": 1},
        {"looks": (5, 8)},
        {"floor": None},
        {"collapse": 0.1},
    ):
        assert plan_on(changed(**fields)).declaration != declared


def test_the_source_of_a_class_of_the_users_is_part_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "my_pooling_for_keys.py"
    config = replace(RunConfig(), "model.pooling", "my_pooling_for_keys:Mine")
    module.write_text("class Mine: pass\n")
    before = config_hash(config, "data")
    module.write_text("class Mine: more = 1\n")
    assert config_hash(config, "data") != before


@pytest.mark.parametrize("regular", [True, False])
def test_every_file_of_a_package_of_the_users_is_part_of_the_key(
    regular: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"my_package_for_keys_{regular}"
    (tmp_path / name).mkdir()
    if regular:
        (tmp_path / name / "__init__.py").write_text("from .core import Mine\n")
    part = f"{name}:Mine" if regular else f"{name}.core:Mine"
    core = tmp_path / name / "core.py"
    config = replace(RunConfig(), "model.pooling", part)
    core.write_text("class Mine: pass\n")
    before = config_hash(config, "data")
    core.write_text("class Mine: more = 1\n")
    assert config_hash(config, "data") != before


def test_looks_share_the_error_rate_in_rising_parts() -> None:
    found = changed(looks=(5, 8, 12, 20)).schedule
    assert [seeds for seeds, _ in found] == [5, 8, 12, 20]
    assert [alpha for _, alpha in found] == pytest.approx([0.005, 0.01, 0.015, 0.02])
    assert INIT_STD.schedule == ((3, 0.05),)


def test_a_copy_in_an_a_a_study_is_a_trial_of_its_own() -> None:
    arms = {"a": {}, "again": {"seed_offset": 0}, "others": {"seed_offset": 1000}}
    study = Study(name="aa", question="Q?", arms=arms, baseline="a", seeds=1)
    trials = plan_on(study).trials
    assert len({trial.key for trial in trials}) == 3
    assert [trial.training_seed for trial in trials] == [0, 0, 1000]
    assert len({trial.arm.config for trial in trials}) == 1


@pytest.mark.parametrize(
    ("metric", "expected"), [("accuracy", 0.5), ("macro_f1", 2 / 9), ("loss", math.log(3))]
)
def test_chance_is_what_naming_the_commonest_class_scores(metric: str, expected: float) -> None:
    assert SCORES[metric].chance(COUNTS) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("data", "taken", "label"),
    [
        (None, {}, "s"),
        ("trec", {}, "s@trec"),
        ("trec", {"s@trec": "abcdef123456"}, "s@trec"),
        ("trec", {"s@trec": "another"}, "s@trec-abcdef"),
        ("my set's", {}, "s@my-set-s"),
    ],
)
def test_replaced_data_give_a_label_of_its_own(
    data: str | None, taken: dict[str, str], label: str
) -> None:
    assert label_of("s", data, "abcdef123456", taken) == label


@pytest.mark.parametrize("name", known_studies(STUDIES))
def test_built_in_studies_load_and_carry_their_files_name(name: str) -> None:
    assert load(name, STUDIES).name == name


def test_an_unknown_study_is_refused_with_the_nearest_and_the_known() -> None:
    with pytest.raises(Refused, match="Did you mean 'init_std'") as refused:
        load("int_std", STUDIES)
    assert refused.value.way_out == f"Known studies: {', '.join(known_studies(STUDIES))}."


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("study = 1", "defines no variable `study`"),
        ("import nowhere_to_be_found", "line 1, raised ModuleNotFoundError"),
        ("\nstudy = (", "line 2, raised SyntaxError"),
    ],
)
def test_a_broken_study_file_is_refused_with_its_line(
    tmp_path: Path, text: str, rule: str
) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(Refused, match=rule):
        load(str(path), STUDIES)
