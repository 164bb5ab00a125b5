"""A function of the user's own: what it may take and return, and what identifies it."""

from __future__ import annotations

import dataclasses
import enum
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow.utils.validation import (
    MAX_ENTITY_KEY_LENGTH,
    _validate_length_limit,
    _validate_metric_name,
)
from synthetic import result_of
from typer.testing import CliRunner

from ablation import cli
from ablation.errors import Refused
from ablation.records.examples import pack, unpack
from ablation.records.outcome import EpochRecord, RunResult
from ablation.records.paths import flatten, replace
from ablation.spec import LogUniform, Metric, Study, When
from ablation.study.load import load
from ablation.study.plan import Plan, make_plan
from ablation.task import Redirection
from ablation.task.function import log
from ablation.task.function.call import Call, call
from ablation.task.function.config import receive
from ablation.task.function.target import target_of


class Kind(enum.Enum):
    LINEAR = "linear"


@dataclasses.dataclass(frozen=True)
class Optimizer:
    rate: float = 0.1
    kind: Kind = Kind.LINEAR


@dataclasses.dataclass(frozen=True)
class Config:
    optimizer: Optimizer = Optimizer()
    sizes: tuple[int, ...] = (8, 8)
    dataset: str = "trec"
    extra: Any = None


returned: Any = {"test/accuracy": 0.5}
yielded: list[Any] = []


def plain(config: Any, seed: int) -> Any:
    return {"accuracy": seed / 10, "val/loss": float(flatten(config)["optimizer.rate"])}


def told(config: Any, seed: int) -> Any:
    print("said", os.environ.get("NOBODY", "out loud"))
    subprocess.run(["echo", "by a program"], check=True)
    yield from yielded
    return returned


def with_context(config: Any, seed: int, context: Any) -> Any:
    (context.folder / f"{context.device}-{context.threads}").touch()
    return {"accuracy": len(list(context.folder.iterdir())) / 10}


def study(run: Callable[..., Any] = plain, **changes: Any) -> Study:
    given: dict[str, Any] = {
        "name": "mine", "question": "Q?", "run": run, "config": Config(), "metric": "accuracy",
        "factor": "optimizer.rate", "levels": (0.1, 0.2), "baseline": 0.1, "seeds": 2,
    }  # fmt: skip
    return Study(**(given | changes))


def plan(given: Study) -> Plan:
    return make_plan(given, Path("nowhere"))


def run_one(
    given: Study, seed: int = 3, folder: Path | None = None
) -> tuple[list[EpochRecord], RunResult]:
    """Runs a trial of the baseline as a worker does."""
    planned = plan(given)
    config = given.task.send(given.complete_arms[0].config)
    running = given.task.train(config, seed, planned.data, device="cpu", folder=folder)
    records = []
    try:
        while True:
            records.append(next(running))
    except StopIteration as stop:
        return records, stop.value


def answered(monkeypatch: pytest.MonkeyPatch, final: Any, *steps: Any, **of: Any) -> Any:
    """What becomes of a function that yields and returns these."""
    monkeypatch.setattr(sys.modules[__name__], "returned", final)
    monkeypatch.setattr(sys.modules[__name__], "yielded", list(steps))
    return run_one(study(told, **of))


def test_what_is_returned_is_named_as_the_record_does() -> None:
    _, result = run_one(study(metric="test/accuracy"))
    assert result.metrics == {"test/accuracy": 0.3, "validation/loss": 0.1}
    assert (result.status, result.epoch, result.correct) == ("FINISHED", 0, b"")


def test_what_is_yielded_is_a_curve_and_what_is_returned_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    final = {"accuracy": torch.tensor(0.75), "logits_hash": "ab", "best_epoch": 1, "top@5": 1}
    records, result = answered(
        monkeypatch, final, {"train/loss": 2.0, "accuracy": np.float32(0.5)}, {"dev/f1": 1}
    )
    assert [each.metrics for each in records] == [
        {"train/loss": 2.0, "epoch/accuracy": 0.5}, {"validation/f1": 1.0},
    ]  # fmt: skip
    assert [each.epoch for each in records] == [1, 2]
    assert result.metrics == {"test/accuracy": 0.75, "test/top-5": 1.0}
    assert (result.epoch, result.logits_hash, result.weights_hash) == (1, "ab", None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.tensor(float("nan"))])
