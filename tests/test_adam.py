"""Adam: PyTorch's own bit for bit, and for a table equal to dense Adam at the cost of its rows."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ablation.task.text.model.streams import generator
from ablation.task.text.train.adam import Adam
from ablation.task.text.train.rows import BETA1, BETA2, BLOCK, EPSILON, Sums

pytestmark = pytest.mark.usefixtures("one_thread")  # two take 50 times as long for so few numbers

ROWS, SIZE = 11, 3
Pattern = list[list[int]]
"""Rows that have a gradient at each step, padding apart."""


def gradient(step: int, rows: int, scales: Tensor) -> Tensor:
    drawn = torch.randn(rows, SIZE, generator=generator(step, "gradient"), dtype=torch.float64)
    return drawn * scales.unsqueeze(1)


def start() -> Tensor:
    drawn = torch.randn(ROWS, SIZE, generator=generator(0, "start"), dtype=torch.float64)
    drawn[0] = 0
    return drawn


def dense(pattern: Pattern, scales: Tensor, rate: float, epsilon: float) -> Tensor:
    """The table as PyTorch's own Adam leaves it."""
    weight = nn.Parameter(start())
    optimizer = torch.optim.Adam([weight], lr=rate, eps=epsilon, fused=True)
    for step, rows in enumerate(pattern):
        weight.grad = torch.zeros_like(weight)
        if rows:
            weight.grad[rows] = gradient(step, ROWS, scales)[rows]
        optimizer.step()
    return weight.detach()


def by_rows(pattern: Pattern, scales: Tensor, rate: float, epsilon: float) -> Tensor:
    """The table as ours leaves it; padding has a gradient too, of which nothing may be seen."""
    weight = nn.Parameter(start())
    optimizer = Adam([weight], rate, table=weight, epsilon=epsilon)
    for step, rows in enumerate(pattern):
        ids = torch.tensor([0, *rows])
        found = optimizer.look_up(ids)
        found.grad = gradient(step, ROWS, scales)[ids]
        optimizer.step()
    optimizer.settle()
    assert weight.grad is None
    return weight.detach()


def patterns() -> dict[str, Pattern]:
    draw = np.random.default_rng(3)
    zipf = 1 / np.arange(1, ROWS)
    often: Pattern = [
        sorted({int(row) + 1 for row in draw.choice(ROWS - 1, 4, p=zipf / zipf.sum())})
        for _ in range(400)
    ]
    return {
        "every step": [[1, 2]] * 150,
        "once, at the first step": [[1]] + [[]] * 300,
        "once, at the second step, then long after": [[], [1, 3]] + [[]] * 1200 + [[1]] + [[]] * 9,
        "after 1,000 steps": [[4]] * 3 + [[5]] * 1000 + [[4, 6], [5], [4]],
        "the first steps alone": [[1], [2], [1, 3]],
        "frequent and rare words": often,
        "a block of the tables is crossed": [[1]] * 1020 + [[2]] * 3 + [[1, 3]] + [[]] * 40,
    }


@pytest.mark.parametrize("rate", [1e-3, 0.1])
@pytest.mark.parametrize("name", patterns())
def test_a_table_moves_as_dense_adam_moves_it(name: str, rate: float) -> None:
    pattern, scales = patterns()[name], torch.logspace(-3, 1, ROWS, dtype=torch.float64)
    expected = dense(pattern, scales, rate, 1e-20)
    assert (expected - start()).abs().max() > rate / 2
    found = by_rows(pattern, scales, rate, 1e-20)
    torch.testing.assert_close(found, expected, atol=1e-10 * max(1, rate / 1e-3), rtol=0)


@settings(deadline=None, max_examples=25)
@given(
    pattern=st.lists(
        st.lists(st.integers(1, ROWS - 1), unique=True, max_size=4), min_size=1, max_size=200
    ),
    gap=st.integers(0, 700),
    rate=st.sampled_from([1e-4, 1e-3, 0.05]),
)
def test_whatever_rows_are_read_it_is_dense_adam(pattern: Pattern, gap: int, rate: float) -> None:
    pattern = [*pattern, *[[]] * gap, *pattern[:5]]
    scales = torch.logspace(-2, 1, ROWS, dtype=torch.float64)
    expected = dense(pattern, scales, rate, 1e-20)
    found = by_rows(pattern, scales, rate, 1e-20)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", patterns())
