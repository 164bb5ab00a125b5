"""Planning: power against the measured figures, simulation and quadrature; follow-up sizes."""

import numpy as np
import pytest
from scipy import integrate, stats

from ablation.stats import (
    difference_noise,
    follow_up,
    follow_up_sentence,
    power_better,
    power_equivalent,
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


@pytest.mark.parametrize(("n", "margin", "effect"), [(3, 2.0, 0.0), (8, 1.2, 0.3), (20, 1.0, 0.0)])
def test_power_for_equivalence_agrees_with_quadrature_over_the_spread(n, margin, effect):
    critical = stats.t.isf(0.05 / 3, n - 1)

    def density(u):
        reach = margin - critical * u / np.sqrt(n)
        chance = np.diff(stats.norm.cdf([-reach, reach], effect, 1 / np.sqrt(n)))[0]
        return chance * stats.chi.pdf(u * np.sqrt(n - 1), n - 1) * np.sqrt(n - 1)

    expected, _ = integrate.quad(density, 0, margin * np.sqrt(n) / critical, limit=200)
    ours = power_equivalent(n, margin=margin, noise=1, comparisons=3, effect=effect)
    assert ours == pytest.approx(expected, abs=1e-6)


def test_power_for_equivalence_takes_its_units_from_the_noise():
    n = np.array([5, 10])
    ones = power_equivalent(n, margin=1.5, noise=1, comparisons=6, effect=0.2)
    scaled = power_equivalent(n, margin=0.015, noise=0.01, comparisons=6, effect=0.002)
    np.testing.assert_allclose(ones, scaled)


def test_noise_of_a_difference_falls_with_the_pairing_gain():
    assert difference_noise(0.01) == pytest.approx(0.01 * np.sqrt(2))
    assert difference_noise(0.01, rho=0.75) == pytest.approx(0.01 / np.sqrt(2))


def test_sufficient_seeds_are_the_fewest_that_leave_no_room_between_the_tests():
    sizes = np.arange(3, 201)
    tails = stats.t.isf(0.05 / 12, sizes - 1) + stats.t.isf(0.05 / 6, sizes - 1)
    expected = sizes[np.argmax(tails * 0.8 / np.sqrt(sizes) <= 1.0)]
    ours = follow_up(n=5, effect=0.4, spread=0.8, margin=1.0, comparisons=6)
    assert ours.sufficient == expected


def test_likely_seeds_are_the_fewest_with_a_predictive_chance_of_four_fifths():
    n, effect, spread, margin, arms = 5, 0.4, 0.8, 1.0, 6
    t = np.random.default_rng(0).standard_t(n - 1, 400_000)

    def chance(size):
        future = effect + t * spread * np.sqrt(1 / n - 1 / size)
        error = spread / np.sqrt(size)
        apart = np.abs(future) > stats.t.isf(0.05 / (2 * arms), size - 1) * error
        within = np.abs(future) < margin - stats.t.isf(0.05 / arms, size - 1) * error
        return np.mean(apart | within)

    seeds = int(
        follow_up(n=n, effect=effect, spread=spread, margin=margin, comparisons=arms).likely
    )
    assert chance(seeds - 1) < 0.8 + 0.003
    assert chance(seeds) >= 0.8 - 0.003
    assert seeds > n


def test_follow_up_sizes_are_for_undecided_arms_alone():
    draw = np.random.default_rng(3)
    values = draw.normal(size=(4, 8)) + np.array([[0.0], [9.0], [-0.3], [0.0]])
    values[3] = values[0]
    v = verdicts(values, margin=1.0, identical=[False, False, False, True])
    assert v.verdict.tolist() == ["", "BETTER", "INCONCLUSIVE", "IDENTICAL"]
    assert np.isnan(v.seeds_likely).tolist() == [True, True, False, True]
    by_hand = follow_up(
        n=8,
        effect=v.effect[2],
        spread=v.standard_error[2] * np.sqrt(8),
        margin=1.0,
        comparisons=2,
    )
    assert v.seeds_likely[2] == by_hand.likely
    assert v.seeds_sufficient[2] == by_hand.sufficient


def test_a_follow_up_has_an_alpha_of_its_own():
    values = np.random.default_rng(3).normal(size=(3, 8))
    look, whole = verdicts(values, margin=1.0, alpha=0.005), verdicts(values, margin=1.0)
    both = (look.verdict == "INCONCLUSIVE") & (whole.verdict == "INCONCLUSIVE")
    assert both.any()
    np.testing.assert_array_equal(look.seeds_likely[both], whole.seeds_likely[both])
    assert (look.follow_up(alpha=0.005).likely[both] > look.seeds_likely[both]).all()


def test_no_number_is_sufficient_without_a_margin():
    ours = follow_up(n=8, effect=0.9, spread=1.0, margin=None, comparisons=2)
    assert np.isnan(ours.sufficient)
    assert 8 < ours.likely < 200


def test_beyond_two_hundred_seeds_the_size_is_infinite_and_the_sentence_says_so():
    ours = follow_up(n=8, effect=0.1, spread=1.0, margin=0.01, comparisons=2)
    assert np.isinf([ours.likely, ours.sufficient]).all()
    assert follow_up_sentence(float(ours.likely)).startswith("> 200 seeds: widen the margin")
    assert follow_up_sentence(14.0) == "a follow-up of 14 seeds would decide it with 80 %"
    assert follow_up_sentence(float("nan")) == ""
