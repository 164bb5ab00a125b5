"""Looks and planning rows: the walk is the rule repeated, and its simulation matches."""

import numpy as np
import pytest

from ablation.stats import Ground, Status, planning_row, verdicts, walk_looks

LOOKS, SPEND = (5, 8, 12, 20), (0.005, 0.010, 0.015, 0.020)


def test_one_look_with_the_whole_alpha_is_the_plain_verdict():
    values = np.random.default_rng(5).normal(size=(300, 4, 10))
    walked = walk_looks(values, looks=[10], spend=[0.05], margin=1.0)
    np.testing.assert_array_equal(walked.verdict, verdicts(values, margin=1.0).verdict)


@pytest.mark.parametrize(("looks", "spend"), [((5, 8), (0.05,)), ((8, 5), (0.01, 0.04))])
def test_looks_that_do_not_rise_or_match_are_refused(looks, spend):
    with pytest.raises(ValueError, match="must rise"):
        walk_looks(np.zeros((2, 8)), looks=looks, spend=spend, margin=1.0)


@pytest.mark.parametrize(
    ("n", "margin", "expected"), [(8, 1, 0.23), (8, 1.5, 0.89), (10, 1, 0.46), (20, 1, 0.98)]
)
def test_the_planning_row_gives_the_measured_power_for_equivalence(n, margin, expected):
    row = planning_row([n], margin=margin, noise=1.0, comparisons=6, effects=())
    assert row.equivalent == pytest.approx(expected, abs=0.03)


def test_the_planning_row_gives_the_measured_power_for_better():
    row = planning_row([10], margin=0.02, noise=0.01, comparisons=6)
    assert row.effects == pytest.approx((0.01, 0.015, 0.02, 0.03))
    narrow = planning_row([10], margin=None, noise=0.01, comparisons=6)
    np.testing.assert_allclose(narrow.better, (0.47, 0.88, 0.99, 1.0), atol=0.03)
    assert narrow.equivalent == 0
    assert row.better[0] < 0.1  # inside the margin EQUIVALENT wins


def test_the_planning_row_of_looks_counts_every_look():
    plan = {"margin": 1.5, "noise": 1.0, "comparisons": 3, "effects": ()}
    row = planning_row(LOOKS, spend=SPEND, **plan)
    last = planning_row([20], spend=[0.020], **plan)
    assert row.equivalent >= last.equivalent - 0.01
    assert 5 < row.seeds < 20
    assert last.seeds == 20


def test_the_planning_row_is_the_same_twice_and_uses_the_generator_it_is_given():
    plan = {"margin": 1.0, "noise": 1.0, "comparisons": 3, "repetitions": 200}
    first, again = (planning_row([8], **plan).equivalent for _ in range(2))
    others = {
        planning_row([8], generator=np.random.default_rng(s), **plan).equivalent for s in range(5)
    }
    assert first == again
    assert len(others) > 1


def decided_early():
    """Values ``[arm, seed]`` whose arm 1 is decided at once, and arm 2 is not."""
    values = np.random.default_rng(8).normal(size=(3, 20))
    values[1] -= 60
    return values


def missing_from(seeds):
    """Statuses ``[arm, seed]`` with runs up to each arm's number of seeds."""
    late = np.arange(20) >= np.array(seeds)[:, None]
    return np.where(late, Status.MISSING, Status.FINISHED)


def walk(values, status=None, **more):
    asked = {"looks": LOOKS, "spend": SPEND, "margin": 0.1, "status": status}
    return walk_looks(values, **(asked | more))


def test_a_look_waits_for_the_undecided_arms_and_the_baseline_alone():
    values = decided_early()
    walked = walk(values, missing_from([8, 5, 8]))
    assert walked.reached == 2
    assert walked.verdicts.n.tolist() == [8, 5, 8]
    assert walked.verdicts.alpha.tolist() == [0.010, 0.005, 0.010]
    assert walked.verdict.tolist() == ["", "WORSE", "INCONCLUSIVE"]
    assert walked.seeds.tolist() == [12, 5, 12]
    assert [look.judged.tolist() for look in walked.looks] == [[True] * 3, [True, False, True]]
    waiting = walk(values, missing_from([8, 5, 7]))
    assert waiting.reached == 1
    assert waiting.seeds.tolist() == [8, 5, 8]
    assert waiting.verdicts.n.tolist() == [5, 5, 5]


