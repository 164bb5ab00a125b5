"""Several data sets and several studies: counts that hold, means over sets, one Holm for all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from ablation.stats import (
    any_false,
    holding_sets,
    holm,
    mean_over_sets,
    partial_conjunction,
    surviving,
    verdicts,
    walk_looks,
)

THOROUGH = settings(max_examples=150, deadline=None)
P_VALUES = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 7), st.integers(1, 4)), elements=st.floats(1e-8, 1)
)


def by_hand(p, alpha):
    """The largest u with p(u) within alpha, and every smaller one too."""
    k, ordered = len(p), sorted(p)
    holding = 0
    for u in range(1, k + 1):
        if max((k - j + 1) * ordered[j - 1] for j in range(1, u + 1)) <= alpha:
            holding = u
    return holding


def test_counts_on_paper():
    # k = 3: 3 * .001, 2 * .02 = .04, then .06.
    p = np.array([[0.02], [0.001], [0.06]])
    assert partial_conjunction(p, 0.05).tolist() == [2]
    assert partial_conjunction(p, 0.06).tolist() == [3]
    assert partial_conjunction(p, 0.0029).tolist() == [0]


@given(P_VALUES, st.floats(1e-6, 0.3))
@THOROUGH
def test_counts_are_those_written_out(p, alpha):
    expected = [by_hand(column, alpha) for column in p.T]
    assert partial_conjunction(p, alpha).tolist() == expected


@given(P_VALUES, st.integers(0, 6))
@THOROUGH
def test_a_smaller_p_value_takes_no_set_away(p, place):
    less = p.copy()
    less[place % len(p)] /= 10
    assert (partial_conjunction(less, 0.01) >= partial_conjunction(p, 0.01)).all()


def test_directions_share_alpha_and_equivalence_has_its_own():
    p = np.full((2, 3), 0.05 / 6)
    p = p * np.array([[0.5], [1.0]])
    holding = holding_sets(p, np.ones((2, 3)), 2 * p, comparisons=3)
    assert holding.above.tolist() == [2, 2, 2]
    assert holding.below.tolist() == [0, 0, 0]
    assert holding.within.tolist() == [2, 2, 2]
    assert holding_sets(1.01 * p, p, p, comparisons=3).above.tolist() == [0, 0, 0]


def test_an_untested_set_counts_as_one():
    p = np.array([[np.nan], [0.001]])
    assert partial_conjunction(p, 0.01).tolist() == [1]


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_the_mean_over_sets_agrees_with_statsmodels_at_equal_weights(seed):
    effect = 3 + 3 * np.random.default_rng(seed).normal(size=7)
    error = np.full(7, 0.8)
    theirs = combine_effects(effect, error**2, method_re="iterated", use_t=True)
    ours = mean_over_sets(effect, error)
    assert ours.mean == pytest.approx(theirs.mean_effect_re)
    assert ours.deviation == pytest.approx(np.sqrt(theirs.tau2), rel=1e-3)
    half = stats.t.isf(0.025, 6) * theirs.sd_eff_w_re_hksj
    assert (ours.low, ours.high) == pytest.approx((ours.mean - half, ours.mean + half))


def test_a_new_set_is_predicted_as_another_draw():
    effect = np.random.default_rng(4).normal(size=6)
    reach = stats.t.isf(0.025, 5) * np.std(effect, ddof=1) * np.sqrt(7 / 6)
    ours = mean_over_sets(effect, np.full(6, 0.1))
    assert (ours.new_low, ours.new_high) == pytest.approx((ours.mean - reach, ours.mean + reach))


def test_sets_that_scatter_no_more_than_their_errors_do_not_differ():
    g = np.random.default_rng(5)
    assert mean_over_sets(0.1 * g.normal(size=8), np.full(8, 0.3)).deviation == 0


def test_below_five_sets_there_is_no_mean_and_unknown_sets_do_not_count():
    effect, error = np.arange(6.0), np.ones(6)
    error[2] = np.nan
    torn, rest = mean_over_sets(effect, error), mean_over_sets(np.delete(effect, 2), np.ones(5))
    assert torn.sets == 5
    np.testing.assert_allclose((torn.mean, torn.low), (rest.mean, rest.low))
    few = mean_over_sets(effect[:4], np.ones(4))
    assert np.isnan([few.mean, few.low, few.new_high]).all()
    assert few.sets == 4


def test_spent_p_values_are_the_smallest_over_the_looks_by_their_share():
    values = np.random.default_rng(1).normal(size=(4, 8)) + np.array([0, 0.8, 0, -3])[:, None]
    looks, spend = (4, 8), (0.02, 0.03)
    walked = walk_looks(values, looks=looks, spend=spend, margin=1.0)
    spent = walked.spent()
    for arm in range(1, 4):
        seen = [n for n, look in zip(looks, walked.looks, strict=True) if look.judged[arm]]
        p = []
        for n in seen:
            d = values[arm, :n] - values[0, :n]
            share = 0.05 / dict(zip(looks, spend, strict=True))[n]
            p.append(share * stats.ttest_1samp(d, 0, alternative="greater").pvalue)
        assert spent.above[arm] == pytest.approx(min(1.0, *p, 1.0))
    assert spent.above[0] == spent.within[0] == 1
    np.testing.assert_allclose(
        spent.apart, np.minimum(2 * np.minimum(spent.above, spent.below), 1)
    )


def test_claims_that_failures_forbid_have_no_p_value_over_sets():
    values = np.random.default_rng(1).normal(size=(3, 8)) + np.array([0, 9, 0])[:, None]
    status = np.zeros((3, 8), int)
    status[1:, 2] = 1
    asked = {"looks": [8], "spend": [0.05], "margin": 5.0, "floor": 5.0}
    spent = walk_looks(values, status=status, **asked).spent()
    assert (spent.above[1:] == 1).all()
    assert (spent.within[1:] == 1).all()
    assert spent.below[1] < 1


def test_claims_survive_holm_over_all_families():
    families = [np.array([0.001, 0.3]), np.array([0.012, np.nan, 0.04])]
    kept = surviving(families)
    flat = holm([0.001, 0.3, 0.012, 1.0, 0.04]) <= 0.05
    assert np.concatenate(kept).tolist() == flat.tolist() == [True, False, True, False, False]
    assert [len(part) for part in kept] == [2, 3]
    assert surviving([]) == []


@given(st.lists(P_VALUES, min_size=1, max_size=4))
@THOROUGH
def test_what_survives_all_families_holds_in_its_own(families):
    for kept, family in zip(surviving(families), families, strict=True):
        alone = holm(family.reshape(-1)) <= 0.05
        assert not (kept & ~alone).any()


def test_many_families_allow_more_errors():
    assert any_false(1) == pytest.approx((0.05, 0.05))
    assert any_false(16) == pytest.approx((1 - 0.95**16, 0.8))
    assert any_false(30)[1] == 1


def test_one_look_spends_the_whole_alpha():
    values = np.random.default_rng(3).normal(size=(3, 6))
    spent = walk_looks(values, looks=[6], spend=[0.05], margin=1.0).spent()
    v = verdicts(values, margin=1.0)
    np.testing.assert_allclose(spent.apart[1:], v.raw_difference[1:])
    np.testing.assert_allclose(spent.within[1:], v.raw_equivalence[1:])
