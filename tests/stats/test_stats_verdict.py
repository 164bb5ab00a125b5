"""The rule: every verdict, in its order, and every edge where careless code goes wrong."""

import numpy as np
import pytest

from ablation.stats import Ground, Status, Verdicts, verdicts, walk_looks

FAILED, MISSING = Status.FAILED, Status.MISSING
NAN = float("nan")


def study(effects, n, *, noise=0.001, seed=0):
    """Values ``[arm, seed]``: a baseline, then one arm per effect, around 0.5."""
    draw = np.random.default_rng(seed)
    block = 0.5 + 0.05 * draw.normal(size=n)
    shifts = np.array([0.0, *effects])[:, None]
    return block + shifts + noise * draw.normal(size=(len(effects) + 1, n))


def states(shape, marks):
    """Statuses of a shape, FINISHED but for the marks {(arm, seed): status}."""
    status = np.zeros(shape, dtype=int)
    for place, mark in marks.items():
        status[place] = mark
    return status


def test_each_word_is_given_where_it_is_due():
    values = study([0.05, -0.05, 0.0, 0.01], 10)
    values[4] += 0.1 * np.random.default_rng(1).normal(size=10)
    v = verdicts(values, margin=0.01)
    assert v.verdict.tolist() == ["", "BETTER", "WORSE", "EQUIVALENT", "INCONCLUSIVE"]
    assert v.by_margin.tolist() == [False, True, True, False, False]


def test_the_baseline_has_effect_0_and_no_verdict():
    v = verdicts(study([0.05], 5), margin=0.01)
    assert v.effect[0] == 0
    assert v.verdict[0] == ""
    assert v.ground[0] == Ground.BASELINE
    assert np.isnan([v.p_difference[0], v.p_equivalence[0], v.low[0], v.adjusted_high[0]]).all()
    assert v.ties.tolist() == [5, 0]


def test_a_certain_gain_below_the_margin_is_equivalent_and_says_so():
    v = verdicts(study([0.005], 10), margin=0.02)
    assert v.p_difference[1] < 0.001
    assert v.verdict[1] == "EQUIVALENT"
    assert v.ground[1] == Ground.WITHIN_MARGIN
    assert v.p_difference[1] <= v.alpha[1]


def test_a_gain_not_shown_to_reach_the_margin_is_better_but_not_by_it():
    v = verdicts(study([0.02], 10, noise=0.005), margin=0.02)
    assert v.verdict[1] == "BETTER"
    assert not v.by_margin[1]
    assert v.adjusted_low[1] < 0.02


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_than_three_seeds_give_no_verdict(n):
    v = verdicts(study([0.05, 0.0], n), margin=0.01, identical=[True, False, False])
    assert v.verdict.tolist() == ["", "INCONCLUSIVE", "INCONCLUSIVE"]
    assert v.ground[1] == Ground.TOO_FEW
    assert np.isnan(v.p_difference[1])


def test_identical_hashes_have_a_word_of_their_own():
    values = study([0.05], 5)
    values = np.vstack([values, values[0]])
    v = verdicts(values, margin=None, identical=[False, False, True])
    assert v.verdict.tolist() == ["", "BETTER", "IDENTICAL"]
    assert v.ground[2] == Ground.IDENTICAL
    assert (v.effect[2], v.standard_error[2], v.adjusted_low[2]) == (0, 0, 0)
    assert np.isnan(v.p_difference[2])


def test_identical_arms_leave_both_families():
    values = study([0.001, 0.0], 6)
    crowd = np.vstack([values, np.tile(values[0], (4, 1))])
    alone = verdicts(values, margin=0.01)
    among = verdicts(crowd, margin=0.01, identical=[False] * 3 + [True] * 4)
    assert among.family.tolist() == [2] * 7
    np.testing.assert_array_equal(among.p_difference[:3], alone.p_difference)
    np.testing.assert_array_equal(among.p_equivalence[:3], alone.p_equivalence)


def test_zero_variance_without_identical_hashes_is_inconclusive():
    values = study([0.05], 5)
    v = verdicts(np.vstack([values, values[0]]), margin=0.01)
    assert v.verdict[2] == "INCONCLUSIVE"
    assert v.ground[2] == Ground.UNCONFIRMED
    assert np.isnan(v.p_difference[2])


def test_equal_hashes_with_different_values_are_a_ground_of_their_own():
    values = study([0.05, 0.0], 5)
    v = verdicts(values, margin=0.01, identical=[False, False, True])
    assert v.verdict.tolist() == ["", "BETTER", "INCONCLUSIVE"]
    assert v.ground[2] == Ground.CONTRADICTED
    assert np.isnan(v.p_difference[2])
    assert v.family.tolist() == [2, 2, 2]  # it keeps its share