def test_runs_between_two_looks_change_nothing():
    values = decided_early()
    at, beyond = (walk(values, missing_from([n, 5, n])).verdicts for n in (8, 11))
    np.testing.assert_array_equal(at.effect, beyond.effect)
    np.testing.assert_array_equal(at.p_difference, beyond.p_difference)


def test_short_of_the_first_look_numbers_are_shown_and_not_judged():
    values = decided_early()
    walked = walk(values, missing_from([5, 4, 5]), identical=np.ones((3, 20)))
    assert walked.reached == 0
    assert walked.seeds.tolist() == [5, 5, 5]
    v = walked.verdicts
    assert (v.n.tolist(), v.missing.tolist()) == ([4] * 3, [1] * 3)
    assert v.ground.tolist() == [Ground.BASELINE, Ground.NOT_REACHED, Ground.NOT_REACHED]
    assert v.effect[1] == pytest.approx(np.mean(values[1, :4] - values[0, :4]))
    assert np.isfinite(v.low[1:]).all()
    hidden = [v.p_difference, v.p_equivalence, v.p_failures, v.adjusted_low]
    assert np.isnan([*hidden, v.follow_up().likely]).all()


def test_studies_walk_by_themselves():
    values = np.stack([decided_early(), np.random.default_rng(2).normal(size=(3, 20))])
    status = np.stack([missing_from([12, 5, 12]), missing_from([3, 3, 3])])
    together = walk(values, status)
    for place in range(2):
        alone = walk(values[place], status[place])
        assert together.reached[place] == alone.reached
        assert together.seeds[place].tolist() == alone.seeds.tolist()
        assert together.verdict[place].tolist() == alone.verdict.tolist()
        np.testing.assert_array_equal(together.verdicts.low[place], alone.verdicts.low)


def test_identity_is_asked_on_the_seeds_of_the_look():
    values = decided_early()
    values[2, :5] = values[0, :5]
    equal = np.zeros((3, 20), bool)
    equal[2, :5] = True
    walked = walk(values, identical=equal)
    assert walked.looks[0].verdicts.ground[2] == Ground.IDENTICAL
    assert walked.seeds.tolist() == [5, 5, 5]
    equal[2, 4] = False
    assert walk(values, identical=equal).seeds[2] > 5


def test_what_does_not_fit_a_schedule_is_refused():
    with pytest.raises(ValueError, match="between 1 and the seeds of values, 19"):
        walk(decided_early()[:, :19])
    with pytest.raises(ValueError, match="one boolean per run"):
        walk(decided_early(), identical=[False, False, True])


def test_the_planning_row_knows_the_examples():
    plan = {"margin": 0.05, "noise": 0.014, "comparisons": 6, "effects": (0.05,)}
    plain = planning_row([20], **plan)
    none = planning_row([20], examples=200, deviation=0.0, **plan)
    few, many = (planning_row([20], examples=n, deviation=0.3, **plan) for n in (200, 5000))
    assert plain.equivalent > 0.99
    assert none.equivalent == pytest.approx(plain.equivalent, abs=0.01)
    assert few.equivalent < 0.5 < many.equivalent
    assert few.better[0] < many.better[0]
    # The simulated examples move the mean as much as the engine takes them to.
    nothing = planning_row([20], examples=200, deviation=0.3, **(plan | {"effects": (0.0,)}))
    assert nothing.better[0] < 0.03


def test_the_planning_row_judges_with_the_examples_as_scores_would():
    g = np.random.default_rng(3)
    scores = 0.3 * g.normal(size=(300, 2, 1, 400)) / np.sqrt(2)
    scores = scores + 0.1 * g.normal(size=(300, 2, 8, 400)) + 0.01 * g.normal(size=(300, 2, 8, 1))
    v = verdicts(scores.mean(axis=-1), scores=scores, margin=0.05)
    noise = np.sqrt(2 * (0.01**2 + 0.1**2 / 400))
    row = planning_row(
        [8], margin=0.05, noise=noise, comparisons=1, examples=400, deviation=0.3, effects=()
    )
    assert row.equivalent == pytest.approx(np.mean(v.verdict[:, 1] == "EQUIVALENT"), abs=0.09)
