"""Paired t, equivalence and intervals: values worked on paper, and independent libraries."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from ablation.stats import Critical, interval, moments, t_quantile, verdicts
from ablation.stats.critical import difference_p, equivalence_p

# Two degrees of freedom have a closed form: P(T > t) = 1/2 - t / (2 sqrt(2 + t^2)).
ON_PAPER = np.array([[10.0, 20.0, 30.0], [11.0, 22.0, 33.0]])  # differences 1, 2, 3


def test_differences_1_2_3_give_the_t_worked_on_paper():
    v = verdicts(ON_PAPER, margin=5)
    assert v.n[1] == 3
    assert v.mean.tolist() == [20.0, 22.0]
    assert v.effect[1] == 2
    assert v.standard_error[1] == pytest.approx(1 / np.sqrt(3))
    t = 2 * np.sqrt(3)
    assert v.p_difference[1] == pytest.approx(1 - t / np.sqrt(2 + t**2))
    assert (v.low[1], v.high[1]) == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=1e-5)


def test_differences_1_2_3_give_the_equivalence_worked_on_paper():
    t = (5 - 2) * np.sqrt(3)
    expected = 0.5 - t / (2 * np.sqrt(2 + t**2))
    assert verdicts(ON_PAPER, margin=5).p_equivalence[1] == pytest.approx(expected)
    assert verdicts(-ON_PAPER, margin=5).p_equivalence[1] == pytest.approx(expected)


def test_pairing_gain_is_one_minus_the_ratio_of_variances():
    # Baseline variance 100, arm variance 121, variance of the differences 1.
    assert verdicts(ON_PAPER, margin=5).rho[1] == pytest.approx(1 - 1 / 221)
    assert np.isnan(verdicts(ON_PAPER, margin=5).rho[0])


@pytest.mark.parametrize("n", [3, 5, 8, 20])
def test_difference_and_interval_agree_with_scipy(n):
    values = np.random.default_rng(n).normal(size=(2, n))
    theirs = stats.ttest_rel(values[1], values[0])
    ours = verdicts(values, margin=None)
    assert ours.p_difference[1] == pytest.approx(theirs.pvalue, rel=1e-10)
    span = theirs.confidence_interval(0.95)
    assert (ours.low[1], ours.high[1]) == pytest.approx((span.low, span.high), rel=1e-9)


@pytest.mark.parametrize("n", [3, 5, 8, 20])
@pytest.mark.parametrize("shift", [-0.7, 0.0, 0.4, 3.0])
def test_equivalence_agrees_with_statsmodels(n, shift):
    values = np.random.default_rng(n).normal(size=(2, n)) + np.array([[0.0], [shift]])
    theirs, _, _ = ttost_paired(values[1], values[0], -1.1, 1.1)
    ours = verdicts(values, margin=1.1)
    assert ours.p_equivalence[1] == pytest.approx(theirs, rel=1e-10)


def test_quantiles_agree_with_scipy_far_into_the_tail():
    tail, df = np.array([0.4, 0.025, 1e-4, 1e-9]), np.array([[2.0], [7.0], [19.0]])
    np.testing.assert_allclose(t_quantile(tail, df), stats.t.isf(tail, df), rtol=1e-9)


def test_p_values_are_students_and_keep_their_digits_far_into_the_tail():
    effects, errors = np.array([0.5, -2.0, 100.0]), np.array([1.0, 0.5, 1.0])
    law = Critical(df=np.full(3, 19.0), weight=np.ones(3), example_df=np.ones(3))
    found, within = difference_p(effects, errors, law), equivalence_p(effects, errors, law, 1.0)
    np.testing.assert_allclose(found, 2 * stats.t.sf([0.5, 4.0, 100.0], 19), rtol=1e-9)
    np.testing.assert_allclose(within, stats.t.sf([0.5, -2.0, -99.0], 19))


def test_an_interval_takes_arrays():
    effects, errors = np.array([0.5, -2.0]), np.array([1.0, 0.5])
    low, high = interval(effects, errors, 4, 0.025)
    np.testing.assert_allclose((high - low) / 2, stats.t.isf(0.025, 4) * errors)


def test_moments_count_only_what_is_kept():
    sample = np.array([[1.0, 2.0, 99.0, 3.0], [5.0, 99.0, 99.0, 99.0], [9.0, 9.0, 9.0, 9.0]])
    kept = np.array([[1, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
    mean, deviation = moments(sample, kept)
    np.testing.assert_allclose(mean, [2.0, 5.0, np.nan])
    np.testing.assert_allclose(deviation, [1.0, np.nan, np.nan])


def test_the_quantum_bounds_the_spread_from_below():
    # Three equal differences of 2 steps of 0.01: variance 0, floored at q^2 / 6.
    values = np.array([[0.50, 0.55, 0.60], [0.52, 0.57, 0.62]])
    v = verdicts(values, margin=0.1, quantum=0.01)
    assert v.standard_error[1] == pytest.approx(0.01 / np.sqrt(6) / np.sqrt(3))


def test_a_spread_above_the_quantum_is_left_alone():
    own = verdicts(ON_PAPER, margin=5).standard_error[1]
    assert verdicts(ON_PAPER, margin=5, quantum=1.0).standard_error[1] == own