def test_identity_says_on_how_many_seeds_the_arm_may_still_differ():
    for n, share in ((5, 0.4507), (20, 0.1391)):
        values = study([0.05], n)
        v = verdicts(np.vstack([values, values[0]]), margin=None, identical=[False, False, True])
        assert v.may_differ95[2] == pytest.approx(share, abs=1e-4)
        assert v.may_differ95[2] == pytest.approx(1 - 0.05 ** (1 / n))
        assert np.isnan(v.may_differ95[:2]).all()


def test_zero_variance_still_counts_in_the_family():
    values = study([0.002], 5)
    alone = verdicts(values, margin=None).p_difference[1]
    beside = verdicts(np.vstack([values, values[0]]), margin=None).p_difference[1]
    assert beside == pytest.approx(2 * alone)


def test_zero_variance_with_a_quantum_goes_by_the_rule():
    values = np.array([[0.50, 0.55, 0.60, 0.52, 0.58]] * 2)
    assert verdicts(values, margin=0.02, quantum=0.001).verdict[1] == "EQUIVALENT"


def test_a_constant_shift_is_not_certain():
    # Floats: the differences are 0.1 give or take an ulp, which scipy calls p = 0.
    values = study([], 5)
    shifted = np.vstack([values, values + 0.1])
    v = verdicts(shifted, margin=0.01)
    assert v.verdict[1] == "INCONCLUSIVE"
    assert v.ground[1] == Ground.NO_SPREAD
    assert verdicts(shifted, margin=0.01, quantum=0.01).verdict[1] == "BETTER"


def test_copies_are_not_replicates():
    v = verdicts([[0.5] * 6, [0.6] * 6, [0.5] * 6], margin=0.01, quantum=0.001)
    assert v.verdict.tolist() == ["", "INCONCLUSIVE", "INCONCLUSIVE"]
    assert v.ground[1] == Ground.COPIES
    assert np.isnan(v.p_difference[1:]).all()
    assert np.isnan(v.low[1:]).all()


def test_one_arm_constant_over_seeds_is_not_called_a_copy():
    values = study([0.05], 6)
    v = verdicts(np.vstack([values, np.full(6, 0.1)]), margin=0.01)
    assert v.verdict.tolist() == ["", "BETTER", "WORSE"]


def test_copies_are_seen_before_identity():
    v = verdicts(np.full((2, 5), 0.5), margin=0.01, identical=[False, True])
    assert v.ground[1] == Ground.COPIES


def test_heavy_ties_are_judged_with_the_quantum():
    # Accuracy on 50 examples: 31 or 32 right, on most seeds the same in both arms.
    values = np.array([[31, 32, 31, 31, 32, 30, 31, 32], [31, 32, 31, 32, 32, 30, 31, 32]]) / 50
    v = verdicts(values, margin=0.05, quantum=1 / 50)
    assert (v.wins[1], v.ties[1], v.losses[1]) == (1, 7, 0)
    assert v.standard_error[1] == pytest.approx(0.02 / np.sqrt(6) / np.sqrt(8))
    assert v.verdict[1] == "EQUIVALENT"


def test_one_failure_of_eight_bars_better_and_equivalent():
    values = study([0.2, 0.0], 8)
    values[1, 3] = values[2, 3] = NAN
    status = states(values.shape, {(1, 3): FAILED, (2, 3): FAILED})
    v = verdicts(values, margin=0.1, status=status, floor=0.499)
    assert v.p_difference[1] < 0.05
    assert v.p_equivalence[2] < 0.05
    assert v.verdict.tolist() == ["", "INCONCLUSIVE", "INCONCLUSIVE"]
    assert v.ground[1:].tolist() == [Ground.FAILURES_OBJECT] * 2
    assert v.ground[1] == Ground.FAILURES_OBJECT
    assert v.failed_alone[1] == 1
    assert v.failed.tolist() == [0, 1, 1]
    assert v.failed_upper95[1] == pytest.approx(0.4707, abs=1e-4)


def test_a_failed_run_takes_the_floor_never_its_last_value():
    values = study([0.0], 8)
    status = states(values.shape, {(1, 3): FAILED})
    with_value = verdicts(values, margin=0.01, status=status, floor=0.1)
    values[1, 3] = NAN
    without = verdicts(values, margin=0.01, status=status, floor=0.1)
    assert with_value.mean[1] == without.mean[1]
    assert without.mean[1] == pytest.approx((np.nansum(values[1]) + 0.1) / 8)


def test_a_failure_without_a_floor_leaves_its_own_arm_inconclusive():
    values = study([0.05, 0.05], 8)
    v = verdicts(values, margin=0.01, status=states(values.shape, {(1, 0): FAILED}))
    assert v.verdict.tolist() == ["", "INCONCLUSIVE", "BETTER"]
    assert v.ground[1] == Ground.NO_FLOOR
    assert np.isnan([v.mean[1], v.effect[1], v.p_difference[1]]).all()


