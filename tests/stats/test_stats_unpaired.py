"""Arms that share no seeds: Welch's statistic, counted by the smaller of the two sides."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans

from ablation.stats import Ground, Status, Verdicts, walk_unpaired

THOROUGH = settings(max_examples=100, deadline=None)


def ragged(sizes, seed=0, shift=0.0):
    """Values ``[arm, run]`` with so many runs of each arm, and their statuses."""
    values = np.random.default_rng(seed).normal(size=(len(sizes), max(sizes)))
    values[1:] += shift
    status = np.where(np.arange(max(sizes)) < np.array(sizes)[:, None], 0, Status.MISSING)
    return np.where(status == 0, values, np.nan), status


def judged(values, *, margin, **given) -> Verdicts:
    return walk_unpaired(values, margin=margin, alpha=0.05, **given).verdicts


@pytest.mark.parametrize(("mine", "its"), [(3, 10), (8, 8), (20, 5)])
def test_statistic_and_degrees_are_those_written_out(mine, its):
    values, status = ragged([its, mine], seed=mine, shift=0.4)
    v = judged(values, status=status, margin=1.1)
    one, two = values[1, :mine], values[0, :its]
    theirs = stats.ttest_ind(one, two, equal_var=False)
    df = min(mine, its) - 1
    assert v.raw_difference[1] == pytest.approx(2 * stats.t.sf(abs(theirs.statistic), df))
    assert v.effect[1] == pytest.approx(one.mean() - two.mean())
    assert (v.n[1], v.df[1], v.paired) == (min(mine, its), df, False)
    assert v.raw_difference[1] > theirs.pvalue  # Satterthwaite's degrees are never fewer
    error = CompareMeans.from_data(one, two).std_meandiff_separatevar
    assert v.standard_error[1] == pytest.approx(error)
    within = stats.t.sf((1.1 - abs(v.effect[1])) / error, df)
    assert v.raw_equivalence[1] == pytest.approx(within)


def test_arms_are_one_family():
    values, status = ragged([6, 5, 9], seed=2)
    both = judged(values, status=status, margin=1.0)
    alone = judged(values[:2], status=status[:2], margin=1.0)
    assert both.family.tolist() == [2, 2, 2]
    assert both.raw_difference[1] == alone.raw_difference[1]


@given(st.integers(3, 9), st.integers(3, 9), st.randoms(use_true_random=False))
@THOROUGH
def test_the_order_of_runs_and_the_filling_change_nothing(mine, its, random):
    values, status = ragged([its, mine], seed=mine)
    order = list(range(values.shape[1]))
    random.shuffle(order)
    mixed, states = values.copy(), status.copy()
    mixed[1], states[1] = values[1, order], status[1, order]
    before = judged(values, status=status, margin=1.0)
    after = judged(mixed, status=states, margin=1.0)
    np.testing.assert_allclose(before.raw_difference, after.raw_difference)
    assert before.verdict.tolist() == after.verdict.tolist()


def test_failures_forbid_and_never_decide():
    values, status = ragged([9, 9, 9], shift=np.array([[30.0], [0.0]]))
    status[1, 0] = status[2, :8] = Status.FAILED
    v = judged(values, status=status, margin=5.0, floor=20.0)
    assert v.ground[1] == Ground.FAILURES_OBJECT
    assert v.failed.tolist() == [0, 1, 8]
    assert np.isnan(v.p_failures).all()
    assert not np.isin(v.ground, [Ground.FAILS_MORE, Ground.FAILS_LESS]).any()


def test_two_runs_or_none_give_no_verdict():
    values, status = ragged([5, 2], shift=50)
    v = judged(values, status=status, margin=1.0)
    assert v.ground[1] == Ground.TOO_FEW
    status[1] = Status.MISSING
    assert judged(values, status=status, margin=1.0).verdict[1] == "INCONCLUSIVE"


def test_the_quantum_bounds_the_spread_of_either_side():
    values = np.array([[0.5, 0.5, 0.5, 0.5], [0.5, 0.6, 0.5, 0.6]])
    v = judged(values, margin=1.0, quantum=0.1)
    own = np.var(values[1], ddof=1)
    expected = np.sqrt((0.1**2 / 12 + max(own, 0.1**2 / 12)) / 4)
    assert v.standard_error[1] == pytest.approx(expected)


@given(st.integers(2, 8), st.integers(2, 8), st.integers(0, 99))
@THOROUGH
def test_the_one_look_has_all_runs_and_can_be_asked_for_another_margin(mine, its, seed):
    values, status = ragged([its, mine, 5], seed=seed, shift=1.0)
    walk = walk_unpaired(values, status=status, margin=0.8, alpha=0.05)
    assert walk.seeds.tolist() == [its, mine, 5]
    assert walk.verdicts.runs.tolist() == [its, mine, 5]
    wide = walk_unpaired(values, status=status, margin=1.6, alpha=0.05)
    assert walk.again(scale=2.0).tolist() == wide.verdict.tolist()


def test_a_verdict_that_leaving_out_one_run_turns_says_so():
    base = np.array([0.0, 0.1, -0.1, 0.05, -0.05, 0.02])
    near, far = base[::-1] + 0.12, base[::-1] + 5.0
    values = np.stack([base, near, far])
    walk = walk_unpaired(values, margin=None, alpha=0.05)
    assert walk.verdict.tolist() == ["", "BETTER", "BETTER"]
    assert walk.rests_on_one_seed.tolist() == [False, True, False]
    turned = []
    for place, side in itertools.product(range(6), (slice(0, 1), slice(1, 3))):
        status = np.zeros(values.shape, int)
        status[side, place] = Status.MISSING
        left = np.where(status == Status.MISSING, np.nan, values)
        turned.append(judged(left, status=status, margin=None).verdict[1])
    assert {"BETTER", "INCONCLUSIVE"} == set(turned)


def test_more_failures_than_the_smaller_side_has_runs_are_counted_on_their_own():
    values, status = ragged([3, 8], seed=1)
    status[1, :5] = Status.FAILED
    v = walk_unpaired(values, status=status, floor=0.0, margin=1.0, alpha=0.05).verdicts
    assert (v.failed[1], v.runs[1], v.n[1]) == (5, 8, 3)
    assert v.failed_upper95[1] == pytest.approx(stats.beta.ppf(0.95, 6, 3))
    oddly, states = ragged([9, 9, 9], seed=2)
    oddly[1, 0] += 50
    walk = walk_unpaired(oddly, status=states, margin=None, alpha=0.05)
    assert walk.oddly_shaped.tolist() == [False, True, False]
    oddly[0, 0] += 50  # the baseline's shape is in every comparison
    walk = walk_unpaired(oddly, status=states, margin=None, alpha=0.05)
    assert walk.oddly_shaped.tolist() == [False, True, True]
