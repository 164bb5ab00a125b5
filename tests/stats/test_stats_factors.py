"""Trends and interactions: slopes and contrasts per seed, tested over the seeds."""

import numpy as np
import pytest
from scipy import stats

from ablation.stats import Contrasts, Status, contrasts, factorial_weights, holm, trend

LEVELS = [0.01, 0.05, 0.2, 1.0]


def noisy(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_the_trend_is_a_t_test_on_the_slopes_of_the_seeds():
    values = noisy((4, 7)) + np.arange(4)[:, None]
    slopes = [np.polyfit(np.log10(LEVELS), values[:, s], 1)[0] for s in range(7)]
    theirs = stats.ttest_1samp(slopes, 0)
    ours = trend(values, LEVELS, log=True)
    assert ours.slope == pytest.approx(np.mean(slopes))
    assert ours.standard_error == pytest.approx(stats.sem(slopes))
    assert ours.p == pytest.approx(theirs.pvalue)
    span = theirs.confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((span.low, span.high))


def test_the_trend_on_a_plain_scale_keeps_its_unit():
    values = 2.5 * np.array([[0.0], [1.0], [3.0]]) + 0.01 * noisy((3, 5))
    assert trend(values, [0, 1, 3]).slope == pytest.approx(2.5, abs=0.02)


def test_a_level_of_0_is_left_out_on_the_log_scale():
    values = noisy((5, 6))
    ours = trend(values, [0.0, *LEVELS], log=True)
    assert ours.used.tolist() == [False, True, True, True, True]
    assert ours.slope == pytest.approx(trend(values[1:], LEVELS, log=True).slope)
    assert trend(values, [0.0, *LEVELS]).used.all()


def test_the_trend_takes_studies_and_leaves_incomplete_blocks_out():
    values = noisy((3, 4, 6))
    status = np.zeros(values.shape, dtype=int)
    status[1, 0, 2] = Status.MISSING
    ours = trend(values, LEVELS, status=status)
    assert ours.n.tolist() == [6, 5, 6]
    alone = trend(np.delete(values[1], 2, axis=1), LEVELS)
    assert ours.p[1] == pytest.approx(float(alone.p))


def test_equal_slopes_on_all_seeds_are_not_certain():
    values = noisy((1, 5)) + np.array([[0.0], [0.1], [0.2]])
    assert np.isnan(trend(values, [1, 2, 3]).p)
    quantised = trend(values, [1, 2, 3], quantum=0.01)
    assert quantised.standard_error == pytest.approx(0.01 * np.sqrt(1 / 2 / 12) / np.sqrt(5))


def test_two_seeds_make_no_trend():
    ours = trend(noisy((4, 2)), LEVELS)
    assert np.isnan(ours.p)
    assert np.isfinite(ours.slope)


@pytest.mark.parametrize(
    ("levels", "log", "message"),
    [
        ([1, 2, 3], False, "one finite number per arm"),
        ([1, 2, 3, np.nan], False, "one finite number per arm"),
        ([-1, 2, 3, 4], True, "negative"),
        ([0, 0, 0, 4], True, "two different levels above 0"),
        ([2, 2, 2, 2], False, "two different levels"),
    ],
)
def test_levels_that_make_no_line_are_refused(levels, log, message):
    with pytest.raises(ValueError, match=message):
        trend(noisy((4, 5)), levels, log=log)


def interaction(values, *, status=None, **given) -> Contrasts:
    """The interactions of two crossed factors, ``[..., first, second, seed]``."""
    *leading, first, second, seeds = values.shape
    arms = (*leading, first * second, seeds)
    _, weights = factorial_weights(list(np.ndindex(first, second)), pairs=True)
    states = None if status is None else status.reshape(arms)
    return contrasts(values.reshape(arms), weights, status=states, **given)


def test_the_interaction_is_a_t_test_on_differences_of_differences():
    values = noisy((3, 2, 7)) + 1.5 * np.eye(3, 2)[..., None]
    ours = interaction(values)
    sums = [values[i, 1] - values[i, 0] - values[0, 1] + values[0, 0] for i in (1, 2)]
    theirs = [stats.ttest_1samp(each, 0) for each in sums]
    np.testing.assert_allclose(ours.effect, np.mean(sums, axis=1))
    np.testing.assert_allclose(ours.standard_error, stats.sem(sums, axis=1))
    np.testing.assert_allclose(ours.p, holm([t.pvalue for t in theirs]))
    np.testing.assert_allclose(ours.low, [t.confidence_interval().low for t in theirs])
    np.testing.assert_allclose(ours.high, [t.confidence_interval().high for t in theirs])


def test_adjusted_intervals_of_cells_exclude_0_exactly_when_holm_rejects():
    values = noisy((400, 3, 3, 5)) + 2 * noisy((400, 3, 3, 1), seed=1)
    ours = interaction(values)
    rejected = ours.p <= 0.05
    assert 0.02 < rejected.mean() < 0.98
    np.testing.assert_array_equal((ours.adjusted_low > 0) | (ours.adjusted_high < 0), rejected)


def test_factors_that_only_add_up_do_not_interact():
    values = noisy((1, 1, 8)) + np.arange(2)[:, None, None] + 3 * np.arange(3)[:, None]
    ours = interaction(values, quantum=0.1)
    np.testing.assert_allclose(ours.effect, 0, atol=1e-12)
    np.testing.assert_allclose(ours.standard_error, 0.1 / np.sqrt(3) / np.sqrt(8))
    assert np.isnan(interaction(values).p).all()


def test_the_interaction_leaves_incomplete_blocks_out():
    values = noisy((2, 2, 6))
    status = np.zeros(values.shape, dtype=int)
    status[1, 0, 4] = Status.MISSING
    ours = interaction(values, status=status)
    assert ours.n == 5
    np.testing.assert_allclose(ours.p, interaction(np.delete(values, 4, axis=-1)).p)
