"""The walk over looks against the rule written out, arm by arm and look by look."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from ablation.stats import Ground, Reach, Status, verdicts, walk_looks

THOROUGH = settings(max_examples=150, deadline=None)
LOOKS, SPEND = (3, 5, 8), (0.03, 0.1, 0.17)
FLOOR, MARGIN = -30.0, 1.2


@dataclass
class Told:
    """What the reference says of each arm."""

    word: dict = field(default_factory=dict)
    look: dict = field(default_factory=dict)
    p: dict = field(default_factory=dict)


def holm(p, size):
    """Holm by hand: {arm: p} and the size of the family to {arm: adjusted p}."""
    adjusted, highest = {}, 0.0
    for step, arm in enumerate(sorted(p, key=p.get)):
        highest = max(highest, (size - step) * p[arm])
        adjusted[arm] = min(highest, 1.0)
    return adjusted


def reference(values, status, equal):
    """The rule of looks for one study, every run present."""
    arms = range(1, len(values))
    scores = np.where(status == Status.FAILED, FLOOR, values)
    told, identical, apart, within = Told(), set(), set(), set()
    for n, alpha in zip(LOOKS, SPEND, strict=True):
        still = [a for a in arms if a not in told.word]
        gone = status[:, :n] == Status.FAILED
        new = {a for a in still if equal[a, :n].all() and not gone[a].any()}
        identical |= new
        tested = [a for a in still if a not in new]
        d = {a: scores[a, :n] - scores[0, :n] for a in tested}
        assume(all(np.ptp(d[a]) > 1e-9 for a in tested))  # the reference knows no rounding
        t = {a: np.mean(d[a]) / (np.std(d[a], ddof=1) / np.sqrt(n)) for a in tested}
        se = {a: np.std(d[a], ddof=1) / np.sqrt(n) for a in tested}
        p = {a: 2 * stats.t.sf(abs(t[a]), n - 1) for a in tested}
        q = {a: stats.t.cdf((abs(d[a].mean()) - MARGIN) / se[a], n - 1) for a in tested}
        size = len(arms) - len(identical)
        p = holm(p, size - len(apart))
        q = holm(q, size - len(within))
        for a in still:
            told.look[a], told.p[a] = n, (p.get(a, np.nan), q.get(a, np.nan))
            mine = int((gone[a] & ~gone[0]).sum())
            its = int((gone[0] & ~gone[a]).sum())
            sign = stats.binomtest(mine, mine + its).pvalue * size if mine + its else 1.0
            if a in new:
                told.word[a] = "IDENTICAL"
            elif q[a] <= alpha and not mine and not its:
                told.word[a] = "EQUIVALENT"
                within.add(a)
            elif p[a] <= alpha and t[a] > 0 and not mine:
                told.word[a] = "BETTER"
                apart.add(a)
            elif p[a] <= alpha and t[a] < 0:
                told.word[a] = "WORSE"
                apart.add(a)
            elif sign <= alpha and mine != its:
                told.word[a] = "WORSE" if mine > its else "BETTER"
    return told


@st.composite
def families(draw):
    """Studies ``[arm, seed]`` with failures and arms that stay the baseline for a while."""
    arms = draw(st.integers(2, 6))
    g = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = g.normal(size=(arms, 8)) * draw(st.sampled_from([0.1, 0.4, 1.0]))
    values[1:] += g.choice([0, 0, 0.9, -1.2, 3], size=(arms - 1, 1))
    status = np.where(g.random(values.shape) < draw(st.sampled_from([0, 0, 0.1, 0.4])), 1, 0)
    equal = np.zeros(values.shape, bool)
    for arm in range(1, arms):
        same = draw(st.sampled_from([0, 0, 0, 3, 6, 8]))
        values[arm, :same], status[arm, :same] = values[0, :same], status[0, :same]
        equal[arm, :same] = True
    return values, status, equal


def walk(values, status=None, **more):
    asked = {"looks": LOOKS, "spend": SPEND, "margin": MARGIN, "floor": FLOOR}
    return walk_looks(values, status=status, **(asked | more))


@given(families())
@THOROUGH
def test_the_walk_is_the_rule_written_out(case):
    values, status, equal = case
    told, walked = reference(values, status, equal), walk(values, status, identical=equal)
    v = walked.verdicts
    for arm in range(1, len(values)):
        assert str(v.verdict[arm]) == told.word.get(arm, "INCONCLUSIVE")
        assert v.n[arm] == told.look[arm]
        seen = (v.p_difference[arm], v.p_equivalence[arm])
        np.testing.assert_allclose(seen, told.p[arm], rtol=1e-7)


def test_an_arm_frees_its_share_in_its_own_family_alone():
    g = np.random.default_rng(3)
    values = 0.3 * g.normal(size=(4, 8))
    values[1] += 9  # BETTER at the first look
    values[2, 3:] += 0.2
    walked = walk(values, margin=0.35)
    first, second = (look.verdicts for look in walked.looks[:2])
    assert first.verdict.tolist() == ["", "BETTER", "INCONCLUSIVE", "INCONCLUSIVE"]
    assert second.divisor_difference[2:].max() == 2
    assert second.divisor_equivalence[2:].max() == 3


def test_an_arm_that_only_its_failures_decide_frees_nothing():
    values = np.random.default_rng(5).normal(size=(3, 12))
    status = np.zeros((3, 12), int)
    status[1, :9] = Status.FAILED
    asked = {"looks": (9, 12), "spend": (0.025, 0.025), "margin": 0.1, "floor": 0.0}
    walked = walk_looks(values, status=status, **asked)
    second = walked.looks[1].verdicts
    assert walked.verdicts.ground[1] == Ground.FAILS_MORE
    assert (second.divisor_difference[2], second.divisor_equivalence[2]) == (2, 2)
    assert second.family[2] == 2


def test_an_identical_arm_leaves_both_families_for_good():
    values = np.random.default_rng(6).normal(size=(4, 8))
    values[1, :3] = values[0, :3]
    equal = np.zeros((4, 8), bool)
    equal[1, :3] = True
    last = walk(values, identical=equal).looks[-1].verdicts
    assert last.family[2] == 2
    assert (last.divisor_difference[2], last.divisor_equivalence[2]) == (2, 2)


def test_a_run_that_failed_is_identical_to_nothing():
    values = np.random.default_rng(6).normal(size=(3, 8))
    values[1] = values[0]
    status = np.zeros((3, 8), int)
    status[:2, 1] = Status.FAILED
    equal = np.zeros((3, 8), bool)
    equal[1] = True
    first = walk(values, status, identical=equal).looks[0].verdicts
    assert first.ground[1] != Ground.IDENTICAL
    assert walk(values, identical=equal).looks[0].verdicts.ground[1] == Ground.IDENTICAL


def with_holes(holes, n=8, seed=1):
    values = np.random.default_rng(seed).normal(size=(4, n))
    values[3] += 25
    status = np.zeros(values.shape, int)
    for place in holes:
        status[place] = Status.MISSING
        values[place] = np.nan
    return values, status


def absent_of(status, looks=3):
    """What is missing, as absent from the first so many looks."""
    absent = np.repeat((status == Status.MISSING)[None], 3, axis=0)
    absent[looks:] = False
    return absent


def test_a_look_that_is_declared_taken_leaves_an_arm_with_missing_runs_undecided():
    values, status = with_holes([(3, 1), (3, 4)])
    assert walk(values, status).reached == 0
    walked = walk(values, status, absent=absent_of(status, 2))
    assert walked.reached == 2
    v = walked.verdicts
    assert v.ground[3] == Ground.INCOMPLETE
    assert v.verdict[3] == "INCONCLUSIVE"
    assert (v.n.tolist(), v.missing.tolist()) == ([5, 5, 5, 3], [0, 0, 0, 2])
    assert np.isnan([v.p_difference[3], v.p_equivalence[3]]).all()
    beside = np.vstack([values[:3], np.zeros(8)])  # an arm that cannot be tested, in its place
    whole = verdicts(beside[:, :5], margin=MARGIN, alpha=SPEND[1])
    still = walked.looks[1].judged[1:3] & (v.verdict[1:3] == "INCONCLUSIVE")
    assert still.any()
    assert (v.divisor_difference[1:3][still] == 3).all()
    assert whole.family[1] == 3


def test_blocks_without_the_baseline_are_left_out_for_all_at_a_look_that_is_taken():
    values, status = with_holes([(0, 2), (2, 2)])
    v = walk(values, status, absent=absent_of(status, 2)).looks[1].verdicts
    assert v.n.tolist() == [4, 4, 4, 4]
    assert v.ground[2] != Ground.INCOMPLETE
    rest = np.delete(values[:, :5], 2, axis=1)
    alone = verdicts(rest, margin=MARGIN, floor=FLOOR, alpha=SPEND[1])
    np.testing.assert_allclose(v.effect, alone.effect)
    np.testing.assert_allclose(v.raw_difference[1:3], alone.raw_difference[1:3])


@given(families(), st.integers(0, 7), st.integers(1, 5))
@THOROUGH
def test_a_missing_run_takes_nothing_from_the_others(case, seed, arm):
    # Dropping an arm's runs may only cost the others Holm's later steps, never n or an effect.
    values, status, _ = case
    arm = 1 + arm % (len(values) - 1)
    holes = status.copy()
    holes[arm, seed] = Status.MISSING
    others = [a for a in range(1, len(values)) if a != arm]
    full, torn = walk(values, status), walk(values, holes, absent=absent_of(holes))
    for whole, part in zip(full.looks, torn.looks, strict=False):
        both = [a for a in others if whole.judged[a] and part.judged[a]]
        np.testing.assert_array_equal(whole.verdicts.effect[both], part.verdicts.effect[both])
        np.testing.assert_array_equal(
            whole.verdicts.raw_difference[both], part.verdicts.raw_difference[both]
        )
    # EQUIVALENT may become BETTER where a later step of Holm showed equivalence.
    whole, part = full.looks[0].verdicts, torn.looks[0].verdicts
    for name in ("p_difference", "p_equivalence"):
        assert not ((getattr(part, name) < getattr(whole, name) * (1 - 1e-12))[others]).any()


@given(families(), st.sets(st.tuples(st.integers(1, 4), st.integers(0, 7)), max_size=6),
       st.sets(st.integers(0, 7), max_size=2))  # fmt: skip
@THOROUGH
def test_what_a_look_decided_is_final_whatever_comes_late(case, holes, gaps):
    # Late runs of an arm or of the baseline move no row of another arm, at this look or later.
    values, status, equal = case
    torn = status.copy()
    late = {min(arm, len(values) - 1) for arm, _ in holes}
    for arm, seed in holes | {(0, seed) for seed in gaps}:
        torn[min(arm, len(values) - 1), seed] = Status.MISSING
    asked = {"absent": absent_of(torn), "identical": equal}
    before, after = walk(values, torn, **asked), walk(values, status, **asked)
    others = [arm for arm in range(1, len(values)) if arm not in late]
    assert before.verdict[others].tolist() == after.verdict[others].tolist()
    assert before.seeds[others].tolist() == after.seeds[others].tolist()
    for name in ("n", "effect", "p_difference", "p_equivalence", "ground"):
        np.testing.assert_array_equal(
            getattr(before.verdicts, name)[others], getattr(after.verdicts, name)[others]
        )


def test_what_comes_late_neither_makes_nor_unmakes_a_collapse_of_another_arm():
    values = 100 + np.random.default_rng(4).normal(size=(4, 8))
    values[1, 0] = 5.0
    values[2:] += 300 * np.random.default_rng(5).normal(size=(2, 8))
    status = np.zeros(values.shape, int)
    status[2:] = Status.MISSING
    asked = {"absent": absent_of(status), "chance": 0.0, "floor": 0.0}
    before, after = walk(values, status, **asked), walk(values, **asked)
    assert not walk(values, chance=0.0, floor=0.0).collapsed.any()  # all at once: too wide
    for walked in (before, after):
        assert np.argwhere(walked.collapsed).tolist() == [[1, 0]]


@given(families(), st.integers(1, 5))
@THOROUGH
def test_a_late_arm_is_judged_at_alpha_over_all(case, arm):
    values, status, _ = case
    arm = 1 + arm % (len(values) - 1)
    absent = np.zeros((3, *values.shape), bool)
    absent[0, arm, 1] = True
    after = walk(values, status, absent=absent).looks[0].verdicts
    alone = np.minimum(after.raw_difference[arm] * after.family[arm], 1)
    np.testing.assert_allclose(after.p_difference[arm], alone)
    assert after.n[arm] == LOOKS[0]


@given(families())
@THOROUGH
def test_the_interval_of_a_verdict_never_contradicts_it(case):
    values, status, equal = case
    v = walk(values, status, identical=equal).verdicts
    low, high = v.verdict_low, v.verdict_high
    shown = np.isin(v.ground, [Ground.ABOVE, Ground.BELOW])
    assert ((low > 0) | (high < 0))[shown].all()
    inside = v.ground == Ground.WITHIN_MARGIN
    assert ((low >= -MARGIN) & (high <= MARGIN))[inside].all()
    open_ = v.ground == Ground.UNDECIDED
    assert ((low <= 0) & (high >= 0))[open_].all()
    assert ((low < -MARGIN) | (high > MARGIN))[open_].all()
    excludes = (v.adjusted_low > 0) | (v.adjusted_high < 0)
    np.testing.assert_array_equal(excludes[1:], v.p_difference[1:] <= v.alpha[1:])


@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_the_estimate_after_looks_is_at_the_share_of_the_look(alpha):
    values = np.random.default_rng(2).normal(size=(3, 6))
    v = verdicts(values, margin=1.0, alpha=alpha)
    theirs = stats.ttest_rel(values[1], values[0]).confidence_interval(1 - alpha)
    np.testing.assert_allclose((v.estimate_low[1], v.estimate_high[1]), theirs)


def test_a_difference_is_classed_by_the_margin():
    g = np.random.default_rng(0)
    values = 0.01 * g.normal(size=(7, 10))
    values[1:] += np.array([1.0, 0.5, -1.0, 0.5, 0.1, 0.0])[:, None]
    values[2] += 0.3 * g.normal(size=10)
    status = np.zeros(values.shape, int)
    status[0, 3] = Status.FAILED  # bars EQUIVALENT, so a small gain is BETTER
    v = verdicts(values, margin=0.5, status=status, floor=float(values[0].mean()))
    assert v.reach[1] == Reach.AT_LEAST_MARGIN
    assert v.reach[2] == Reach.OPEN
    assert v.reach[3] == Reach.AT_LEAST_MARGIN
    assert v.reach[5] == Reach.BELOW_MARGIN
    assert v.by_margin.tolist() == [r == Reach.AT_LEAST_MARGIN for r in v.reach]
    assert (verdicts(values[:, :9], margin=None).reach == Reach.NONE).all()
