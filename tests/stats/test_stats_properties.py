"""What must hold of any study whatever: properties of the verdicts over random tables."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ablation.stats import Ground, Status, verdicts

THOROUGH = settings(max_examples=100, deadline=None)  # a busy machine is no failure
WORDS = {"BETTER", "WORSE", "EQUIVALENT", "INCONCLUSIVE", "IDENTICAL"}
MARGINS = st.sampled_from([0.003, 0.0171, 0.0623, 0.31])
MIRROR = {"": "", "BETTER": "WORSE", "WORSE": "BETTER"}


@st.composite
def studies(draw, least_seeds=1):
    """Accuracies on 1,000 examples ``[arm, seed]``, arms apart by more or less."""
    arms, seeds = draw(st.integers(2, 5)), draw(st.integers(least_seeds, 9))
    steps = draw(hnp.arrays(np.int64, (arms, seeds), elements=st.integers(-12, 12)))
    shifts = draw(hnp.arrays(np.int64, (arms, 1), elements=st.integers(-60, 60)))
    return (500 + steps + shifts) / 1000


@st.composite
def troubled(draw):
    """A study with failures and missing runs, and a floor or none."""
    values = draw(studies())
    codes = st.sampled_from([0, 0, 0, 0, 0, 0, 0, Status.FAILED, Status.MISSING])
    status = draw(hnp.arrays(np.int64, values.shape, elements=codes))
    return values, status, draw(st.sampled_from([None, 0.1111]))


@given(troubled(), MARGINS | st.none(), st.sampled_from([0.0, 0.001]))
@THOROUGH
def test_every_arm_has_exactly_one_verdict_and_a_reason(case, margin, quantum):
    values, status, floor = case
    v = verdicts(values, margin=margin, status=status, floor=floor, quantum=quantum)
    assert v.verdict[0] == ""
    assert set(v.verdict[1:].tolist()) <= WORDS
    assert (v.ground[1:] != Ground.BASELINE).all()
    assert (v.wins + v.ties + v.losses <= v.n).all()


@given(studies(), MARGINS, st.sampled_from([-3.0, -0.25, 1.0, 40.0]))
@THOROUGH
def test_a_constant_added_to_all_values_changes_no_verdict(values, margin, constant):
    before, after = verdicts(values, margin=margin), verdicts(values + constant, margin=margin)
    assert before.verdict.tolist() == after.verdict.tolist()


@given(troubled(), MARGINS, st.randoms(use_true_random=False))
@THOROUGH
def test_the_order_of_seeds_changes_nothing(case, margin, random):
    values, status, floor = case
    order = list(range(values.shape[-1]))
    random.shuffle(order)
    before = verdicts(values, margin=margin, status=status, floor=floor)
    after = verdicts(values[:, order], margin=margin, status=status[:, order], floor=floor)
    assert before.verdict.tolist() == after.verdict.tolist()
    np.testing.assert_allclose(before.p_difference, after.p_difference, rtol=1e-6)


@given(studies(least_seeds=3), MARGINS)
@THOROUGH
def test_negated_values_swap_better_and_worse_and_nothing_else(values, margin):
    # A loss is handed over negated, so metric and direction negated together are the same
    # array; turning only one of them must mirror every verdict.
    v, mirrored = verdicts(values, margin=margin), verdicts(-values, margin=margin)
    assert mirrored.verdict.tolist() == [MIRROR.get(w, w) for w in v.verdict.tolist()]
    np.testing.assert_allclose(mirrored.low, -v.high, rtol=1e-9)
    np.testing.assert_array_equal(mirrored.wins, v.losses)


@given(studies(least_seeds=3), MARGINS, st.floats(1.0, 50.0))
@THOROUGH
def test_a_wider_margin_takes_no_equivalent_back(values, margin, factor):
    narrow = verdicts(values, margin=margin, quantum=0.001)
    wide = verdicts(values, margin=margin * factor, quantum=0.001)
    assert (wide.verdict[narrow.verdict == "EQUIVALENT"] == "EQUIVALENT").all()


@given(studies(least_seeds=3), st.sampled_from([0.05, 0.01, 0.3]))
@THOROUGH
def test_the_adjusted_interval_excludes_0_exactly_when_holm_rejects(values, alpha):
    v = verdicts(values, margin=None, quantum=0.001, alpha=alpha)
    excludes = (v.adjusted_low > 0) | (v.adjusted_high < 0)
    np.testing.assert_array_equal(excludes, v.p_difference <= alpha)


@given(studies(least_seeds=3), MARGINS, st.integers(0, 4))
@THOROUGH
def test_an_identical_arm_changes_nothing_for_the_others(values, margin, place):
    place = 1 + place % values.shape[0]
    crowd = np.insert(values, place, values[0], axis=0)
    assume(np.ptp(values[0]) > 0)
    v = verdicts(crowd, margin=margin, identical=np.arange(len(crowd)) == place)
    assert v.verdict[place] == "IDENTICAL"
    assert np.delete(v.verdict, place).tolist() == verdicts(values, margin=margin).verdict.tolist()


@given(studies(least_seeds=3), MARGINS, st.integers(1, 4))
@THOROUGH
def test_a_missing_block_is_as_if_it_had_never_been_planned(values, margin, extra):
    padded = np.hstack([values, np.full((values.shape[0], extra), np.nan)])
    status = np.where(np.isnan(padded), Status.MISSING, Status.FINISHED)
    v, alone = verdicts(padded, margin=margin, status=status), verdicts(values, margin=margin)
    assert v.verdict.tolist() == alone.verdict.tolist()
    assert (v.missing == extra).all()