def test_a_failed_baseline_without_a_floor_leaves_every_arm_inconclusive():
    values = study([0.05, 0.0], 8)
    v = verdicts(
        values,
        margin=0.01,
        status=states(values.shape, {(0, 0): FAILED}),
        identical=[False, False, False],
    )
    assert v.verdict.tolist() == ["", "INCONCLUSIVE", "INCONCLUSIVE"]
    assert v.ground[1] == Ground.NO_FLOOR
    assert v.failed[0] == 1


def test_a_failed_baseline_with_a_floor_bars_equivalent_but_not_better():
    values = study([0.05, 0.0], 12)
    v = verdicts(values, margin=0.1, status=states(values.shape, {(0, 2): FAILED}), floor=0.45)
    assert v.failed[0] == 1
    assert v.p_equivalence[2] < 0.05
    assert v.verdict[2] != "EQUIVALENT"
    better = verdicts(
        values, margin=0.02, status=states(values.shape, {(0, 2): FAILED}), floor=0.45
    )
    assert better.verdict[1] == "BETTER"


def test_a_failure_shared_with_the_baseline_speaks_against_nobody():
    values = study([0.0], 8)
    status = states(values.shape, {(0, 2): FAILED, (1, 2): FAILED})
    v = verdicts(values, margin=0.02, status=status, floor=0.1)
    assert v.verdict[1] == "EQUIVALENT"
    assert f"{v.failed_upper95[1]:.0%}" == "47%"


def test_failures_alone_can_decide_either_way():
    values = study([0.0, 0.0], 12, noise=3.0)
    marks = {(1, s): FAILED for s in range(8)}
    worse = verdicts(values, margin=0.01, status=states(values.shape, marks), floor=0.5)
    assert worse.verdict.tolist() == ["", "WORSE", "INCONCLUSIVE"]
    assert worse.ground[1] == Ground.FAILS_MORE
    assert worse.p_failures[1] == pytest.approx(2 * 2 / 2**8)
    assert (worse.failed_alone[1], worse.baseline_failed_alone[1]) == (8, 0)
    marks = {(0, s): FAILED for s in range(8)}
    better = verdicts(values, margin=0.01, status=states(values.shape, marks), floor=0.5)
    assert better.verdict.tolist() == ["", "BETTER", "BETTER"]
    assert better.ground[1] == Ground.FAILS_LESS


def test_failures_are_judged_against_the_whole_family():
    # Six discordant failures: 2 / 2^6 = .031, which two arms make .0625.
    values = study([0.0, 0.0], 12, noise=3.0)
    marks = {(1, s): FAILED for s in range(6)}
    status = states(values.shape, marks)
    assert verdicts(values, margin=0.01, status=status, floor=0.5).verdict[1] == "INCONCLUSIVE"
    alone = verdicts(values[:2], margin=0.01, status=status[:2], floor=0.5)
    assert alone.verdict[1] == "WORSE"


def test_a_missing_run_leaves_its_block_out_for_all_arms():
    values = study([0.05, 0.0], 8)
    status = states(values.shape, {(1, 2): MISSING, (2, 5): FAILED, (1, 5): MISSING})
    values[1, 2] = NAN
    v = verdicts(values, margin=0.01, status=status)
    rest = verdicts(values[:, [0, 1, 3, 4, 6, 7]], margin=0.01)
    assert v.n.tolist() == [6, 6, 6]
    assert v.missing.tolist() == [2, 2, 2]
    assert v.failed.tolist() == [0, 0, 0]
    assert v.verdict.tolist() == rest.verdict.tolist()
    np.testing.assert_allclose(v.p_difference, rest.p_difference)
    np.testing.assert_allclose(v.low, rest.low)
    np.testing.assert_array_equal(v.losses + v.ties + v.wins, v.n)


def test_an_arm_that_never_ran_leaves_no_block():
    values = study([0.05, 0.0], 4)
    v = verdicts(values, margin=0.01, status=[[0] * 4, [MISSING] * 4, [0] * 4])
    assert v.n.tolist() == [0, 0, 0]
    assert v.verdict.tolist() == ["", "INCONCLUSIVE", "INCONCLUSIVE"]
    assert v.failed_upper95.tolist() == [1, 1, 1]


def test_without_a_margin_only_identity_is_equivalent():
    v = verdicts(study([0.05, 0.0], 20), margin=None)
    assert v.verdict.tolist() == ["", "BETTER", "INCONCLUSIVE"]
    assert np.isnan(v.p_equivalence).all()
    assert not v.by_margin.any()
    assert v.ground[2] == Ground.UNDECIDED


