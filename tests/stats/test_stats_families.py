"""Holm's correction: parity, membership, and the intervals that agree with it."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from ablation.stats import holm, holm_family


@pytest.mark.parametrize("size", [1, 2, 3, 10, 45])
def test_holm_agrees_with_statsmodels(size):
    p = np.random.default_rng(size).random(size) ** 4
    rejected, adjusted, _, _ = multipletests(p, alpha=0.05, method="holm")
    family = holm_family(p, alpha=0.05)
    np.testing.assert_allclose(holm(p), adjusted, rtol=1e-12)
    np.testing.assert_allclose(family.adjusted, adjusted, rtol=1e-12)
    assert family.rejected.tolist() == rejected.tolist()


def test_holm_on_paper():
    # .01 * 4, then .015 * 3 = .045, then .03 * 2 = .06, and .02 * ... never below the step before.
    np.testing.assert_allclose(holm([0.03, 0.01, 0.9, 0.015]), [0.06, 0.04, 0.9, 0.045])
    np.testing.assert_allclose(holm([0.02, 0.021]), [0.04, 0.04])


def test_families_on_a_leading_axis_do_not_touch_each_other():
    p = np.random.default_rng(0).random((7, 5))
    np.testing.assert_allclose(holm(p), [holm(row) for row in p])


def test_what_leaves_the_family_counts_for_nothing():
    adjusted = holm([0.01, 0.02, 0.001], remain=[True, True, False])
    np.testing.assert_allclose(adjusted, [0.02, 0.02, np.nan])


def test_what_could_not_be_tested_still_counts():
    np.testing.assert_allclose(holm([0.01, np.nan, 0.02]), [0.03, np.nan, 0.04])


def test_divisors_are_holms_own_where_rejected_and_what_is_left_elsewhere():
    family = holm_family([0.001, 0.9, 0.012, 0.4], alpha=0.05)
    assert family.rejected.tolist() == [True, False, True, False]
    assert family.divisor.tolist() == [4, 2, 3, 2]


def test_every_rejected_p_is_within_alpha_over_its_divisor_and_no_other_is():
    p = np.random.default_rng(1).random((2000, 6)) ** 5
    family = holm_family(p, alpha=0.05)
    assert 0.1 < family.rejected.mean() < 0.9
    np.testing.assert_array_equal(p <= 0.05 / family.divisor, family.rejected)
