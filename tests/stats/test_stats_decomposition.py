"""The variance split: closed forms against sums written out."""

import numpy as np
import pytest

from ablation.stats import Status, variance_split


def test_the_split_on_paper():
    # Arms differ by 2, seeds by 10, no residual: MS_arm = n * 2, MS_seed = k * 100.
    split = variance_split([[0.0, 10.0, 20.0], [2.0, 12.0, 22.0]])
    assert (split.arm, split.seed, split.residual) == pytest.approx((2.0, 100.0, 0.0))
    assert split.arm_deviation == pytest.approx(np.sqrt(2))
    assert split.seed_deviation == pytest.approx(10.0)


def test_the_split_agrees_with_sums_written_out():
    values = np.random.default_rng(0).normal(size=(5, 7)) + np.arange(7) + np.arange(5)[:, None]
    grand, k, n = values.mean(), 5, 7
    by_arm = n * sum((values[a].mean() - grand) ** 2 for a in range(k)) / (k - 1)
    by_seed = k * sum((values[:, s].mean() - grand) ** 2 for s in range(n)) / (n - 1)
    error = sum(
        (values[a, s] - values[a].mean() - values[:, s].mean() + grand) ** 2
        for a in range(k)
        for s in range(n)
    ) / ((k - 1) * (n - 1))
    split = variance_split(values)
    assert split.residual == pytest.approx(error)
    assert split.arm == pytest.approx((by_arm - error) / n)
    assert split.seed == pytest.approx((by_seed - error) / k)


def test_the_split_finds_the_components_it_was_given():
    draw = np.random.default_rng(1)
    shape = (4000, 7, 5)
    values = draw.normal(size=shape) + 2 * draw.normal(size=(4000, 7, 1))
    split = variance_split(values + 3 * draw.normal(size=(4000, 1, 5)))
    assert split.arm.mean() == pytest.approx(4, rel=0.05)
    assert split.seed.mean() == pytest.approx(9, rel=0.05)
    assert split.residual.mean() == pytest.approx(1, rel=0.05)


def test_a_component_is_never_negative():
    values = np.random.default_rng(2).normal(size=(500, 3, 4))
    split = variance_split(values)
    assert split.arm.min() == 0
    assert split.seed.min() == 0


def test_the_split_leaves_incomplete_blocks_out_and_needs_two():
    values = np.random.default_rng(3).normal(size=(3, 5))
    status = np.zeros((3, 5), dtype=int)
    status[1, 2] = Status.MISSING
    ours, rest = variance_split(values, status=status), variance_split(np.delete(values, 2, 1))
    assert ours.arm == pytest.approx(rest.arm)
    assert ours.seed == pytest.approx(rest.seed)
    assert ours.residual == pytest.approx(rest.residual)
    assert np.isnan(variance_split(values[:, :1]).residual)
