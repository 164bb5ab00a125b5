"""One-sided trouble: collapsed runs, odd shapes, verdicts that rest on one seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ablation.stats import Status, collapsed, odd_shapes, shape, verdicts, walk_looks

THOROUGH = settings(max_examples=100, deadline=None)


def accuracies(arms, n, seed=0):
    return 0.8 + 0.01 * np.random.default_rng(seed).normal(size=(arms, n))


def test_a_run_that_keeps_less_than_half_of_the_gain_collapsed():
    values = accuracies(3, 8)
    values[1, 2], values[2, 5] = 0.42, 0.48
    flagged = collapsed(values, 0.1)
    assert np.argwhere(flagged).tolist() == [[1, 2]]
    values[1, 2] = 0.1 + 0.5 * (np.median(values[1]) - 0.1) + 0.01
    assert not collapsed(values, 0.1).any()


def test_arms_near_chance_are_left_alone():
    values = np.vstack([accuracies(2, 9), 0.1 + 0.05 * np.random.default_rng(1).normal(size=9)])
    assert not collapsed(values, 0.1).any()
    # The spread of all arms is the guard's too: beside loud arms a quiet one gains too little.
    loud = np.random.default_rng(2).normal(size=(4, 9))
    quiet = np.vstack([loud, 5 + 0.001 * loud[:1]])
    quiet[4, 0] = 0
    assert not collapsed(quiet, 0.0).any()
    assert collapsed(quiet[4:], 0.0)[0, 0]


def test_the_rule_written_out():
    g = np.random.default_rng(4)
    values = g.normal(size=(5, 7)) + np.array([3, 12, 20, 30, 60])[:, None]
    values[g.random((5, 7)) < 0.15] = 0
    apart = np.abs(values - np.median(values, axis=1, keepdims=True))
    root = 1.4826 * np.sqrt(7 / 6)
    expected = np.zeros(values.shape, bool)
    for arm, row in enumerate(values):
        gain = np.median(row)
        scale = root * max(np.median(apart[arm]), np.median(apart))
        if gain > 8 * scale:
            expected[arm] = row < gain / 2
    assert expected.any()
    assert collapsed(values, 0.0).tolist() == expected.tolist()


@given(st.integers(5, 20), st.integers(0, 2**32), st.sampled_from([0.0, 2.0, 8.0, 20.0]))
@THOROUGH
def test_missing_failed_and_unasked_runs_are_not_read(n, seed, gain):
    values = gain + np.random.default_rng(seed).normal(size=(4, n))
    status = np.random.default_rng(seed + 1).choice([0, 0, 0, 1, 2], size=values.shape)
    status[:, :3] = 0
    torn = np.where(status == 0, values, np.nan)
    flagged = collapsed(torn, 0.0, status=status)
    assert not flagged[status != 0].any()
    some = collapsed(values, 0.0, asked=[True, True, True, False])
    assert some[:3].tolist() == collapsed(values[:3], 0.0).tolist()
    assert not some[3].any()


def test_normal_noise_hardly_ever_collapses():
    g = np.random.default_rng(0)
    for gain in (0, 1, 2, 4, 9):
        assert collapsed(g.normal(size=(2000, 7, 5)) + gain, 0.0).mean() <= 0.0008


def test_a_look_counts_its_collapsed_runs_as_failed_and_reads_no_later_seed():
    values = accuracies(3, 12)
    values[1] -= 0.3
    values[1, 2] = 0.1
    asked = {"looks": (5, 8, 12), "spend": (0.01, 0.02, 0.02), "margin": 0.01, "floor": 0.1}
    off = walk_looks(values, **asked)
    on = walk_looks(values, chance=0.1, **asked)
    assert off.verdicts.failed[1] == 0
    assert on.verdicts.failed[1] == 1
    assert np.argwhere(on.collapsed).tolist() == [[1, 2]]
    later = values.copy()
    later[2, 8:] = 0.1
    first, again = on.looks[0].verdicts, walk_looks(later, chance=0.1, **asked).looks[0].verdicts
    np.testing.assert_array_equal(first.effect, again.effect)
    given_ = walk_looks(values, status=np.where(on.collapsed, Status.FAILED, 0), **asked)
    np.testing.assert_array_equal(given_.verdicts.effect, on.verdicts.effect)


def test_a_collapsed_run_takes_the_floor_by_example_not_its_own_scores():
    g = np.random.default_rng(5)
    right = g.random((3, 6, 300)) < 0.9
    right[1, 3] = g.random(300) < 0.3
    chance = np.arange(300) % 4 == 0
    asked = {"looks": [6], "spend": [0.05], "margin": 0.1, "floor": chance}
    on = walk_looks(right.mean(axis=-1), scores=right, chance=0.25, **asked).verdicts
    fallen = right.copy()
    fallen[1, 3] = chance
    clean = verdicts(fallen.mean(axis=-1), scores=fallen, margin=0.1)
    np.testing.assert_allclose(on.standard_error, clean.standard_error)


def test_an_identical_arm_that_collapses_with_the_baseline_stays_identical():
    values = accuracies(3, 6)
    values[0, 1] = 0.1
    values[2] = values[0]
    equal = np.zeros((3, 6), bool)
    equal[2] = True
    asked = {"looks": [6], "spend": [0.05], "margin": 0.1, "floor": 0.1}
    walked = walk_looks(values, identical=equal, chance=0.1, **asked)
    assert walked.collapsed.sum() == 2
    assert walked.verdict[2] == "IDENTICAL"


@pytest.mark.parametrize("n", [4, 7, 20])
def test_a_shape_warning_is_given_to_one_family_in_a_hundred_at_most(n):
    values = np.random.default_rng(n).normal(size=(6000, 7, n))
    rate = odd_shapes(values - values[:, :1]).any(axis=-1).mean()
    assert 0.003 < rate < 0.01 + 3.3 * np.sqrt(0.01 / 6000)


def test_the_table_of_shapes_is_that_of_simulation():
    d = np.random.default_rng(9).normal(size=(200_000, 8))
    z = np.sort(stats.zscore(d, axis=1, ddof=1), axis=1)
    seen = (np.abs(stats.skew(d, axis=1)), np.diff(z, axis=1).max(axis=1))
    row = shape._TABLE[:, list(shape._SIZES).index(8), 0]
    np.testing.assert_allclose(row, np.quantile(seen, 0.995, axis=1), rtol=0.01)


def test_shapes_that_break_a_t_test_are_warned_of():
    g = np.random.default_rng(3)
    values = g.normal(size=(400, 3, 20))
    values[:, 1] = np.exp(1.5 * values[:, 1])
    values[:, 2] -= 10 * (g.random((400, 20)) < 0.1)
    odd = odd_shapes(values - 0.01 * values[:, :1])
    assert (odd[:, 1:].mean(axis=0) > 0.7).all()
    assert not odd[:, 0].any()


def test_two_clusters_without_skew_are_too_far_apart():
    d = np.zeros((2, 50))
    d[1] = np.repeat([-1.0, 1.0], 25) + 0.01 * np.random.default_rng(2).normal(size=50)
    assert abs(stats.skew(d[1])) < 0.1
    assert odd_shapes(d).tolist() == [False, True]


def test_shapes_know_no_unit_and_no_seed_that_is_left_out():
    d = np.random.default_rng(6).normal(size=(3, 12)) ** 3
    assert odd_shapes(d).tolist() == odd_shapes(-1e4 * d + 3).tolist()
    kept = np.ones((1, 12), bool)
    kept[0, 4] = False
    assert odd_shapes(d, kept).tolist() == odd_shapes(np.delete(d, 4, axis=1)).tolist()
    assert not odd_shapes(np.zeros((3, 12))).any()


def test_a_verdict_rests_on_one_seed_where_any_other_set_of_seeds_gives_none():
    values = 0.3 * np.random.default_rng(1).normal(size=(3, 6))
    values[1] += np.array([0.4, 0.45, 0.5, 0.6, 0.5, 0.3])
    values[2] += 40
    asked = {"looks": [6], "spend": [0.05], "margin": None}
    walked = walk_looks(values, **asked)
    expected = []
    for arm in range(3):
        words = {
            str(verdicts(np.delete(values, s, 1), margin=None).verdict[arm]) for s in range(6)
        }
        expected.append(walked.verdict[arm] not in {"", "INCONCLUSIVE"} and len(words) > 1)
    assert walked.verdict.tolist() == ["", "BETTER", "BETTER"]
    assert expected == [False, True, False]
    assert walked.rests_on_one_seed.tolist() == expected


def test_an_undecided_arm_rests_on_nothing():
    values = 0.1 * np.random.default_rng(1).normal(size=(2, 8))
    values[1] += 1
    values[1, 0] -= 9
    walked = walk_looks(values, looks=[8], spend=[0.05], margin=None)
    assert verdicts(values[:, 1:], margin=None).verdict[1] == "BETTER"
    assert walked.verdict[1] == "INCONCLUSIVE"
    assert not walked.rests_on_one_seed.any()


def test_other_margins_and_spreads_are_asked_of_the_last_look():
    values = np.random.default_rng(7).normal(size=(4, 12)) * 0.5
    values[1] += 4
    asked = {"looks": (6, 12), "spend": (0.02, 0.03), "margin": 0.9}
    walked = walk_looks(values, **asked)
    assert walked.again().tolist() == walked.verdict.tolist()
    double = walk_looks(values, **(asked | {"margin": 1.8}))
    assert walked.look[1] == 6
    first = next(look for look in double.looks if look.seeds == 6)
    assert walked.again(scale=2.0)[1] == first.verdicts.verdict[1]
    narrow = walk_looks(values, **(asked | {"margin": 0.1}))
    assert narrow.verdict[2:].tolist() == ["INCONCLUSIVE"] * 2
    assert narrow.again(scale=50.0)[2:].tolist() == ["EQUIVALENT"] * 2
    quiet = values.copy()
    quiet[1] = 0.05 + values[0] + 0.01 * values[1]
    once = walk_looks(quiet[:, :6], looks=[6], spend=[0.05], margin=0.01)
    assert once.verdict[1] == "BETTER"
    assert once.again(pooled=True)[1] == "INCONCLUSIVE"
