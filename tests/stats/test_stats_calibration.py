"""The calibration benchmark in a small cut, and proof that it can fail."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "calibration.py"


@pytest.fixture(scope="module")
def calibration():
    sys.path.insert(0, str(BENCHMARK.parent))  # as when it is run as a script
    spec = importlib.util.spec_from_file_location("calibration", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibration"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(BENCHMARK.parent))
    for name in [n for n in sys.modules if n.split(".")[0] in {"calibration", "calibrate"}]:
        del sys.modules[name]


def test_the_shipped_engine_keeps_its_promises_on_a_cut_of_the_grid(calibration):
    fixed = calibration.fixed
    cells = [cell for cell in fixed.grid(sizes=(3, 8)) if cell.comparisons == 2]
    rates = fixed.run(fixed.shipped_engine, cells, repetitions=3000)
    assert {r.cell.pattern for r in rates} == {*fixed.PATTERNS, "failures"}
    assert calibration.broken(c for r in rates for c in fixed.checks(r)) == []


def test_the_percentile_bootstrap_in_its_place_fails(calibration):
    fixed = calibration.fixed
    control = fixed.run(fixed.bootstrap_engine, fixed.CONTROL_CELLS[:3], repetitions=3000)
    assert all(len(calibration.broken(fixed.checks(r))) >= 2 for r in control)
    marked = [c for r in control for c in fixed.checks(r, control="bootstrap")]
    assert calibration.broken(marked) == []


def test_power_at_the_mixed_truth_has_not_sunk(calibration):
    fixed = calibration.fixed
    power = fixed.run(fixed.shipped_engine, fixed.POWER_CELLS, repetitions=4000)
    assert calibration.broken(c for r in power for c in fixed.power_checks(r)) == []
    weak = [c for r in power for c in fixed.power_checks(replace(r, decided=0.1))]
    assert len(calibration.broken(weak)) == 3


def test_looks_keep_their_promises_on_the_hump_and_the_natural_rule_does_not(calibration):
    cells = [c for c in calibration.looks.look_cells() if c.margin == 1.2 and c.comparisons == 6]
    found = [
        check
        for number, cell in enumerate(cells)
        for check in calibration.looks.look_checks(cell, 2000, number)
    ]
    assert len(found) == 3 * len(cells) == 18
    assert calibration.broken(found) == []
    assert calibration.broken(calibration.looks.natural_checks(6000)) == []


def test_looks_taken_without_some_runs_keep_their_promises(calibration):
    cells = [c for c in calibration.late.late_cells() if c.comparisons == 6 and c.margin == 1.2]
    found = [
        c for n, cell in enumerate(cells) for c in calibration.late.late_checks(cell, 2000, n)
    ]
    assert len(found) == 3 * len(cells) == 12
    assert calibration.broken(found) == []


def test_intervals_after_looks_cover_and_pointwise_ones_do_not(calibration):
    found = calibration.looks.interval_checks(3000)
    assert sum(check.control for check in found) == 1
    assert calibration.broken(found) == []


def test_the_price_is_that_of_the_shipped_rule(calibration):
    price = calibration.looks.price(1500)
    assert price["decided at looks, after"] <= price["decided at looks, before"]
    assert price["seeds at looks, after"] >= price["seeds at looks, before"]
    assert 0.5 < price["decided at looks, after"] < 1


def test_new_examples_are_judged_within_alpha_and_the_split_alone_is_not(calibration):
    cells = [c for c in calibration.crossed.crossed_cells() if c.examples == 100 and c.n == 5]
    found = [
        check
        for number, cell in enumerate(cells)
        for check in calibration.crossed.crossed_checks(cell, 400, number)
    ]
    assert calibration.broken(found) == []
    assert calibration.broken(calibration.crossed.split_only_checks(100)) == []
    assert calibration.broken(calibration.crossed.tail_checks(40_000)) == []


def test_data_sets_keep_their_promises_and_pooling_does_not(calibration):
    sets = calibration.sets
    found = [*sets.count_checks(1500), *sets.within_checks(1500), *sets.mean_checks(2000)]
    assert sum(check.control for check in found) == 2
    assert calibration.broken(found) == []


def test_follow_ups_decide_as_often_as_is_said(calibration):
    found = calibration.followups.follow_up_checks(30)
    assert len(found) >= 4
    assert calibration.broken(found) == []


def test_unpaired_arms_keep_their_promises_and_the_usual_degrees_do_not(calibration):
    found = calibration.unpaired.unpaired_checks(1000)
    assert sum(check.control for check in found) == 1
    assert calibration.broken(found) == []


def test_every_promise_is_checked(calibration):
    fixed = calibration.fixed
    cell = fixed.Cell("normal", "equal", 2, 5)
    good = fixed.Rates(cell, 3000, 0.05, 0.05, 0.08, 0.95, 0.5)
    assert calibration.broken(fixed.checks(good)) == []
    for name, seen in {"difference": 0.07, "equivalence": 0.07, "union": 0.1}.items():
        assert len(calibration.broken(fixed.checks(replace(good, **{name: seen})))) == 1
    assert len(calibration.broken(fixed.checks(replace(good, coverage=0.92)))) == 1
    assert len(calibration.broken(fixed.checks(good, control="a wrong engine"))) == 1


def test_the_table_and_the_last_line_name_the_worst_cell(calibration):
    def check(seen, **more):
        return calibration.Check(promise="p", cell=f"at {seen}", seen=seen, bound=0.5, **more)

    found = [check(0.1), check(0.4), check(0.2)]
    assert "at 0.4" in calibration.table(found)
    last = calibration.summary([*found, check(0.9)], {"seeds": 12.34567}, 61.4)
    assert last["worst"]["p"] == {"cell": "at 0.9", "seen": 0.9, "bound": 0.5}
    assert last["broken"] == ["p: 0.9000, bound 0.5000 (at 0.9)"]
    assert (last["price"], last["checks"], last["seconds"]) == ({"seeds": 12.3457}, 4, 61)
    assert check(0.6, at_least=True).holds
    assert check(0.6, control=True).holds
    assert not check(0.4, at_least=True).holds
    assert not check(0.4, control=True).holds


def test_every_measurement_is_in_the_plan(calibration):
    names = [getattr(job, "func", job).__name__ for job in calibration.jobs()]
    assert names.count("crossed_checks") == 192
    assert names.count("look_checks") == 120
    assert {"natural_checks", "split_only_checks", "tail_checks", "bootstrap_checks"} < set(names)


def test_intervals_that_cannot_be_given_do_not_cover(calibration):
    fixed = calibration.fixed

    def mute(studies):
        claims = fixed.shipped_engine(studies)
        unknown = np.full(claims.effect.shape, np.nan)
        return replace(claims, interval=(unknown, unknown))

    [rates] = fixed.run(mute, fixed.POWER_CELLS[:1], repetitions=100)
    assert rates.coverage == 0


def test_rates_do_not_depend_on_the_number_of_processes(calibration):
    fixed = calibration.fixed
    cells = fixed.CONTROL_CELLS[:2]
    one = fixed.run(fixed.shipped_engine, cells, repetitions=50)
    two = fixed.run(fixed.shipped_engine, cells, repetitions=50, processes=2)
    assert one == two
