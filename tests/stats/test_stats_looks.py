"""Looks and planning rows: the walk is the rule repeated, and its simulation matches."""

import numpy as np
import pytest

from ablation.stats import planning_row, verdicts, walk_looks

LOOKS, SPEND = (5, 8, 12, 20), (0.005, 0.010, 0.015, 0.020)


def test_the_walk_is_the_public_call_on_the_arms_still_undecided():
    values = np.random.default_rng(4).normal(size=(5, 20))
    values += np.array([0.0, 0.0, 1.3, -2.5, 0.4])[:, None]
    arms, final = [1, 2, 3, 4], {}
    for n, alpha in zip(LOOKS, SPEND, strict=True):
        v = verdicts(values[[0, *arms]][:, :n], margin=1.2, alpha=alpha)
        decided = [a for a, w in zip(arms, v.verdict[1:], strict=True) if w != "INCONCLUSIVE"]
        final |= {a: (str(v.verdict[1 + arms.index(a)]), n) for a in decided}
        arms = [a for a in arms if a not in decided]
        if not arms:
            break
    walked = walk_looks(values, looks=LOOKS, spend=SPEND, margin=1.2)
    seen = {a: (str(walked.verdict[a]), int(walked.seeds[a])) for a in range(1, 5)}
    assert len({n for _, n in final.values()}) > 1
    assert {a: seen[a] for a in final} == final
    assert all(seen[a] == ("INCONCLUSIVE", 20) for a in arms)
    assert walked.verdict[0] == ""


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