def test_studies_on_leading_axes_are_judged_one_by_one():
    values = np.stack([study([0.02, 0.0], 6, noise=0.01, seed=s) for s in range(8)])
    values = values.reshape(2, 4, 3, 6)
    values[1, 3] *= 1e15  # rounding at this size would hide the spread of all the others
    together = verdicts(values, margin=0.02)
    for index in np.ndindex(2, 4):
        alone = verdicts(values[index], margin=0.02)
        assert together.verdict[index].tolist() == alone.verdict.tolist()
        assert together.ground[index].tolist() == alone.ground.tolist()
        np.testing.assert_array_equal(together.follow_up().likely[index], alone.follow_up().likely)
        np.testing.assert_array_equal(together.adjusted_low[index], alone.adjusted_low)


def test_a_smaller_alpha_decides_less_and_widens_only_the_adjusted_interval():
    values = study([0.003], 8, noise=0.002, seed=3)
    whole, look = verdicts(values, margin=0.001), verdicts(values, margin=0.001, alpha=1e-3)
    assert (whole.verdict[1], look.verdict[1]) == ("BETTER", "INCONCLUSIVE")
    assert look.adjusted_low[1] < whole.adjusted_low[1]
    assert look.low[1] == whole.low[1]


@pytest.mark.parametrize(
    ("values", "arguments", "message"),
    [
        ([[0.1, 0.2, NAN], [0.1, 0.2, 0.3]], {}, r"values\[0, 2\] is nan.*MISSING"),
        ([[0.1, 0.2, 0.3], [0.1, float("inf"), 0.3]], {}, r"values\[1, 1\] is inf"),
        ([[NAN, 0.2], [0.1, 0.2]], {"status": [[0, 0], [0, 0]]}, r"values\[0, 0\] is nan"),
        ([0.1, 0.2, 0.3], {}, "whole family"),
        ([[0.1, 0.2, 0.3]], {}, "at least one other arm"),
        ([[], []], {}, "at least one seed"),
        ([[0.1, 0.2], [0.3, 0.4]], {"status": [[0, 0]]}, "shape of values"),
        ([[0.1, 0.2], [0.3, 0.4]], {"status": [[0, 0], [0, 7]]}, "FINISHED=0"),
        ([[0.1, 0.2], [0.3, 0.4]], {"margin": 0.0}, "margin must be above 0"),
        ([[0.1, 0.2], [0.3, 0.4]], {"margin": NAN}, "margin must be above 0"),
        ([[0.1, 0.2], [0.3, 0.4]], {"quantum": -1.0}, "quantum must be 0 or above"),
        ([[0.1, 0.2], [0.3, 0.4]], {"alpha": 1.0}, "alpha must be between"),
        ([[0.1, 0.2], [0.3, 0.4]], {"floor": NAN}, "floor must be finite"),
        ([[0.1, 0.2], [0.3, 0.4]], {"identical": [True]}, "one boolean per arm"),
    ],
)
def test_nonsense_is_refused_with_the_rule_the_value_and_the_way_out(values, arguments, message):
    with pytest.raises(ValueError, match=message):
        verdicts(values, **{"margin": 0.1, **arguments})


def pooled(values, *, margin) -> Verdicts:
    """What the rule says where a small own spread is not believed; it decides nothing."""
    walk = walk_looks(values, looks=[values.shape[-1]], spend=[0.05], margin=margin)
    line = walk.looks[-1].again(pooled=True)
    assert walk.again(pooled=True).tolist() == line.verdict.tolist()
    return line


def test_the_pooled_line_doubts_a_small_spread_and_decides_nothing():
    values = study([0.004, 0.0], 5)
    values[2] += 0.1 * np.random.default_rng(9).normal(size=5)
    line, own = pooled(values, margin=0.001), verdicts(values, margin=0.001)
    assert (own.verdict[1], line.verdict[1]) == ("BETTER", "INCONCLUSIVE")
    assert own.verdict[2] == line.verdict[2]
    root = np.sqrt(np.mean(own.standard_error[1:] ** 2))
    np.testing.assert_allclose(line.standard_error[1:], np.maximum(own.standard_error[1:], root))


def test_from_eight_seeds_on_the_pool_is_left_alone():
    values = study([0.004, 0.0], 8)
    values[2] += 0.1 * np.random.default_rng(9).normal(size=8)
    line, own = pooled(values, margin=0.001), verdicts(values, margin=0.001)
    np.testing.assert_array_equal(line.standard_error, own.standard_error)
    assert line.verdict.tolist() == own.verdict.tolist()


def test_the_pool_lends_no_spread_to_an_arm_without_one():
    values = study([0.05], 5)
    line = pooled(np.vstack([values, values[0] + 0.1]), margin=0.01)
    assert line.verdict[2] == "INCONCLUSIVE"
    assert np.isnan(line.standard_error[2])