def test_a_metric_that_is_not_finite_is_an_outcome(
    monkeypatch: pytest.MonkeyPatch, value: Any
) -> None:
    _, result = answered(monkeypatch, {"score": value}, {}, {}, metric=Metric("score"))
    assert (result.status, result.reason, result.epoch) == ("FAILED", "nan_metric", 2)
    assert result.metrics == {}


class OutOfMemoryError(RuntimeError):
    """Named as PyTorch's own, which this package does not import here."""


def exhausted(config: Any, seed: int) -> Any:
    raise OutOfMemoryError


def test_a_gpu_whose_memory_is_exhausted_is_an_outcome() -> None:
    assert torch.OutOfMemoryError.__name__ == OutOfMemoryError.__name__
    assert run_one(study(exhausted))[1].reason == "oom"


@pytest.mark.parametrize(
    ("final", "step", "error", "message"),
    [
        (None, {}, TypeError, "metrics but a NoneType: return the last metrics"),
        (0.5, {}, TypeError, "returned no mapping of metrics but a float"),
        ({1: 0.5}, {}, TypeError, "the name of a metric must be text; got 1"),
        ({"acuracy": 0.5}, {}, ValueError, "no metric 'accuracy'; it returned: test/acuracy"),
        ({"accuracy": "0.5"}, {}, TypeError, "'accuracy' must be a number; got a str"),
        ({"accuracy": np.ones(3)}, {}, TypeError, "'accuracy' must be a number; got a ndarray"),
        ({"accuracy": 93.0}, {}, ValueError, r"a share, in \[0, 1\]; the function returned 93.0"),
        ({"accuracy": 0.5, "weights_hash": 7}, {}, TypeError, "weights_hash must be text"),
        ({"accuracy": np.ones(3)}, {}, TypeError, "examples='accuracy'"),
        ({"accuracy": 0.5, "test/accuracy": 0.6}, {}, ValueError, "both 'test/accuracy' in the"),
        ({"accuracy": 0.5}, {"a(b": 1.0, "a[b": 2.0}, ValueError, "both 'epoch/a-b' in the"),
        ({"accuracy": 0.5}, [0.5], TypeError, "yielded no mapping of metrics but a list"),
        ({"accuracy": 0.5}, {"loss": "low"}, TypeError, "'loss' must be a number"),
    ],
)
def test_what_cannot_be_recorded_raises(
    monkeypatch: pytest.MonkeyPatch, final: Any, step: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        answered(monkeypatch, final, step)


AWKWARD = (
    "a//b",
    "../x",
    "x/",
    "/x",
    ".",
    "test/",
    "train/",
    "train/../x",
    " ",
    "日本",
    "é" * 300,
)


@pytest.mark.parametrize("name", AWKWARD)
def test_any_name_of_a_metric_is_recorded_as_one_that_mlflow_takes(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    numbers = {"accuracy": 0.5, name: 0.25}
    records, result = answered(monkeypatch, numbers, numbers)
    for kept in (records[0].metrics, result.metrics):
        assert sorted(kept.values()) == [0.25, 0.5]
        for key in kept:
            _validate_metric_name(key)
            _validate_length_limit("Metric name", MAX_ENTITY_KEY_LENGTH, key)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factor": "extra", "levels": ("0.5", 0.5), "baseline": "0.5"}, "both named '0.5'"),
        ({"factor": None, "levels": (), "baseline": None, "design": "factorial",
          "factors": {"extra": ("extra 1", 1), "dataset": ("a", "b")}}, "both named 'extra 1 ·"),
    ],
)  # fmt: skip
def test_arms_have_names_of_their_own(changes: Mapping[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        study(**changes)


def test_levels_of_numpy_are_those_of_python() -> None:
    given = study(levels=tuple(np.linspace(0, 1, 3)), baseline=np.float64(0.5))
    plain = study(levels=(0.0, 0.5, 1.0), baseline=0.5)
    assert given.complete_arms == plain.complete_arms
    assert given.baseline_name == "0.5"
    arms = {"a": {"extra": np.int64(1)}, "b": {}}
    (first, _) = study(factor=None, levels=(), arms=arms, baseline="b").complete_arms
    assert {type(value) for value in first.levels.values()} == {int}
    with pytest.raises(Refused, match=r"levels.tolist\(\)"):
        study(levels=np.linspace(0, 1, 3), baseline=0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Metric("accuracy", chance="a"),  # type: ignore[arg-type]  # wrong on purpose
        lambda: Metric("accuracy", chance=10),
        lambda: Metric("score", examples=3),  # type: ignore[arg-type]  # wrong on purpose
        lambda: Metric("a//b"),
        lambda: Metric("a" * 201),
        lambda: LogUniform("a", 1),  # type: ignore[arg-type]  # wrong on purpose
        lambda: When("x", 1, 2),  # type: ignore[arg-type]  # wrong on purpose
    ],
)
def test_what_a_study_is_made_of_is_checked(make: Callable[[], object]) -> None:
    with pytest.raises(Refused):
        make()
    assert Metric("accuracy", unit="%", chance=10).chance == 10


@pytest.mark.parametrize(
    ("scores", "value", "message"),
    [
        ([True, False], 0.5, None),
        (torch.tensor([0.25, 0.5]), 0.375, None),
        ([1.0, float("nan")], 0.5, "the mean of 'right' must be score, 0.5; it is nan"),
        ([True, True], 0.5, "the mean of 'right' must be score, 0.5; it is 1.0"),
        ([[True], [False]], 0.5, r"a number per example; got \(2, 1\)"),
        (["a", "b"], 0.5, "a number per example"),
        ([], 0.5, "a number per example"),
    ],
)
def test_scores_by_example_are_those_behind_the_metric(
    monkeypatch: pytest.MonkeyPatch, scores: Any, value: float, message: str | None
) -> None:
    metric, final = Metric("score", examples="right"), {"score": value, "right": scores}
    if message is None:
        _, result = answered(monkeypatch, final, metric=metric)
        assert unpack(result.correct).tolist() == list(map(type(scores[0]), scores))
        with pytest.raises(ValueError, match="no scores by example 'right'"):
            answered(monkeypatch, {"score": value}, metric=metric)
    else:
        with pytest.raises(ValueError, match=message):
            answered(monkeypatch, final, metric=metric)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 250])