@pytest.mark.parametrize("size", [1e-3, 1e-5, 1e-7])
def test_epsilons_mean_is_near_enough_where_gradients_are_small(name: str, size: float) -> None:
    pattern, scales = patterns()[name], torch.full((ROWS,), size, dtype=torch.float64)
    expected = dense(pattern, scales, 1e-3, EPSILON)
    found = by_rows(pattern, scales, 1e-3, EPSILON)
    assert (found - expected).norm() < 1e-4 * (expected - start()).norm()


@settings(deadline=None, max_examples=25)
@given(
    pattern=st.lists(
        st.lists(st.integers(1, ROWS - 1), unique=True, max_size=3), min_size=1, max_size=250
    ),
    exponents=st.lists(st.floats(-7, -3), min_size=ROWS, max_size=ROWS),
)
def test_epsilons_mean_is_near_enough_whatever_rows_are_read(
    pattern: Pattern, exponents: list[float]
) -> None:
    scales = 10 ** torch.tensor(exponents, dtype=torch.float64)
    expected = dense(pattern, scales, 1e-3, EPSILON)
    found = by_rows(pattern, scales, 1e-3, EPSILON)
    moved = (expected - start()).norm()
    assert (found - expected).norm() <= 1e-4 * moved


def test_padding_and_rows_without_a_gradient_stay_as_they_are() -> None:
    scales = torch.ones(ROWS, dtype=torch.float64)
    found = by_rows([[1], [2], [1]], scales, 0.1, EPSILON)
    assert found[0].abs().max() == 0
    assert torch.equal(found[3:], start()[3:])
    assert not torch.equal(found[1:3], start()[1:3])


def test_a_frozen_table_is_read_and_never_moved() -> None:
    weight = nn.Parameter(start(), requires_grad=False)
    optimizer = Adam([weight], 0.1, table=weight)
    for ids in (torch.tensor([0, 3, 2]), torch.tensor([0, 5])):
        rows = optimizer.look_up(ids)
        assert torch.equal(rows, start()[ids])
        assert not rows.requires_grad
        optimizer.step()
    optimizer.settle()
    assert torch.equal(weight, start())


def test_a_step_without_a_gradient_of_the_table_is_none_of_it() -> None:
    """A part of the user's own may leave the embeddings out at times."""
    weight, other = nn.Parameter(start()), nn.Parameter(start())
    optimizer = Adam([weight], 0.1, table=weight)
    plain = torch.optim.Adam([other], lr=0.1)
    for step in range(5):
        rows = optimizer.look_up(torch.tensor([0, 1, 2]))
        other.grad = None
        if step != 2:
            drawn = gradient(step, ROWS, torch.ones(ROWS, dtype=torch.float64))
            drawn[0] = drawn[3:] = 0
            rows.grad, other.grad = drawn[:3].clone(), drawn
        optimizer.step()
        plain.step()
    optimizer.settle()
    torch.testing.assert_close(weight, other, atol=1e-12, rtol=0)


def test_a_table_steps_with_the_other_parameters() -> None:
    """One call of the kernel fits both; the others stay bit for bit PyTorch's."""
    weight = nn.Parameter(start())
    mine, theirs = (nn.Parameter(torch.ones(5, dtype=torch.float64)) for _ in range(2))
    optimizer = Adam([weight, mine], 0.1, table=weight)
    assert len(optimizer._fitted) == 1, "the table has no second means"
    plain = torch.optim.Adam([theirs], lr=0.1, fused=True)
    for step in range(4):
        rows = optimizer.look_up(torch.tensor([0, 1]))
        rows.grad = torch.ones_like(rows)
        mine.grad = torch.full((5,), float(step), dtype=torch.float64)
        theirs.grad = mine.grad.clone()
        optimizer.step()
        plain.step()
        assert torch.equal(mine, theirs)
    optimizer.clear_gradients()
    assert mine.grad is None


def test_settling_often_changes_nothing_but_digits() -> None:
    pattern = patterns()["frequent and rare words"]
    scales = torch.full((ROWS,), 1e-4, dtype=torch.float64)
    weight = nn.Parameter(start())
    optimizer = Adam([weight], 1e-3, table=weight)
    for step, rows in enumerate(pattern):
        ids = torch.tensor([0, *rows])
        optimizer.look_up(ids).grad = gradient(step, ROWS, scales)[ids]
        optimizer.step()
        optimizer.settle()
    expected = dense(pattern, scales, 1e-3, EPSILON)
    torch.testing.assert_close(weight.detach(), expected, atol=1e-13, rtol=0)


