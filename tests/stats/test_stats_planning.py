"""Planning: power against measured figures and the noncentral t; sizes of a follow-up."""

import numpy as np
import pytest
from scipy import stats

from ablation.stats import (
    Ground,
    Seen,
    Status,
    difference_noise,
    follow_up,
    least_effect,
    power_better,
    verdicts,
)

# P(BETTER) of one real effect of 1, 1.5, 2, 3 noise SDs among six arms, from simulation.
MEASURED = {
    3: (0.03, 0.06, 0.11, 0.22),
    5: (0.11, 0.29, 0.50, 0.87),
    8: (0.32, 0.71, 0.94, 1.0),
    10: (0.47, 0.88, 0.99, 1.0),
    20: (0.92, 1.0, 1.0, 1.0),
}


@pytest.mark.parametrize("n", MEASURED)
def test_power_for_better_agrees_with_what_was_measured(n):
    power = [power_better(n, effect=e, noise=1, comparisons=6) for e in (1, 1.5, 2, 3)]
    np.testing.assert_allclose(power, MEASURED[n], atol=0.02)


def test_power_for_better_agrees_with_the_noncentral_t():
    n = np.array([4, 9, 30])
    expected = stats.nct.sf(stats.t.isf(0.05 / 4, n - 1), n - 1, 0.6 / 0.5 * np.sqrt(n))
    np.testing.assert_allclose(
        power_better(n, effect=0.6, noise=0.5, comparisons=2), expected, rtol=1e-6
    )


def test_a_difference_has_the_noise_of_two_runs():
    assert difference_noise(0.01) == pytest.approx(0.01 * np.sqrt(2))


def test_sufficient_seeds_are_the_fewest_that_leave_no_room_between_the_tests():
    sizes = np.arange(3, 201)
    tails = stats.t.isf(0.05 / 12, sizes - 1) + stats.t.isf(0.05 / 6, sizes - 1)
    expected = sizes[np.argmax(tails * 0.8 / np.sqrt(sizes) <= 1.0)]
    ours = follow_up(Seen(n=5, effect=0.4, spread=0.8), margin=1.0, comparisons=6)
    assert ours.sufficient == expected


def test_likely_seeds_are_the_fewest_with_a_predictive_chance_of_four_fifths():
    n, effect, spread, margin, arms = 5, 0.4, 0.8, 1.0, 6
    draw = np.random.default_rng(0)
    true = spread / np.sqrt(draw.chisquare(n - 1, 400_000) / (n - 1))
    future = draw.normal(size=true.size)

    def chance(size):
        mean = effect + future * true * np.sqrt(1 / n + 1 / size)
        error = true / np.sqrt(size)
        apart = np.abs(mean) > stats.t.isf(0.05 / (2 * arms), size - 1) * error
        within = np.abs(mean) < margin - stats.t.isf(0.05 / arms, size - 1) * error
        return np.mean(apart | within)

    seen = Seen(n=n, effect=effect, spread=spread)
    seeds = int(follow_up(seen, margin=margin, comparisons=arms).likely)
    assert chance(seeds - 1) < 0.8 + 0.01
    assert chance(seeds) >= 0.8 - 0.01


def sizes(**seen):
    asked = {"n": 8, "effect": 0.9, "spread": 1.0} | seen
    return follow_up(Seen(**asked), margin=1.0, comparisons=3)


def test_a_variance_that_seeds_cannot_lower_asks_for_a_larger_test_split():
    small, large = (sizes(fixed=f, example_df=199.0) for f in (0.01, 0.16))
    assert small.likely > sizes().likely
    assert not small.needs_examples
    assert np.isinf([large.likely, large.sufficient]).all()
    assert large.needs_examples
    assert not sizes(effect=0.3, spread=30.0).needs_examples  # that is a matter of noise
    certain = sizes(effect=3.0, fixed=0.16, example_df=199.0)
    assert np.isfinite(certain.likely)
    assert np.isinf(certain.sufficient)


