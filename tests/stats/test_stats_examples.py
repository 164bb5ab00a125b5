"""New seeds and new test examples: crossed mean squares, Cochran's critical values."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from ablation.stats import (
    Critical,
    Scope,
    Status,
    contrasts,
    factorial_weights,
    trend,
    verdicts,
    walk_looks,
)

THOROUGH = settings(max_examples=150, deadline=None)


def study(arms, n, examples, *, spread=0.3, seed=0):
    """Scores ``[arm, seed, example]`` of a crossed Gaussian design, and their means."""
    g = np.random.default_rng(seed)
    scores = 0.02 * g.normal(size=(arms, n, 1)) + spread * g.normal(size=(arms, 1, examples))
    scores = scores + 0.4 * g.normal(size=(arms, n, examples))
    return scores, scores.mean(axis=-1)


class Crossed(NamedTuple):
    """An estimate for new seeds and new examples."""

    effect: float
    standard_error: float
    weight: float
    low: float
    high: float


def crossed(table):
    """Returns the effect of ``[seed, example]`` by its mean squares, written out."""
    (n, size), grand = table.shape, table.mean()
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    by_seed = size * np.sum((rows - grand) ** 2) / (n - 1)
    by_example = n * np.sum((columns - grand) ** 2) / (size - 1)
    rest = table - rows[:, None] - columns + grand
    error = np.sum(rest**2) / ((n - 1) * (size - 1))
    total = by_seed + by_example - min(error, by_seed, by_example)
    root, weight = np.sqrt(total / (n * size)), by_seed / total if n >= 5 else 1.0
    tails = [stats.t.isf(0.025, df) for df in (n - 1, size - 1)]
    half = root * (weight * tails[0] + (1 - weight) * tails[1])
    return Crossed(grand, root, weight, grand - half, grand + half)


def beside_nothing(tables):
    """Returns the verdicts on ``[study, seed, example]`` beside a baseline that scores 0."""
    scores = np.stack([np.zeros(tables.shape), tables], axis=1)
    return verdicts(scores.mean(axis=-1), scores=scores, margin=None)


@given(
    st.floats(1e-3, 15.0), st.integers(4, 60), st.floats(0.0, 1.0), st.integers(1, 3000),
    st.sampled_from([-1, 1]),
)  # fmt: skip
@THOROUGH
def test_a_p_value_is_the_level_whose_critical_value_is_met(t, df, weight, examples, sign):
    law = Critical(
        df=np.array(float(df)), weight=np.array(weight), example_df=np.array(float(examples))
    )

    def gap(log):
        a = np.exp(log)
        return weight * stats.t.isf(a, df) + (1 - weight) * stats.t.isf(a, examples) - t

    p = float(law.exceeded(np.array(sign * t)))
    expected = np.exp(optimize.brentq(gap, -350, np.log(0.5 + 1e-12), xtol=1e-13))
    assert p == pytest.approx(expected if sign > 0 else 1 - expected, rel=1e-7)
    if sign > 0 and p < 0.5:
        assert float(law.quantile(p)) == pytest.approx(t, abs=1e-7)


def test_with_the_whole_weight_on_the_seeds_it_is_students_t():
    law = Critical(df=np.array(7.0), weight=np.array(1.0), example_df=np.array(99.0))
    t = np.linspace(-6, 6, 25)
    np.testing.assert_allclose(law.exceeded(t), stats.t.sf(t, 7), rtol=1e-10)


def test_error_and_critical_value_are_those_of_the_crossed_design():
    scores, values = study(3, 8, 120)
    v = verdicts(values, scores=scores, margin=0.05)
    for arm in (1, 2):
        whole = crossed(scores[arm] - scores[0])
        assert v.standard_error[arm] == pytest.approx(whole.standard_error)
        assert v.weight[arm] == pytest.approx(whole.weight)
        assert (v.low[arm], v.high[arm]) == pytest.approx((whole.low, whole.high))
    assert (v.scope, v.examples) == (Scope.NEW_EXAMPLES, 120)
    plain = verdicts(values, margin=0.05)
    assert (plain.scope, plain.examples) == (Scope.THIS_SPLIT, None)
    np.testing.assert_allclose(v.effect, plain.effect)
    assert (v.standard_error[1:] > plain.standard_error[1:]).all()


def test_both_families_ask_the_same_critical_values():
    scores, values = study(2, 9, 150, seed=4)
    v = verdicts(values, scores=scores, margin=0.1)
    law = Critical(df=v.df[1], weight=v.weight[1], example_df=v.example_df[1])
    t = abs(v.effect[1]) / v.standard_error[1]
    assert float(law.quantile(v.raw_difference[1] / 2)) == pytest.approx(t)
    within = (0.1 - abs(v.effect[1])) / v.standard_error[1]
    assert float(law.quantile(v.raw_equivalence[1])) == pytest.approx(within)


@pytest.mark.parametrize("n", [3, 4])
def test_below_five_seeds_students_t_stands_alone(n):
    scores, values = study(2, n, 150)
    v = verdicts(values, scores=scores, margin=0.1)
    t = abs(v.effect[1]) / v.standard_error[1]
    assert v.raw_difference[1] == pytest.approx(2 * stats.t.sf(t, n - 1))


def test_booleans_and_floats_are_judged_alike():
    g = np.random.default_rng(1)
    right = g.random((4, 6, 90)) < 0.3 + 0.5 * g.random((4, 1, 90))
    bits = verdicts(right.mean(axis=-1), scores=right, margin=0.1, quantum=1 / 90)
    floats = verdicts(right.mean(axis=-1), scores=right * 1.0, margin=0.1, quantum=1 / 90)
    np.testing.assert_allclose(bits.standard_error, floats.standard_error, rtol=1e-12)


def test_the_quantum_bounds_the_whole_variance_from_below():
    right = np.zeros((2, 6, 50), bool)
    right[:, :3, :25] = True
    v = verdicts(right.mean(axis=-1), scores=right, margin=0.1, quantum=0.02)
    assert v.standard_error[1] == pytest.approx(0.02 / np.sqrt(6 * 6))


def test_the_quantum_bounds_only_what_the_examples_leave_of_it():
    g = np.random.default_rng(3)
    scores = np.repeat(g.normal(size=(2, 1, 40)), 6, axis=1) + 1e-3 * g.normal(size=(2, 6, 1))
    v = verdicts(scores.mean(axis=-1), scores=scores, margin=0.5, quantum=0.3)
    assert 0 < v.fixed[1] < v.standard_error[1] ** 2
    spread = np.std(scores[1].mean(axis=-1) - scores[0].mean(axis=-1), ddof=1)
    whole = max(spread**2 / 6 + v.fixed[1], 0.3**2 / 36)
    assert v.standard_error[1] == pytest.approx(np.sqrt(whole))


def test_the_error_mean_square_is_at_most_the_smaller_of_the_others():
    g = np.random.default_rng(0)
    d = g.normal(size=(2000, 5, 12))
    d[:1000] -= 0.99 * (d[:1000].mean(axis=-1, keepdims=True))
    d[1000:] -= 0.99 * (d[1000:].mean(axis=-2, keepdims=True))
    rows, columns = d.mean(axis=-1, keepdims=True), d.mean(axis=-2, keepdims=True)
    grand = d.mean(axis=(-2, -1), keepdims=True)
    seeds = 12 * ((rows - grand) ** 2).sum(axis=(-2, -1)) / 4
    examples = 5 * ((columns - grand) ** 2).sum(axis=(-2, -1)) / 11
    error = ((d - rows - columns + grand) ** 2).sum(axis=(-2, -1)) / 44
    assert (error[:1000] > seeds[:1000]).mean() > 0.9
    assert (error[1000:] > examples[1000:]).mean() > 0.9
    least = np.minimum(error, np.minimum(seeds, examples))
    v = beside_nothing(d)
    np.testing.assert_allclose(v.standard_error[:, 1] ** 2, (seeds + examples - least) / 60)
    weight = np.minimum(1, seeds / (seeds + examples - least))
    np.testing.assert_allclose(v.weight[:, 1], weight)


def test_a_failed_run_takes_the_chance_scores_example_by_example():
    g = np.random.default_rng(2)
    right = g.random((3, 7, 40)) < 0.6
    chance = np.arange(40) % 4 == 0
    status = np.zeros((3, 7), int)
    status[1, 2] = status[0, 5] = Status.FAILED
    values = np.where(status, np.nan, right.mean(axis=-1))
    v = verdicts(values, scores=right, status=status, floor=chance, margin=0.2)
    fallen = right.copy()
    fallen[1, 2], fallen[0, 5] = chance, chance
    clean = verdicts(fallen.mean(axis=-1), scores=fallen, margin=0.2)
    np.testing.assert_allclose(v.standard_error, clean.standard_error)
    np.testing.assert_allclose(v.effect, clean.effect)


def test_a_numeric_floor_is_that_score_on_every_example():
    g = np.random.default_rng(3)
    scores = g.normal(size=(2, 6, 30))
    status = np.zeros((2, 6), int)
    status[1, 0] = Status.FAILED
    v = verdicts(scores.mean(axis=-1), scores=scores, status=status, floor=-2.0, margin=1.0)
    scores[1, 0] = -2.0
    clean = verdicts(scores.mean(axis=-1), scores=scores, margin=1.0)
    np.testing.assert_allclose(v.standard_error, clean.standard_error)


def test_looks_and_missing_runs_read_only_the_seeds_that_count():
    scores, values = study(3, 8, 60, seed=7)
    status = np.zeros((3, 8), int)
    status[:, 5:] = Status.MISSING
    status[1, 2] = Status.MISSING
    torn = np.where(status[..., None] == Status.MISSING, np.nan, scores)
    absent = np.zeros((2, *status.shape), bool)
    absent[0, 1, 2] = True
    asked = {"looks": (5, 8), "spend": (0.02, 0.03), "margin": 0.1, "absent": absent}
    walked = walk_looks(torn.mean(axis=-1), scores=torn, status=status, **asked)
    alone = verdicts(values[:, :5], scores=scores[:, :5], margin=0.1, alpha=0.02)
    assert walked.verdicts.standard_error[2] == pytest.approx(alone.standard_error[2])
    rest = [0, 1, 3, 4]
    own = verdicts(values[:, rest], scores=scores[:, rest], margin=0.1)
    assert walked.verdicts.standard_error[1] == pytest.approx(own.standard_error[1])


def test_the_trend_is_taken_example_by_example():
    scores, values = study(4, 7, 80, seed=5)
    at = np.log10([0.01, 0.05, 0.2, 1.0])
    weights = (at - at.mean()) / np.sum((at - at.mean()) ** 2)
    whole = crossed(np.einsum("a,asi->si", weights, scores))
    ours = trend(values, 10**at, log=True, scores=scores)
    assert ours.slope == pytest.approx(whole.effect)
    assert ours.standard_error == pytest.approx(whole.standard_error)
    assert (ours.low, ours.high) == pytest.approx((whole.low, whole.high))


def test_the_interaction_is_taken_example_by_example():
    scores, values = study(6, 6, 70, seed=6)
    _, weights = factorial_weights(list(np.ndindex(2, 3)), pairs=True)
    ours = contrasts(values, weights, scores=scores)
    for place, two in enumerate((1, 2)):
        whole = crossed(scores[3 + two] - scores[3] - scores[two] + scores[0])
        assert ours.effect[place] == pytest.approx(whole.effect)
        assert ours.standard_error[place] == pytest.approx(whole.standard_error)
        assert ours.low[place] == pytest.approx(whole.low)


@pytest.mark.parametrize("deviations", [(0.0, 0.0), (0.0, 0.3), (0.1, 0.3), (0.5, 0.1)])
def test_the_interval_for_new_seeds_and_examples_covers(deviations):
    draw, (by_seed, by_example) = np.random.default_rng(5), deviations
    table = draw.normal(size=(2000, 8, 50)) + by_seed * draw.normal(size=(2000, 8, 1))
    table += by_example * draw.normal(size=(2000, 1, 50))
    v = beside_nothing(table)
    assert ((v.low[:, 1] <= 0) & (v.high[:, 1] >= 0)).mean() > 0.94


@given(st.integers(3, 12), st.integers(2, 40), st.integers(0, 2**32))
@THOROUGH
def test_the_variance_is_that_of_the_seeds_and_the_part_they_cannot_lower(n, examples, seed):
    g = np.random.default_rng(seed)
    scores = g.normal(size=(2, n, examples)) * g.choice([0.1, 1, 5]) + g.normal(size=examples)
    values = scores.mean(axis=-1)
    v = verdicts(values, scores=scores, margin=1.0)
    spread = np.std(values[1] - values[0], ddof=1)
    assert v.fixed[1] >= 0
    assert v.standard_error[1] ** 2 == pytest.approx(spread**2 / n + v.fixed[1])
    assert 0 < v.weight[1] <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": np.zeros((2, 3, 1))}, "two examples"),
        ({"scores": np.zeros((2, 4, 9))}, "over values"),
        ({"scores": np.full((2, 3, 9), 0.7)}, r"run \[1, 2\] is off by"),
        ({"scores": np.zeros((2, 3, 9)), "floor": np.zeros(4)}, "one score for each of 9"),
        ({"floor": np.zeros(4)}, "one number unless"),
    ],
)
def test_scores_that_do_not_fit_are_refused(change, message):
    values = np.zeros((2, 3))
    values[1, 2] = -0.5
    with pytest.raises(ValueError, match=message):
        verdicts(values, margin=0.1, **change)