def test_scores_survive_packing_and_a_cut_leaves_none(size: int) -> None:
    draw = np.random.default_rng(size)
    for scores in (draw.random(size) < 0.5, draw.random(size).astype(np.float32)):
        packed = pack(scores)
        assert unpack(packed).dtype == scores.dtype
        assert np.array_equal(unpack(packed), scores)
        assert not size or not len(unpack(packed[:-1]))


def test_a_third_parameter_gets_device_threads_and_a_folder_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "scratch/trial"
    folder.mkdir(parents=True)
    (folder / "checkpoint").touch()  # of a run that was interrupted
    _, result = run_one(study(with_context, threads=3), folder=folder)
    assert result.metrics == {"test/accuracy": 0.2}
    assert not list(folder.parent.iterdir())
    _, result = run_one(study(with_context), folder=folder)
    assert result.metrics == {"test/accuracy": 0.1}


def test_what_is_printed_is_the_log_by_programs_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, result = run_one(study(told), folder=tmp_path / "trial")
    assert result.log.decode() == "said out loud\nby a program\n"
    print("afterwards")
    assert capfd.readouterr().out == "afterwards\n"
    monkeypatch.setattr(sys.modules[__name__], "returned", None)
    with pytest.raises(TypeError) as raised:
        run_one(study(told), folder=tmp_path / "trial")
    assert "by a program" in raised.value.__notes__[0]