@pytest.mark.parametrize("width", [1, 7, 33, 128])
def test_a_row_moves_alike_whatever_rows_stand_beside_it(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place or copied, alone or among others: PyTorch's kernels round the same everywhere."""
    draw = np.random.default_rng(2)
    often = [np.unique(draw.zipf(1.5, 40) % 699 + 1) for _ in range(130)]
    found = []
    for many, together in ((10**9, 256), (0, 256), (100, 256), (40, 67), (10**9, 19)):
        monkeypatch.setattr("ablation.task.text.train.rows.MANY", many)
        monkeypatch.setattr("ablation.task.text.train.rows.AT_ONCE", together)
        weight = nn.Parameter(torch.randn(700, width, generator=generator(0, "start")))
        optimizer = Adam([weight], 1e-3, table=weight)
        for step, ids in enumerate(often):
            taken = optimizer.look_up(torch.from_numpy(np.concatenate(([0], ids))))
            taken.grad = torch.randn(taken.shape, generator=generator(step, "gradient")) * 1e-3
            taken.grad *= torch.rand(taken.shape, generator=generator(step, "dropped")) > 0.3
            optimizer.step()
        optimizer.settle()
        found.append(weight.detach().clone())
    assert all(torch.equal(found[0].view(torch.int32), each.view(torch.int32)) for each in found)


@pytest.mark.parametrize(
    ("last", "until"),
    [(0, 1), (1, 2), (3, 90), (100, 101), (100, 100), (5, 1900), (BLOCK - 1, BLOCK + 7)],
)
def test_the_sums_are_their_definition(last: int, until: int) -> None:
    rate, epsilon = 0.3, 1e-8
    r = BETA1 / math.sqrt(BETA2)
    steps = np.arange(last + 1, until + 1)
    terms = r ** (steps - last) * np.sqrt(1 - BETA2**steps) / (1 - BETA1**steps)
    second = terms * np.sqrt((1 - BETA2**steps) / BETA2 ** (steps - last))
    found = Sums(rate, epsilon).until(until, np.array([last]))[:, 0]
    assert found[0] == pytest.approx(rate * terms.sum(), rel=1e-12, abs=1e-290)
    if last < until:
        assert found[1] == pytest.approx(epsilon * second.sum() / terms.sum(), rel=1e-12)
    assert np.isfinite(found[1])
    assert found[2:] == pytest.approx([BETA1 ** (until - last), BETA2 ** (until - last)])


def test_the_sums_do_not_depend_on_how_far_they_are_asked_for() -> None:
    """A run of fewer epochs is the beginning of a longer one, bit for bit."""
    short, long = Sums(0.1, 1e-8), Sums(0.1, 1e-8)
    long.until(5 * BLOCK, np.array([1]))
    last = np.arange(900)
    assert np.array_equal(short.until(900, last), long.until(900, last))


def test_training_does_not_load_pytorchs_compiler() -> None:
    code = (
        "import sys, torch\n"
        "from ablation.task.text.train.adam import Adam\n"
        "one = torch.nn.Parameter(torch.ones(2)); one.square().sum().backward()\n"
        "Adam([one], 0.1).step()\n"
        "assert one.max() < 1\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_adam_is_pytorchs_bit_for_bit() -> None:
    begun = [torch.randn(size, generator=generator(1, "start")) for size in (7, (5, 3), 1)]
    mine, reference = ([nn.Parameter(tensor.clone()) for tensor in begun] for _ in range(2))
    frozen = nn.Parameter(torch.ones(2), requires_grad=False)
    ours = Adam([*mine, frozen], 0.01)
    theirs = torch.optim.Adam([*reference, frozen], lr=0.01, fused=True)
    for step in range(5):
        for one, other in zip(mine, reference, strict=True):
            drawn = torch.randn(one.shape, generator=generator(step, "gradient"))
            # One of them has no gradient at one step, and is not moved.
            one.grad, other.grad = (None, None) if (step, len(one)) == (2, 5) else (drawn, drawn)
        ours.step()
        theirs.step()
        assert all(torch.equal(a, b) for a, b in zip(mine, reference, strict=True))
    assert torch.equal(frozen, torch.ones(2))
