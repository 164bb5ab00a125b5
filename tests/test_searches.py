"""Tunings and searches: what is asked, in which order it may be told, and what comes of it."""

from __future__ import annotations

import dataclasses
import math
import multiprocessing
import random
import shutil
import sys
from collections import Counter
from collections.abc import Generator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from test_task import DICE, Dice, Table

from ablation import report, tracking
from ablation.analysis.power import checks_of, planning
from ablation.cli.part import part_of
from ablation.cli.searched import filled_in, look_up_searches
from ablation.errors import Refused
from ablation.execute import ExecutorCrew, session, waiting, walk
from ablation.execute.searching import carry_out, searching, weigh
from ablation.execute.try_point import Attempt, try_point
from ablation.execute.worker import Job
from ablation.figures import Axis
from ablation.records.declaration import Declaration
from ablation.records.metric import METRICS
from ablation.records.outcome import EpochRecord, RunResult
from ablation.records.places import places
from ablation.records.told import Told, best_of
from ablation.report.parts import landscape
from ablation.report.searches import searches_frame
from ablation.search import Pruning, ask, importance_table
from ablation.search.importance import Asked, importances
from ablation.spec import LogUniform, Study, When
from ablation.study import searched
from ablation.study.derived import follow_up_of
from ablation.study.plan import Plan, make_plan
from ablation.study.searched import PRUNERS
from ablation.study.space import Recalled, choose
from ablation.tracking import lease as leases