def test_failures_on_one_side_leave_a_verdict_to_the_sign_test_or_to_none_of_them():
    clean = sizes()
    few = sizes(failed_alone=1, failing=0.1)
    assert np.isinf(few.likely)
    assert not few.needs_examples
    many = sizes(n=8, failed_alone=7, failing=0.3)
    assert clean.likely < many.likely < 60
    level, counts = 0.05 / 3, np.arange(9, 40)
    least = counts[np.argmax([stats.binomtest(int(k), int(k)).pvalue <= level for k in counts])]
    assert many.likely >= least


def test_failures_of_other_arms_count_too():
    alone, among = sizes(), sizes(failing=0.05)
    assert among.likely > alone.likely


def test_an_arm_that_only_its_failures_keep_from_a_verdict_has_a_size():
    values = np.random.default_rng(3).normal(size=(2, 8)) + np.array([[0.0], [40.0]])
    status = np.zeros((2, 8), int)
    status[1, 0] = Status.FAILED
    v = verdicts(values, margin=1.0, status=status, floor=35.0)
    assert v.ground[1] == Ground.FAILURES_OBJECT
    assert not np.isnan(v.follow_up().likely[1])
    by_hand = Seen(
        n=8,
        effect=v.effect[1],
        spread=v.standard_error[1] * np.sqrt(8),
        failed_alone=1,
        failing=1 / 8,
    )
    assert v.follow_up().likely[1] == follow_up(by_hand, margin=1.0, comparisons=1).likely


def test_the_family_of_a_follow_up_can_be_another():
    v = verdicts(np.random.default_rng(3).normal(size=(3, 8)), margin=1.0)
    wide, narrow = v.follow_up(comparisons=9), v.follow_up(comparisons=1)
    assert (wide.sufficient[1:] > narrow.sufficient[1:]).all()


def test_no_number_of_seeds_shows_less_than_the_split_allows():
    least = least_effect(examples=200, deviation=0.3, comparisons=6)
    assert least == pytest.approx(stats.t.isf(0.05 / 12, 199) * 0.3 / np.sqrt(200))
    assert least == pytest.approx(0.057, abs=5e-4)


def test_follow_up_sizes_are_for_undecided_arms_alone():
    draw = np.random.default_rng(3)
    values = draw.normal(size=(4, 8)) + np.array([[0.0], [9.0], [-0.3], [0.0]])
    values[3] = values[0]
    v = verdicts(values, margin=1.0, identical=[False, False, False, True])
    assert v.verdict.tolist() == ["", "BETTER", "INCONCLUSIVE", "IDENTICAL"]
    assert np.isnan(v.follow_up().likely).tolist() == [True, True, False, True]
    seen = Seen(n=8, effect=v.effect[2], spread=v.standard_error[2] * np.sqrt(8))
    by_hand = follow_up(seen, margin=1.0, comparisons=2)
    assert v.follow_up().likely[2] == by_hand.likely
    assert v.follow_up().sufficient[2] == by_hand.sufficient


def test_a_follow_up_has_an_alpha_of_its_own():
    values = np.random.default_rng(3).normal(size=(3, 8))
    look, whole = verdicts(values, margin=1.0, alpha=0.005), verdicts(values, margin=1.0)
    both = (look.verdict == "INCONCLUSIVE") & (whole.verdict == "INCONCLUSIVE")
    assert both.any()
    np.testing.assert_array_equal(look.follow_up().likely[both], whole.follow_up().likely[both])
    assert (look.follow_up(alpha=0.005).likely[both] > look.follow_up().likely[both]).all()


def test_no_number_is_sufficient_without_a_margin():
    ours = follow_up(Seen(n=8, effect=0.9, spread=1.0), margin=None, comparisons=2)
    assert np.isnan(ours.sufficient)
    assert 3 < ours.likely < 200


def test_beyond_two_hundred_seeds_the_size_is_infinite_and_the_sentence_says_so():
    ours = follow_up(Seen(n=8, effect=0.1, spread=1.0), margin=0.01, comparisons=2)
    assert np.isinf([ours.likely, ours.sufficient]).all()
    assert np.isinf(ours.likely)
