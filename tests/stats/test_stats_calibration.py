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
    spec = importlib.util.spec_from_file_location("calibration", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibration"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["calibration"]


def test_the_shipped_engine_keeps_its_promises_on_a_cut_of_the_grid(calibration):
    cells = [cell for cell in calibration.grid(sizes=(3, 8)) if cell.comparisons == 2]
    rates = calibration.run(calibration.shipped_engine, cells, repetitions=3000)
    assert {r.cell.pattern for r in rates} == {*calibration.PATTERNS, "failures"}
    assert [line for r in rates for line in calibration.violations(r)] == []


def test_the_percentile_bootstrap_in_its_place_fails(calibration):
    control = calibration.run(
        calibration.bootstrap_engine, calibration.CONTROL_CELLS[:3], repetitions=3000
    )
    assert all(len(calibration.violations(r)) >= 2 for r in control)
    assert calibration.blind_spots(control) == []


def test_power_at_the_mixed_truth_has_not_sunk(calibration):
    power = calibration.run(calibration.shipped_engine, calibration.POWER_CELLS, repetitions=4000)
    assert calibration.power_violations(power) == []
    assert len(calibration.power_violations(replace(r, decided=0.1) for r in power)) == 3


def test_looks_spend_no_more_than_alpha(calibration):
    looks = calibration.run(calibration.looks_engine, calibration.LOOK_CELLS[:3], repetitions=3000)
    assert [line for r in looks for line in calibration.violations(r)] == []
    assert looks[0].difference > 0


def test_every_promise_is_checked(calibration):
    cell = calibration.Cell("normal", "equal", 2, 5)
    good = calibration.Rates(cell, 3000, 0.05, 0.05, 0.08, 0.95, 0.5)
    assert calibration.violations(good) == []
    for name, broken in {"difference": 0.07, "equivalence": 0.07, "union": 0.1}.items():
        assert len(calibration.violations(replace(good, **{name: broken}))) == 1
    assert len(calibration.violations(replace(good, coverage=0.92))) == 1


def test_intervals_that_cannot_be_given_do_not_cover(calibration):
    def mute(studies):
        claims = calibration.shipped_engine(studies)
        unknown = np.full(claims.effect.shape, np.nan)
        return replace(claims, interval=(unknown, unknown))

    [rates] = calibration.run(mute, calibration.POWER_CELLS[:1], repetitions=100)
    assert rates.coverage == 0


def test_rates_do_not_depend_on_the_number_of_processes(calibration):
    cells = calibration.CONTROL_CELLS[:2]
    one = calibration.run(calibration.shipped_engine, cells, repetitions=50)
    two = calibration.run(calibration.shipped_engine, cells, repetitions=50, processes=2)
    assert one == two