def test_what_a_program_prints_is_cut_on_disk_too(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with log.captured(path):
        print("first", flush=True)
        subprocess.run(["head", "-c", str(3 * log.MOST), "/dev/zero"], check=True)
    assert path.stat().st_size < log.MOST
    kept = log.read(path)
    assert kept.startswith(b"first\n\0\0")
    assert len(kept) < 1.1 * log.LIMIT


def test_a_log_without_end_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with log.captured(path):
        for line in range(400_000):
            print(line)
    kept = log.read(path)
    assert len(kept) < 1.1 * log.LIMIT
    assert kept.startswith(b"0\n1\n")
    assert kept.endswith(b"399999\n")


def nested() -> Callable[..., Any]:
    def inside(config: Any, seed: int) -> Any:
        return {}

    return inside


async def coroutine(config: Any, seed: int) -> Any:
    return {}


def one(config: Any) -> Any:
    return {}


def four(config: Any, seed: int, context: Any, more: Any) -> Any:
    return {}


def keyword(config: Any, seed: int, *, more: Any) -> Any:
    return {}


@dataclasses.dataclass
class Loose:
    rate: float = 0.1


@dataclasses.dataclass(frozen=True)
class Outer:
    optimizer: Any = dataclasses.field(default_factory=Loose)


def local(kind: str) -> Any:
    if kind == "value":
        inside = enum.Enum("inside", "A")
        inside.__qualname__ = "local.<locals>.inside"
        return Config(extra=(inside.A,))

    @dataclasses.dataclass(frozen=True)
    class Inside(Config):
        pass

    return Inside() if kind == "class" else Config(extra={"optimizer": Inside()})


class Level:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __repr__(self) -> str:
        return "Level()"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": lambda config, seed: {}}, "must be a function at the top level of a module"),
        ({"run": nested()}, "must be a function at the top level of a module"),
        ({"run": "train"}, "run of a study must be a function or None"),
        ({"run": coroutine}, "run takes (config, seed)"),
        ({"run": one}, "run takes (config, seed)"),
        ({"run": four}, "run takes (config, seed)"),
        ({"run": keyword}, "run takes (config, seed)"),
        ({"config": Loose()}, "config is a Loose, which is not frozen"),
        ({"config": Outer()}, "config.optimizer is a Loose, which is not frozen"),
        ({"config": local("class")}, "Inside of the configuration is defined inside a function"),
        ({"config": local("group")}, "Inside of the configuration is defined inside a function"),
        ({"config": local("value")}, "inside of the configuration is defined inside a function"),
        ({"config": 7}, "a frozen dataclass or a mapping; got int"),
        ({"config": Config(sizes=[8])}, "'sizes' of the configuration cannot be written down"),
        ({"config": Config(extra={1, 2})}, "'extra' of the configuration cannot be written down"),
        ({"config": Config(extra=print)}, "'extra' of the configuration cannot be written down"),
        ({"config": Config(extra=Level(1))}, "'extra' of the configuration cannot be written"),
        ({"config": {"a.b": 1}}, "must be text without a dot; got 'a.b'"),
        ({"config": {"optimizer": {3: 1}}}, "The names in config.optimizer must be text"),
        ({"factor": "optimizer.rat"}, "Did you mean 'optimizer.rate'?"),
        ({"levels": (Level(1), Level(2)), "baseline": "Level()"}, "have the same configuration"),
        ({"metric": "bleu"}, "It is not known whether higher values of 'bleu' are better"),
        ({"metric": Metric("val/bleu")}, "'val/bleu' is one of validation"),
        ({"metric": Metric("bleu"), "collapse": 0.1}, "from chance, and 'bleu' has no chance"),
        ({"inputs": "data.csv"}, "inputs of a study must be a list or tuple"),
        ({"inputs": ("gone.csv",)}, "The input 'gone.csv' cannot be read"),
        ({"version": 2}, "version of a study must be a text"),
        ({"threads": 0}, "threads must be a number >= 1; got 0"),
        ({"data_field": "datset"}, "Did you mean 'dataset'?"),
        ({"data_field": "dataset", "factor": "dataset", "levels": ("a", "b"), "baseline": "a"},
         "differ in their data"),
        ({"run": None, "config": {"a": 1}}, "but no run"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_beforehand(
    changes: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(Refused) as refused:
        plan(study(**changes))
    assert message in refused.value.rule


def test_a_plan_shows_the_fields_of_the_configuration_and_what_varies_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.py").write_text(
        FILE.format(caveats="").replace("rate: float", 'data: str = "trec"\n    rate: float')
        .replace("metric=", 'data_field="data", tune={"more": (1, 2)}, metric=')
        .replace("rate: float", "more: int = 1\n    rate: float")
    )  # fmt: skip
    command = ["plan", str(tmp_path / "own.py"), "--store", str(tmp_path / "store")]
    shown = CliRunner().invoke(cli.app, command)
    lines = [" ".join(line.split()) for line in shown.output.splitlines()]
    first = lines.index("field value")
    assert lines[first + 1 : first + 4] == [
        "data 'trec' the data", "more 1 tuned", "rate 0.1 the factor",
    ]  # fmt: skip


def test_levels_are_checked_as_the_configuration_is() -> None:
    given = study(factor="extra", levels=(None, print), baseline=None)
    planned = plan(given)
    with pytest.raises(Refused, match="cannot be written down"):
        given.task.check([(arm.config, planned.data) for arm in given.complete_arms])


def test_a_function_of_a_notebook_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plain, "__module__", "__main__")
    with pytest.raises(Refused, match="defined in a notebook"):
        target_of(plain, None)
    monkeypatch.setattr(plain, "__module__", __name__)
    monkeypatch.setattr(Optimizer, "__module__", "__main__")
    with pytest.raises(Refused, match="class Optimizer of the configuration is defined in a note"):
        study()


def test_a_mapping_is_a_configuration_and_each_run_has_its_own() -> None:
    base = {"optimizer": {"rate": 0.1, "betas": [0.9, 0.99]}, "note": {}}
    given = study(config=base, levels=(0.1, 0.5))
    assert [flatten(arm.config)["optimizer.rate"] for arm in given.complete_arms] == [0.1, 0.5]
    sent = receive(given.task.send(given.complete_arms[1].config))
    assert sent == replace(base, "optimizer.rate", 0.5)
    assert base["optimizer"]["rate"] == 0.1
    assert plan(given).declaration.arms[0].values == {
        "optimizer.rate": "0.1", "optimizer.betas": "[0.9, 0.99]", "note": "{}",
    }  # fmt: skip


def keys(given: Study) -> list[str]:
    return [arm.config for arm in plan(given).declaration.arms]


def test_inputs_and_version_are_part_of_the_key(tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/a.csv").write_text("1")
    first = keys(study(inputs=(folder,)))
    assert first == keys(study(inputs=(folder,)))
    (folder / "deep/a.csv").write_text("2")
    second = keys(study(inputs=(folder,)))
    (folder / "deep/a.csv").rename(folder / "deep/b.csv")
    third = keys(study(inputs=(folder,)))
    others = (keys(study()), keys(study(version="2")))
    assert len({tuple(each) for each in (first, second, third, *others)}) == 5


def test_data_are_a_field_of_the_configuration_or_refused() -> None:
    with pytest.raises(Refused, match="The study's data are those that plain loads"):
        study().task.redirect(Config(), Redirection(data="sst2"))
    named = study(data_field="dataset")
    other = named.task.redirect(named.config, Redirection(data="sst2"))
    assert (plan(named).data.name, other.dataset) == ("trec", "sst2")
    moved = dataclasses.replace(named, config=other)
    assert plan(moved).declaration.data != plan(named).declaration.data
    assert plan(moved).declaration.arms[0].values == plan(named).declaration.arms[0].values


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (Metric("test/acc"), (1, "points", 100.0, 2)),
        (Metric("top1-accuracy", unit="%"), (1, "%", 1.0, 4)),
        (Metric("val_loss"), (-1, "", 1.0, 4)),
        (Metric("loss", lower_is_better=False), (1, "", 1.0, 4)),
        (Metric("reward"), (1, "", 1.0, 4)),
    ],
)
def test_what_is_not_given_follows_from_a_known_name(metric: Metric, expected: Any) -> None:
    assert (metric.direction, metric.unit, metric.factor, metric.digits) == expected