SPACE = {
    "bias": LogUniform(1e-3, 1.0, zero=True),
    "sides": (4, 6, 8),
    "faces": When("sides", (8,), (1, 2)),
}
EPOCHS = 4
AXIS = Axis(metric="accuracy", unit="points", digits=2, baseline="a", margin=2.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loaded(Dice):
    faces: int = 1


def worth(config: Loaded) -> float:
    """Best at a bias of 0.1, better with eight sides."""
    off = 3.0 if config.bias == 0 else abs(math.log10(config.bias / 0.1))
    return 0.6 - 0.1 * off + 0.05 * (config.sides == 8) + 0.01 * config.faces


def throw(
    config: Loaded, seed: int, data: Table, *, device: str, folder: Path | None
) -> Generator[EpochRecord, None, RunResult]:
    draw = random.Random(seed)
    for epoch in range(1, EPOCHS + 1):
        share = worth(config) * epoch / EPOCHS + draw.gauss(0, 0.01)
        metrics = {"validation/accuracy": share, "train/loss": 1.0}
        yield EpochRecord(epoch=epoch, seconds=0.1 * epoch, metrics=metrics)
    assert seed < searched.TUNING_SEEDS, "a tuning has evaluated test"
    metrics = {f"{split}/{name}": share for split in ("validation", "test") for name in METRICS}
    return RunResult(status="FINISHED", epoch=EPOCHS, seconds=0.4, metrics=metrics)


LOADED = dataclasses.replace(DICE, config=Loaded(), train=throw, epochs=lambda config: EPOCHS)


def study(**changes: Any) -> Study:
    given = {
        "name": "loaded", "question": "?", "task": LOADED, "config": Loaded(), "factor": "sides",
        "levels": (6, 8), "baseline": 6, "seeds": 3, "margin": 0.02, "pruner": "median",
        "tune": {"bias": SPACE["bias"]}, "tuning_trials": 12,
    }  # fmt: skip
    return Study(**(given | changes))


class Uneven(ExecutorCrew):
    """Threads that end in any order.

    Args:
        most: Calls after which the conductor is interrupted.
    """

    def __init__(self, most: int = 10**6) -> None:
        super().__init__(ThreadPoolExecutor(3), at_once=3)
        self.left = most

    def submit(self, fn: Any, /, *args: Any, limits: Any = None) -> Future[Any]:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().submit(dawdle, fn, *args)


def dawdle(fn: Any, *args: Any) -> Any:
    for _ in range(random.SystemRandom().randrange(100_000)):
        pass
    return fn(*args)


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Path:
    shutil.copytree(empty_store, tmp_path / "store")
    return tmp_path / "store"


def search(plan: Plan, store: Path, crew: Any) -> Mapping[str, Mapping[int, Told]]:
    where = places(store)
    with searching(plan, where) as opened:
        for _ in carry_out(opened, crew, device="cpu"):
            pass
    return look_up_searches(plan, where).told


def plain(told: Mapping[str, Mapping[int, Told]]) -> list[tuple[Any, ...]]:
    return [
        (name, number, dict(each.point), dict(each.curve), each.value, each.state)
        for name, runs in told.items()
        for number, each in sorted(runs.items())
    ]


@pytest.mark.slow
def test_what_is_found_depends_on_no_worker_no_order_and_no_restart(
    store: Path, tmp_path: Path
) -> None:
    plan = make_plan(study(), tmp_path)
    other = shutil.copytree(store, tmp_path / "other")
    alone = search(plan, store, ExecutorCrew(ThreadPoolExecutor(1), at_once=1))
    states = Counter(each.state for runs in alone.values() for each in runs.values())
    assert set(states) == {"COMPLETE", "PRUNED"}
    with pytest.raises(KeyboardInterrupt):
        search(plan, other, Uneven(most=13))
    kept = look_up_searches(plan, places(other))
    assert 0 < kept.left < 24
    assert plain(search(plan, other, Uneven())) == plain(alone)
    client = tracking.connect(places(other).tracking)
    home = tracking.find_home(client, "loaded", "loaded")
    assert home is not None
    runs = client.search_runs([home.experiment], "tags.`ablation.kind` = 'tuning'")
    assert len(runs) == 24  # nothing is recorded twice
    assert not [name for run in runs for name in run.data.metrics if name.startswith("test/")]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert sum("ablation.pruned" in run.data.tags for run in runs) == states["PRUNED"]


@pytest.mark.parametrize(
    "changes", [{}, {"factor": None, "levels": (), "baseline": None, "tune": {}, "search": SPACE}]
)
def test_a_search_that_lost_its_lease_records_nothing_more(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: Any
) -> None:
    plan = make_plan(study(**changes), tmp_path)
    with searching(plan, places(store)) as opened:
        trials = carry_out(opened, Uneven(), device="cpu")
        for _ in range(3):
            next(trials)
        leases._remove(opened.home.client, opened.lease._run)
        monkeypatch.setattr(leases, "DOUBT", 0.0)  # as after half a minute of silence
        with pytest.raises(tracking.LeaseLost):
            next(trials)
    known = look_up_searches(plan, places(store))
    assert known.trials - known.left == 3


@pytest.mark.parametrize("when", ["before", "half-way", "after"])
def test_a_record_that_is_away_is_waited_for_and_has_each_trial_once(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    plan, told, record_told = make_plan(study(tuning_trials=2), tmp_path), [], tracking.record_told

    def answers_once(home: tracking.Home, *given: Any) -> str:
        monkeypatch.setattr(tracking, "record_told", record_told)
        if when == "half-way":
            monkeypatch.setattr(type(home.client), "set_terminated", fails_once(home.client))
        if when != "before":
            record_told(home, *given)
        raise ConnectionError("gone")

    def fails_once(client: Any) -> Any:
        ends = type(client).set_terminated

        def fail(*_: Any, **__: Any) -> None:
            monkeypatch.setattr(type(client), "set_terminated", ends)
            raise ConnectionError("gone half-way")

        return fail

    monkeypatch.setattr(tracking, "record_told", answers_once)
    monkeypatch.setattr(waiting, "PAUSES", (0.0,))
    monkeypatch.setattr(waiting, "SILENT", 0.0)
    with searching(plan, places(store), tell=told.append) as opened:
        trials = carry_out(opened, Uneven(), device="cpu")
        next(trials)
        assert [line.partition(" in ")[0] for line in told] == ["The record", "The record"]
        assert "answers again" in told[1]
        assert len(list(trials)) == 3
        runs = opened.home.client.search_runs(
            [opened.home.experiment], "tags.`ablation.kind` = 'tuning'"
        )
    keys = [run.data.tags["ablation.key"] for run in runs if run.info.status == "FINISHED"]
    assert len(keys) == len(set(keys)) == 4
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}


def test_the_next_start_closes_what_a_kill_left_open(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(study(tuning_trials=2), tmp_path)
    with monkeypatch.context() as patch, searching(plan, places(store)) as opened:
        client, experiment = opened.home.client, opened.home.experiment
        patch.setattr(type(client), "set_terminated", lambda *_, **__: None)
        next(carry_out(opened, Uneven(), device="cpu"))
    with searching(plan, places(store)) as opened:
        assert opened.left == 4
    where = "tags.`ablation.kind` = 'tuning'"
    assert [run.info.status for run in client.search_runs([experiment], where)] == ["KILLED"]


def test_a_plan_before_a_search_counts_the_arms_that_it_will_give(tmp_path: Path) -> None:
    joint = study(factor=None, levels=(), baseline=None, tune={}, search=SPACE, best=2)
    three = study(levels=(4, 6, 8), tune={})
    runs = [0.5, 0.51, 0.53]
    for examples in (None, 200):
        assert planning(joint, runs, examples) == planning(three, runs, examples)
    assert "seeds" in " ".join(checks_of(make_plan(three, tmp_path), runs))
    assert checks_of(make_plan(joint, tmp_path), runs) == []


@pytest.mark.slow
def test_the_dashboard_shows_a_search_as_optuna_would(store: Path, tmp_path: Path) -> None:
    joint = study(factor=None, levels=(), baseline=None, tune={}, search=SPACE, search_trials=20)
    plan = make_plan(joint, tmp_path)
    told = search(plan, store, Uneven())
    with searching(plan, places(store)) as opened:
        weigh(opened, lambda fn, asked: map(fn, list(asked)[:4]))
        weigh(opened, lambda fn, asked: pytest.fail("computed once and kept"))
    (runs,) = told.values()
    url = places(store).storage
    (name,) = optuna.get_all_study_names(url)
    shown = optuna.load_study(study_name=name, storage=url)
    assert shown.metric_names == ["validation accuracy"]
    assert [trial.params for trial in shown.trials] == [runs[n].point for n in range(20)]
    assert [trial.state.name for trial in shown.trials] == [runs[n].state for n in range(20)]
    assert all(trial.user_attrs["seed"] == 10_000 + trial.number for trial in shown.trials)
    (best,) = best_of(runs, 1)
    assert (shown.best_trial.number, shown.best_value) == (best.number, best.value)
    filled = filled_in(plan, look_up_searches(plan, places(store)))
    assert all(map(part_of(plan, ()), filled.trials))
    arms = filled.study.complete_arms
    assert [arm.name for arm in arms] == ["baseline", "best 1", "best 2", "best 3"]
    assert arms[1].config.bias == choose(SPACE, Recalled(shown.best_trial.params))["bias"]
    assert set(optuna.importance.get_param_importances(shown)) <= {"bias is 0", *SPACE}


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["once", "per_replicate"])
def test_tuned_arms_are_planned_trained_judged_and_reported(
    store: Path, tmp_path: Path, tuning: str
) -> None:
    plan = make_plan(study(tuning=tuning, tuning_trials=8), tmp_path)
    where, blocks = places(store), 3 if tuning == "per_replicate" else 1
    search(plan, store, Uneven())
    known = look_up_searches(plan, where)
    assert (known.trials, known.left) == (2 * 8 * blocks, 0)
    tuned = filled_in(plan, known)
    for each in (make_plan(searched.shared(tuned.study), tmp_path), tuned):
        with session(each, where) as opened:
            trained = list(walk(opened, Uneven(), device="auto"))
            assert len(trained) == 2 * 3
    biases = {(each.trial.arm.name, each.trial.seed): each.trial.config.bias for each in trained}
    assert len(set(biases.values())) == 2 * blocks
    assert all(bias > 0 for bias in biases.values())
    if tuning == "once":  # a follow-up takes what was found, and tunes nothing
        after = follow_up_of(tuned.study, ["8"], 5)
        assert [arm.config for arm in after.complete_arms] == [
            arm.config for arm in tuned.study.complete_arms
        ]
        assert not after.tune
    with session(tuned, where) as opened:
        assert not opened.missing
        content = report.gather(opened.home)
        folder = report.build(content, tmp_path / "reports")
    assert report.differing(folder) == []
    declared = content.declaration.searched
    assert declared is not None
    assert (declared.kind, declared.trials, len(declared.names)) == (tuning, 8, 2 * blocks)
    assert Declaration.from_json(content.declaration.to_json()) == content.declaration
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert ("conditional on the tuned" in text) == (tuning == "once")
    assert "| arm | values | trials | pruned |" in text
    assert "difference at shared" in text
    values = {arm.values["bias"] for arm in content.declaration.arms}
    assert values == ({repr(bias) for bias in biases.values()} if tuning == "once"
                      else {"tuned in every block"})  # fmt: skip


@pytest.mark.parametrize("direction", [1, -1])
def test_asks_stay_in_the_space_and_depend_on_what_is_told_before_alone(direction: int) -> None:
    draw = np.random.default_rng(3)
    told: dict[int, Told] = {}
    points = []
    for number in range(24):
        point = ask(SPACE, told, number, name="s", direction=direction)
        later = {**told, **{n: dataclasses.replace(told[n], value=9.0) for n in list(told)[-3:]}}
        assert ask(SPACE, later, number, name="s", direction=direction) == point
        values = choose(SPACE, Recalled(point))
        assert values["bias"] == 0 or 1e-3 <= values["bias"] <= 1
        assert ("faces" in values) == (values["sides"] == 8)
        points.append(values)
        told[number] = Told(
            number=number, arm="a", point=point, values={}, curve={1: 0.5},
            value=direction * worth(Loaded(**values)) + draw.normal(0, 0.01), state="COMPLETE",
            seed=0, seconds=1.0,
        )  # fmt: skip
    assert points[0] != choose(SPACE, Recalled(ask(SPACE, {}, 0, name="t", direction=direction)))
    found = [worth(Loaded(**values)) for values in points]
    assert np.mean(found[8:]) > np.mean(found[:8]) + 0.05  # the first eight are quasi-random


@pytest.mark.parametrize("pruner", sorted(PRUNERS))
def test_a_hopeless_trial_is_pruned_and_the_best_is_not(pruner: str) -> None:
    told = [
        Told(number=n, arm="a", point={}, values={},
             curve={e: 0.1 * n + 0.1 * e for e in (1, 2, 3, 4)}, value=0.1 * n + 0.4,
             state="COMPLETE", seed=0, seconds=1.0)
        for n in range(6)
    ]  # fmt: skip
    for direction, worst, best in ((1, -9.0, 9.0), (-1, 9.0, -9.0)):
        ends = [
            any(Pruning(pruner, told, direction).should_stop(2, value) for _ in (1,))
            for value in (worst, best)
        ]
        assert ends == [pruner != "none", False]


def test_a_trial_of_a_search_never_reaches_test() -> None:
    job = Job(
        train=throw, resolve_device=lambda name: "cpu", config=Loaded(bias=0.1),
        seed=searched.TUNING_SEEDS, data=Table(), device="cpu",
    )  # fmt: skip
    attempt = Attempt(
        job=job, metric="accuracy", direction=1, pruner="none", told=(), epochs=EPOCHS
    )
    tried = try_point(attempt)
    assert (tried.state, len(tried.curve)) == ("COMPLETE", EPOCHS)
    assert tried.value == max(tried.curve.values())
    with pytest.raises(Refused, match="has evaluated test"):
        try_point(dataclasses.replace(attempt, epochs=None))
    leaving = dataclasses.replace(job, train=lambda *_, **__: sys.exit(0))
    with pytest.raises(Refused, match="raised SystemExit: 0"):  # else the conductor would exit
        try_point(dataclasses.replace(attempt, job=leaving))


def noise(trials: int, seed: int, worth: Any = lambda values: 0.0) -> list[Told]:
    """Trials of a search at random."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(trials):
        point: dict[str, float | str] = {
            "bias is 0": str(draw.choice(["no", "yes"])),
            "sides": str(draw.choice(["4", "6", "8"])),
        }
        if point["bias is 0"] == "no":
            point["bias"] = float(10 ** draw.uniform(-3, 0))
        if point["sides"] == "8":
            point["faces"] = str(draw.choice(["1", "2"]))
        value = worth(choose(SPACE, Recalled(point))) + draw.normal(0, 0.1)
        found.append(
            Told(number=number, arm="a", point=point, values={}, curve={1: 0.5}, value=value,
                 state="COMPLETE", seed=0, seconds=1.0)
        )  # fmt: skip
    return found


def test_the_pictures_of_a_search_show_its_trials() -> None:
    told = [
        dataclasses.replace(
            each,
            values={path: repr(v) for path, v in choose(SPACE, Recalled(each.point)).items()},
        )
        for each in noise(40, 2)
    ]
    trials = searches_frame(told)
    assert list(trials["number"]) == list(range(40))
    numbers = landscape.numeric_values(trials)
    figure = landscape.draw_slices(numbers, AXIS)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert {axes.get_xlabel() for axes in panels} == {"bias", "sides", "faces"}
    scales = {axes.get_xlabel(): axes.get_xscale() for axes in panels}
    assert scales == {"bias": "log", "sides": "linear", "faces": "linear"}
    plane = landscape.pair_of(numbers, None)
    assert set(plane.iloc[0][["x_path", "y_path"]]) == {"bias", "sides"}
    assert (plane["x"] > 0).all()
    figure = landscape.draw_contour(plane, AXIS)
    figure.draw_without_rendering()
    assert len(figure.axes) == 2  # the plane and its colour bar


def above(table: Mapping[str, list[Any]]) -> dict[tuple[str, str], bool]:
    rows = zip(*table.values(), strict=True)
    return {(name, by): value > limit for name, by, value, limit in rows}


@pytest.mark.slow
def test_what_matters_is_above_its_null() -> None:
    told = noise(60, 1, lambda values: values["sides"] == 8)
    found = above(importance_table(SPACE, told, 1, shuffles=19))
    assert {name for (name, by), is_above in found.items() if is_above and by == "fANOVA"} == {
        "sides"
    }
    assert found["sides", "PED-ANOVA"]
    assert {name for name, _ in found} == {"bias is 0", "bias", "sides", "faces"}
    assert importance_table(SPACE, told[:3], 1)["parameter"] == []


@pytest.mark.slow
def test_on_pure_noise_few_parameters_rise_above_their_null() -> None:
    studies = 200
    with ProcessPoolExecutor(2, multiprocessing.get_context("forkserver")) as pool:
        found = list(pool.map(_noisy, range(studies), chunksize=10))
    limit = 0.05 + 3.3 * math.sqrt(0.05 * 0.95 / studies)
    for cell in found[0]:
        assert np.mean([each.get(cell, False) for each in found]) <= limit, cell


def _noisy(seed: int) -> dict[tuple[str, str], bool]:
    """Which parameters are above the largest of 19 shuffles."""
    told = noise(30, 1000 + seed)
    real, *null = (importances(Asked(space=SPACE, told=told, direction=1, shuffle=each))
                   for each in (None, *range(19)))  # fmt: skip
    return {
        (name, by): value > max(each[by][name] for each in null)
        for by, of in real.items()
        for name, value in of.items()
    }
