"""Failure rates: exact bounds and the exact sign test, against scipy and paper."""

import numpy as np
import pytest
from scipy import stats

from ablation.stats import clopper_pearson, clopper_pearson_upper, sign_test


def test_no_failure_in_five_still_allows_45_percent():
    assert clopper_pearson_upper(0, 5) == pytest.approx(1 - 0.05 ** (1 / 5))
    assert clopper_pearson_upper(0, 5) == pytest.approx(0.45, abs=0.001)


def test_all_failed_or_nothing_run_leaves_the_bound_at_one():
    assert clopper_pearson_upper([5, 0], [5, 0]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("failed", "n"), [(0, 7), (1, 8), (3, 10), (10, 10)])
def test_both_bounds_agree_with_scipy(failed, n):
    exact = stats.binomtest(failed, n).proportion_ci(0.95, method="exact")
    low, high = clopper_pearson(failed, n)
    assert (low, high) == pytest.approx((exact.low, exact.high), rel=1e-9)
    above = stats.binomtest(failed, n, alternative="less").proportion_ci(0.95, method="exact")
    assert clopper_pearson_upper(failed, n) == pytest.approx(above.high, rel=1e-9)


def test_more_failures_than_runs_are_refused():
    with pytest.raises(ValueError, match="between 0 and n"):
        clopper_pearson_upper(4, 3)


@pytest.mark.parametrize(("more", "less"), [(0, 0), (1, 0), (3, 3), (8, 1), (0, 9)])
def test_the_sign_test_agrees_with_scipy(more, less):
    expected = stats.binomtest(more, more + less).pvalue if more + less else 1.0
    assert sign_test(more, less) == pytest.approx(expected)


def test_the_sign_test_on_paper():
    # Five of five on one side: 2 / 2^5.
    np.testing.assert_allclose(sign_test([5, 0, 2], [0, 6, 2]), [1 / 16, 1 / 32, 1.0])