@pytest.mark.parametrize("metric", [Metric("loss"), Metric("accuracy", examples="test/correct")])
def test_a_metric_named_as_one_of_the_text_classifier_is_the_functions_own(metric: Metric) -> None:
    """Else its report would have the classifier's metrics and curves in place of its own."""
    assert plan(study(metric=metric)).declaration.described == metric


def test_chance_and_direction_are_the_metrics() -> None:
    metric = Metric("test/bleu", lower_is_better=True, unit="points", chance=0.25)
    declared = plan(study(metric=metric)).declaration
    assert (declared.metric, declared.chance, declared.floor) == ("bleu", 0.25, 0.25)
    assert (declared.measure.direction, declared.collapse) == (-1, "half")
    without = plan(study()).declaration
    assert (without.chance, without.floor, without.collapse) == (None, None, None)
    assert without.measure.unit == "points"
    copied = dataclasses.replace(study(metric=metric), seeds=5)
    assert copied.measure == metric


FILE = """
import dataclasses
from ablation.spec import Study

@dataclasses.dataclass(frozen=True)
class Config:
    rate: float = 0.1

def train(config, seed):
    return {{"accuracy": config.rate}}

study = Study(name="own", question="Q?", run=train, config=Config(), metric="accuracy",
              factor="rate", levels=(0.1, 0.2), baseline=0.1, caveats=[{caveats}])
"""


