"""One contract that every pooling keeps, in float64; a new one is one new line in POOLINGS."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ablation.task.text.config import AttentionConfig, Fill, ModelConfig, Normal, Pooling
from ablation.task.text.model import build_pooling, pool
from ablation.task.text.model.plain import MeanPooling
from ablation.task.text.model.streams import generator
from ablation.task.text.model.weights import Masking, entmax15, softmax, sparsemax

# Distinct primes, so that swapped axes cannot pass; the width has the divisor that heads need.
BATCH, LENGTH, HEADS, HIDDEN, HOPS, TOP_K = 5, 11, 2, 14, 3, 4
TIGHT = (-1e32, -math.inf, "min", -1e9, -1e4)
"""Fills that let no weight reach padding."""

Module = nn.Module
Reference = Callable[[Module, Tensor], Tensor]
"""From a pooling and the real tokens of one text, [length, hidden], to its pooled vector."""


def _attention(normaliser: Callable[[Tensor], Tensor] = softmax) -> Reference:
    def reference(module: Module, states: Tensor) -> Tensor:
        keys = torch.stack([h @ module.weight + module.bias for h in states])
        return normaliser(torch.stack([key @ module.query for key in keys])) @ keys

    return reference


def _over_states(module: Module, states: Tensor) -> Tensor:
    return softmax(torch.stack([(h @ module.weight) @ module.query for h in states])) @ states


def _additive(module: Module, states: Tensor) -> Tensor:
    scores = [torch.tanh(h @ module.weight + module.bias) @ module.query for h in states]
    return softmax(torch.stack(scores)) @ states


def _scaled_dot(module: Module, states: Tensor) -> Tensor:
    return softmax(torch.stack([h @ module.query / math.sqrt(HIDDEN) for h in states])) @ states


def _gated(module: Module, states: Tensor) -> Tensor:
    scores = [
        (torch.tanh(h @ module.weight) * torch.sigmoid(h @ module.gate)) @ module.query
        for h in states
    ]
    return softmax(torch.stack(scores)) @ states


def _structured(module: Module, states: Tensor) -> Tensor:
    hops = [
        softmax(torch.stack([torch.tanh(h @ module.weight) @ query for h in states])) @ states
        for query in module.query
    ]
    return torch.cat(hops)


def _multi_head(module: Module, states: Tensor) -> Tensor:
    pooled = F.multi_head_attention_forward(
        module.query.reshape(1, 1, HIDDEN), states[:, None], states[:, None], HIDDEN, HEADS,
        in_proj_weight=None, in_proj_bias=None, bias_k=None, bias_v=None, add_zero_attn=False,
        dropout_p=0.0, out_proj_weight=module.output.T, out_proj_bias=None,
        use_separate_proj_weight=True, q_proj_weight=torch.eye(HIDDEN),
        k_proj_weight=module.weight.T, v_proj_weight=module.value.T,
    )[0]  # fmt: skip
    return pooled[0, 0]


REFERENCES: dict[str, Reference] = {
    "attention": _attention(),
    "attention_over_states": _over_states,
    "additive": _additive,
    "scaled_dot": _scaled_dot,
    "gated": _gated,
    "structured": _structured,
    "multi_head": _multi_head,
    "sparsemax": _attention(sparsemax),
    "entmax15": _attention(entmax15),
    "mean": lambda _, states: states.mean(dim=0),
    "max": lambda _, states: states.max(dim=0).values,
    "sum": lambda _, states: states.sum(dim=0),
    "logsumexp": lambda _, states: states.exp().mean(dim=0).log(),
    "last": lambda _, states: states[-1],
    "first": lambda _, states: states[0],
    "top_k": lambda _, states: states.sort(dim=0, descending=True).values[:TOP_K].mean(dim=0),
}
POOLINGS = tuple(REFERENCES)
SCORED = POOLINGS[:9]
ORDERED = {"last", "first"}


pytestmark = pytest.mark.usefixtures("float64")


def states_and_mask(seed: int, *, whole_padding: bool = False) -> tuple[Tensor, Tensor]:
    stream = generator(seed, "test")
    states = torch.randn(BATCH, LENGTH, HIDDEN, generator=stream)
    lengths = torch.randint(1, LENGTH + 1, (BATCH,), generator=stream)
    lengths[0] = LENGTH
    if whole_padding:
        lengths[1] = 0
    return states, torch.arange(LENGTH) < lengths[:, None]


def drawn(name: str, seed: int, **attention: object) -> Module:
    config = ModelConfig(
        hidden_size=HIDDEN,
        top_k=TOP_K,
        attention=AttentionConfig(heads=HEADS, hops=HOPS, bias_init=Normal(0.5), **attention),
    )
    pooling = build_pooling(name, config)
    with torch.no_grad():
        for tensor_name, tensor in pooling.state_dict().items():
            tensor.normal_(std=0.5, generator=generator(seed, tensor_name))
    return pooling


def test_every_pooling_is_under_the_contract() -> None:
    assert set(POOLINGS) == set(get_args(Pooling))


seeds = st.integers(0, 10_000)


@pytest.mark.parametrize("name", POOLINGS)
class TestEveryPooling:
    """What a pooling owes to whoever swaps it for another."""

    @settings(deadline=None, max_examples=15)
    @given(seed=seeds)
    def test_it_is_its_formula_on_each_text_alone(self, name: str, seed: int) -> None:
        pooling, (states, mask) = drawn(name, seed), states_and_mask(seed)
        rows = zip(states, mask, strict=True)
        alone = [REFERENCES[name](pooling, row[real]) for row, real in rows]
        found, _ = pool(pooling, states, mask)
        torch.testing.assert_close(found, torch.stack(alone), atol=1e-12, rtol=1e-12)

    @settings(deadline=None, max_examples=15)
    @given(seed=seeds)
    def test_what_padding_holds_does_not_matter(self, name: str, seed: int) -> None:
        pooling, (states, mask) = drawn(name, seed), states_and_mask(seed)
        other = torch.where(mask[..., None], states, torch.full_like(states, 9.0))
        assert torch.equal(pool(pooling, states, mask)[0], pool(pooling, other, mask)[0])

    @settings(deadline=None, max_examples=15)
    @given(seed=seeds)
    def test_the_order_of_tokens_matters_only_where_it_should(self, name: str, seed: int) -> None:
        pooling, (states, mask) = drawn(name, seed), states_and_mask(seed)
        order = torch.randperm(LENGTH, generator=generator(seed, "order"))
        found, _ = pool(pooling, states, mask)
        shuffled, _ = pool(pooling, states[:, order], mask[:, order])
        if name not in ORDERED:
            torch.testing.assert_close(found, shuffled, atol=1e-12, rtol=0)
        elif int(order[0 if name == "first" else -1]) != (0 if name == "first" else LENGTH - 1):
            assert not torch.allclose(found[0], shuffled[0])

    @settings(deadline=None, max_examples=15)
    @given(seed=seeds)
    def test_a_batch_is_its_rows_one_by_one(self, name: str, seed: int) -> None:
        pooling, (states, mask) = drawn(name, seed), states_and_mask(seed)
        rows = [
            pool(pooling, states[i : i + 1, : int(m.sum())], m[None, m])[0]
            for i, m in enumerate(mask)
        ]
        found, _ = pool(pooling, states, mask)
        torch.testing.assert_close(found, torch.cat(rows), atol=1e-12, rtol=1e-12)

    @settings(deadline=None, max_examples=15)
    @given(seed=seeds)
    def test_weights_are_shares_of_the_real_tokens(self, name: str, seed: int) -> None:
        for fill in TIGHT if name in SCORED else (-1e32,):
            pooling, (states, mask) = drawn(name, seed, fill=fill), states_and_mask(seed)
            _, weights = pool(pooling, states, mask)
            if weights is None:
                assert name in {"max", "sum", "logsumexp", "top_k"}
                return
            assert weights.min() >= 0
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
            assert (weights * ~(mask if weights.ndim == 2 else mask[:, None])).max() == 0

    def test_a_row_of_padding_gives_zeros(self, name: str) -> None:
        for fill in (*TIGHT, -10.0, 0.0) if name in SCORED else (-1e32,):
            states, mask = states_and_mask(8, whole_padding=True)
            found, _ = pool(drawn(name, 8, fill=fill), states, mask)
            assert torch.equal(found[1], torch.zeros_like(found[1]))
            assert found.isfinite().all()

    def test_gradients_reach_every_parameter_and_no_padding(self, name: str) -> None:
        pooling, (states, mask) = drawn(name, 9), states_and_mask(9)
        states.requires_grad_()
        pool(pooling, states, mask)[0].square().sum().backward()
        for parameter in pooling.parameters():
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()
            assert parameter.grad.abs().sum() > 0
        assert states.grad is not None
        assert states.grad[~mask].abs().max() == 0

    def test_vmap_over_stacked_parameters_is_a_loop(self, name: str) -> None:
        poolings = [drawn(name, seed) for seed in range(3)]
        states, mask = states_and_mask(10)
        many = torch.stack([states, states + 1, states * 2])

        def call(tensors: dict[str, Tensor], states: Tensor) -> Tensor:
            output = torch.func.functional_call(poolings[0], tensors, (states, mask))
            return output[0] if isinstance(output, tuple) else output

        parameters, _ = torch.func.stack_module_state(poolings)
        found = torch.func.vmap(call)(parameters, many)
        pairs = zip(poolings, many, strict=True)
        alone = [pool(module, each, mask)[0] for module, each in pairs]
        torch.testing.assert_close(found, torch.stack(alone), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("spread", [0.5, 5.0])
def test_sparse_weights_leave_padding_out_in_few_digits_too(
    dtype: torch.dtype, spread: float
) -> None:
    scores = spread * torch.randn(20, 300, generator=generator(1, "scores")).float()
    real = torch.arange(300) < torch.randint(1, 300, (20, 1), generator=generator(2, "real"))
    for normaliser in (sparsemax, entmax15):
        masking = Masking(fill="min", second_masking=False, dtype=dtype, normaliser=normaliser)
        weights = masking(scores, real)
        assert (weights * ~real).max() == 0
        sums = weights.double().sum(dim=1)
        digits = torch.finfo(dtype).eps
        torch.testing.assert_close(sums, torch.ones_like(sums), atol=16 * digits, rtol=0)


@pytest.mark.parametrize("name", SCORED)
class TestEveryPoolingWithScores:
    """What the masking owes, whatever makes the scores."""

    def test_only_an_infinite_fill_masked_once_gives_nan_on_padding_alone(self, name: str) -> None:
        states, mask = states_and_mask(5, whole_padding=True)
        for fill in (*TIGHT, -10.0, 0.0):
            found, _ = pool(drawn(name, 5, fill=fill, second_masking=False), states, mask)
            assert bool(found[1].isnan().any()) == (fill == -math.inf)
            assert found[2:].isfinite().all()

    def test_a_fill_of_zero_leaks_and_the_second_masking_does_not_give_it_back(
        self, name: str
    ) -> None:
        states, mask = states_and_mask(6)
        short = mask.sum(1) < LENGTH
        once = pool(drawn(name, 6, fill=0.0, second_masking=False), states, mask)[1]
        twice = pool(drawn(name, 6, fill=0.0), states, mask)[1]
        assert once is not None
        assert twice is not None
        torch.testing.assert_close(once.sum(-1), torch.ones_like(once.sum(-1)))
        assert (twice.sum(-1)[short] < 1 - 1e-6).any()

    def test_lower_precision_stays_close_and_comes_back(self, name: str) -> None:
        torch.set_default_dtype(torch.float32)
        states, mask = states_and_mask(7)
        exact, _ = pool(drawn(name, 7), states, mask)
        rounded, _ = pool(drawn(name, 7, dtype="bfloat16"), states, mask)
        assert rounded.dtype == torch.float32
        assert not torch.equal(exact, rounded)
        torch.testing.assert_close(exact, rounded, atol=0.15, rtol=0.05)

    @pytest.mark.parametrize("tensor", ["weight", "bias", "query"])
    def test_a_fixed_tensor_is_a_buffer_like_the_free_one(self, name: str, tensor: str) -> None:
        if tensor not in drawn(name, 3).state_dict():
            return
        free, fixed = drawn(name, 3), drawn(name, 3, **{f"train_{tensor}": False})
        assert free.state_dict().keys() == fixed.state_dict().keys()
        assert tensor in dict(fixed.named_buffers())
        assert tensor not in dict(fixed.named_parameters())
        states, mask = states_and_mask(3)
        assert torch.equal(pool(free, states, mask)[0], pool(fixed, states, mask)[0])


@pytest.mark.parametrize("fill", [-1e32, -math.inf, "min", -1e9, -1e4])
def test_the_bias_changes_no_weight_and_yet_the_output(fill: float | str) -> None:
    states, mask = states_and_mask(4)
    pooling = drawn("attention", 4, fill=fill, second_masking=False)
    pooled, weights = pool(pooling, states, mask)
    with torch.no_grad():
        pooling.bias.add_(0.7)
    with_bias, weights_with = pool(pooling, states, mask)
    torch.testing.assert_close(weights_with, weights, atol=1e-12, rtol=0)
    assert (with_bias - pooled).abs().max() > 0.1


@pytest.mark.parametrize(("mine", "library"), [(sparsemax, "sparsemax"), (entmax15, "entmax15")])
@settings(deadline=None, max_examples=60)
@given(seed=seeds, length=st.integers(1, 40), scale=st.sampled_from([0.01, 1.0, 30.0]))
def test_sparse_weights_and_gradients_are_the_librarys(
    mine: Callable[[Tensor], Tensor], library: str, seed: int, length: int, scale: float
) -> None:
    import entmax

    scores = scale * torch.randn(7, length, generator=generator(seed, "scores"))
    reference = getattr(entmax, library)
    # Ties are the hard case. Where one falls on the threshold, either gradient is right.
    tied = scores.round(decimals=1)
    torch.testing.assert_close(mine(tied), reference(tied, dim=-1), atol=1e-10, rtol=0)
    scores = torch.cat([scores, scores], dim=1).requires_grad_()
    pull = torch.randn(7, 2 * length, generator=generator(seed, "pull"))
    found, expected = mine(scores), reference(scores, dim=-1)
    torch.testing.assert_close(
        torch.autograd.grad((found * pull).sum(), scores)[0],
        torch.autograd.grad((expected * pull).sum(), scores)[0],
        atol=1e-8,
        rtol=1e-8,
    )


def test_sparsemax_is_sparser_than_entmax_than_softmax() -> None:
    scores = 2 * torch.randn(50, 20, generator=generator(1, "scores"))
    used = [(each(scores) > 0).sum().item() for each in (sparsemax, entmax15, softmax)]
    assert used == sorted(used)
    assert used[0] < used[1] < used[2] == 1000


def test_masking_of_the_configuration() -> None:
    config = AttentionConfig(fill=-10.0, second_masking=False, dtype="bfloat16")
    expected = Masking(fill=-10.0, second_masking=False, dtype=torch.bfloat16)
    assert Masking.of(config) == expected
    assert Masking.of(dataclasses.replace(config, dtype="float32")).dtype is None


@pytest.mark.parametrize("fill", [*TIGHT, -10.0, 0.0])
@pytest.mark.parametrize("second", [True, False])
def test_a_batch_without_padding_has_the_weights_of_one_with_it(fill: Fill, second: bool) -> None:
    masking = Masking(fill=fill, second_masking=second)
    scores = torch.randn(BATCH, LENGTH, generator=generator(0, "scores"))
    mask = torch.ones(BATCH, LENGTH, dtype=torch.bool)
    full = masking(scores, mask)
    mask[-1, -1] = False
    assert torch.equal(masking(scores, mask)[:-1], full[:-1])


def test_a_wrong_shape_is_refused_while_testing() -> None:
    """The import hook of conftest reaches model and training; else no test would check shapes."""
    from jaxtyping import TypeCheckError

    from ablation.task.text.train.evaluate import scores_of

    with pytest.raises(TypeCheckError):
        MeanPooling()(torch.zeros(2, 3, 4), torch.ones(2, 5, dtype=torch.bool))
    with pytest.raises(TypeCheckError):
        scores_of(torch.zeros(2, 3), torch.zeros(5, dtype=torch.int64))