def test_a_function_in_the_study_file_is_loaded_by_path_in_another_process(
    tmp_path: Path,
) -> None:
    path = tmp_path / "own.py"
    path.write_text(FILE.format(caveats=""))
    given = load(str(path), tmp_path)
    first = keys(given)
    (tmp_path / "job").write_bytes(
        pickle.dumps((given.task.send(given.complete_arms[1].config), plan(given).data))
    )
    code = """
import pickle, sys
from pathlib import Path
from ablation.task.function.call import call
config, data = pickle.loads(Path(sys.argv[1]).read_bytes())
try:
    next(call(config, 0, data, device="cpu", folder=None))
except StopIteration as stop:
    print(stop.value.metrics)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "job")],
        capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    assert ran.stdout == "{'test/accuracy': 0.2}\n"
    path.write_text(FILE.format(caveats="'Small data.'"))
    assert keys(load(str(path), tmp_path)) == first
    path.write_text(FILE.format(caveats="").replace("config.rate}", "config.rate / 2}"))
    assert keys(load(str(path), tmp_path)) != first


def test_a_study_file_may_have_the_configuration_of_a_function_that_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    body, _, rest = FILE.format(caveats="").partition("def train")
    function, _, declared = rest.partition("study =")
    (tmp_path / "their_loop.py").write_text(f"def train{function}")
    path = tmp_path / "theirs.py"
    path.write_text(f"{body}from their_loop import train\nstudy ={declared}")
    given = load(str(path), tmp_path)
    sent = given.task.send(given.complete_arms[1].config)
    # As in a worker, where neither has been imported.
    for name in ("ablation_study_theirs", "their_loop"):
        monkeypatch.delitem(sys.modules, name)
    result = result_of(call(sent, 0, plan(given).data, device="cpu", folder=None))
    assert result.metrics == {"test/accuracy": 0.2}


@pytest.mark.parametrize("imported", ["their_project.helper", ".helper"])
def test_all_of_a_package_in_the_working_folder_is_hashed_and_travels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imported: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    body, _, rest = FILE.format(caveats="").partition("def train")
    function, _, declared = rest.partition("study =")
    files = {
        "their_project/__init__.py": "",
        "their_project/helper.py": "scale = 1\n",
        "their_project/loop.py": f"from {imported} import scale\ndef train{function}",
        "studies/packaged.py": f"{body}from their_project.loop import train\nstudy ={declared}",
        "elsewhere.py": "",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    given = load("studies/packaged.py", tmp_path / "studies")
    before, data = keys(given), plan(given).data
    beside = given.task.travel.parcel(given.task.send(given.complete_arms[1].config), data).beside
    assert {*files} - {*beside} == {"elsewhere.py", "studies/packaged.py"}
    for name in [name for name in sys.modules if name.startswith("their_project")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "their_project/helper.py").write_text("scale = 2\n")
    assert keys(load("studies/packaged.py", tmp_path / "studies")) != before


class OnGpu:
    """An array that must be copied to this process's memory, as PyTorch's on a GPU."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)
        self.shape = self.values.shape

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __float__(self) -> float:
        return float(self.values)

    def detach(self) -> OnGpu:
        return self

    def cpu(self) -> torch.Tensor:
        return torch.tensor(self.values)


def test_tensors_on_a_gpu_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    final = {"score": OnGpu(0.5), "right": OnGpu([True, False])}
    metric = Metric("score", examples="right")
    records, result = answered(monkeypatch, final, {"train/loss": OnGpu(2.0)}, metric=metric)
    assert records[0].metrics == {"train/loss": 2.0}
    assert unpack(result.correct).tolist() == [True, False]


def test_a_function_that_is_gone_raises_in_the_worker(tmp_path: Path) -> None:
    target = dataclasses.replace(target_of(plain, None), module="no_such_module")
    data = dataclasses.replace(plan(study()).data, target=target)
    assert isinstance(data, Call)
    with pytest.raises(ImportError, match="no_such_module"):
        result_of(call(b"", 0, data, device="cpu", folder=None))
    target = dataclasses.replace(target_of(plain, None), name="gone")
    with pytest.raises(ImportError, match="has no 'gone'"):
        result_of(call(b"", 0, dataclasses.replace(data, target=target), device="cpu",
                       folder=None))  # fmt: skip
