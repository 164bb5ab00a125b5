"""The model against literal references, in float64; a contract that every pooling keeps."""

from __future__ import annotations

import math
from pathlib import Path
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ablation.errors import Refused
from ablation.task.text.config import AttentionConfig, Constant, ModelConfig, Normal, Uniform
from ablation.task.text.model import (
    PADDING,
    AttentionPooling,
    Embedding,
    build_classifier,
    encoders,
)
from ablation.task.text.model import dropout as dropouts
from ablation.task.text.model.dropout import Draws, Dropout
from ablation.task.text.model.encoders import CNN, BiLSTM, build_encoder
from ablation.task.text.model.pooling import build_pooling
from ablation.task.text.model.streams import generator

# Distinct primes, so that swapped axes cannot pass.
BATCH, LENGTH, HIDDEN, EMBEDDING = 5, 11, 13, 7
WIDE = 53
FILLS = (-1e32, -math.inf, "min", -1e9, -1e4, -100.0, -10.0, 0.0)
TIGHT = FILLS[:6]
"""Fills that let no weight reach padding in float64, for scores of ordinary size."""


pytestmark = pytest.mark.usefixtures("float64")


def attention_reference(
    states: Tensor,
    mask: Tensor,
    *,
    weight: Tensor,
    bias: Tensor | None,
    query: Tensor,
    fill: float,
    second_masking: bool,
) -> tuple[Tensor, Tensor]:
    """The article's attention as its formula reads, one text and one token at a time."""
    pooled, all_weights = [], []
    for row, real in zip(states, mask.tolist(), strict=True):
        keys = [h @ weight + (0 if bias is None else bias) for h in row]
        scores = [k @ query if m else torch.tensor(fill) for k, m in zip(keys, real, strict=True)]
        weights = torch.softmax(torch.stack(scores), dim=0)
        if second_masking:
            zeros = torch.zeros(())
            kept = [w if m else zeros for w, m in zip(weights, real, strict=True)]
            weights = torch.stack(kept)
        pooled.append(torch.stack([w * k for w, k in zip(weights, keys, strict=True)]).sum(0))
        all_weights.append(weights)
    return torch.stack(pooled), torch.stack(all_weights)


def states_and_mask(seed: int, *, whole_padding: bool = False) -> tuple[Tensor, Tensor]:
    stream = generator(seed, "test")
    states = torch.randn(BATCH, LENGTH, HIDDEN, generator=stream)
    lengths = torch.randint(1, LENGTH + 1, (BATCH,), generator=stream)
    lengths[0] = LENGTH
    if whole_padding:
        lengths[1] = 0
    return states, torch.arange(LENGTH) < lengths[:, None]


def drawn_attention(seed: int, config: AttentionConfig | None = None) -> AttentionPooling:
    config = config or AttentionConfig(init_std=0.5, bias_init=Normal(0.5))
    pooling = build_pooling("attention", ModelConfig(hidden_size=HIDDEN, attention=config))
    assert isinstance(pooling, AttentionPooling)
    with torch.no_grad():
        for name, tensor in pooling.named_parameters():
            tensor.normal_(std=0.5, generator=generator(seed, name))
    return pooling


@pytest.mark.parametrize("second_masking", [True, False])
@pytest.mark.parametrize("bias_init", ["zeros", "none"])
@pytest.mark.parametrize("fill", FILLS)
def test_attention_agrees_with_its_formula_and_its_gradients_do(
    fill: float | str, bias_init: str, second_masking: bool
) -> None:
    config = AttentionConfig(fill=fill, bias_init=bias_init, second_masking=second_masking)
    pooling = drawn_attention(3, config)
    states, mask = states_and_mask(3)
    states.requires_grad_()
    tensors = [states, *pooling.parameters()]
    literal = torch.finfo(states.dtype).min if fill == "min" else float(fill)
    found, found_weights = pooling(states, mask)
    expected, expected_weights = attention_reference(
        states,
        mask,
        weight=pooling.weight,
        bias=pooling.bias,
        query=pooling.query,
        fill=literal,
        second_masking=second_masking,
    )
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(found_weights, expected_weights, atol=1e-12, rtol=1e-12)
    pull = torch.randn(found.shape, generator=generator(3, "pull"))
    for mine, reference in zip(
        torch.autograd.grad((found * pull).sum(), tensors),
        torch.autograd.grad((expected * pull).sum(), tensors),
        strict=True,
    ):
        torch.testing.assert_close(mine, reference, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("fill", TIGHT)
def test_the_bias_cannot_change_the_weights_where_none_reaches_padding(fill: float | str) -> None:
    pooling = drawn_attention(4, AttentionConfig(fill=fill, second_masking=False))
    states, mask = states_and_mask(4)
    with torch.no_grad():
        without, weights_without = _with_bias(pooling, 0.0, states, mask)
        with_bias, weights_with = _with_bias(pooling, 0.7, states, mask)
    torch.testing.assert_close(weights_with, weights_without, atol=1e-12, rtol=0)
    assert (with_bias - without).abs().max() > 0.1


@pytest.mark.parametrize("fill", [-10.0, 0.0])
def test_the_bias_changes_the_weights_where_padding_takes_some(fill: float) -> None:
    pooling = drawn_attention(4, AttentionConfig(fill=fill))
    states, mask = states_and_mask(4)
    with torch.no_grad():
        _, without = _with_bias(pooling, 0.0, states, mask)
        _, with_bias = _with_bias(pooling, 0.7, states, mask)
    assert (with_bias - without).abs().max() > 1e-9


def _with_bias(
    pooling: AttentionPooling, value: float, states: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    assert pooling.bias is not None
    pooling.bias.fill_(value)
    pooled: tuple[Tensor, Tensor] = pooling(states, mask)
    return pooled


def test_what_each_fill_leaks_in_float32() -> None:
    torch.set_default_dtype(torch.float32)
    states = torch.zeros(1, 20, HIDDEN)
    half, few = torch.arange(20) < 10, torch.arange(20) < 1
    leaked = {}
    for fill in FILLS:
        pooling = drawn_attention(1, AttentionConfig(fill=fill, second_masking=False))
        with torch.no_grad():
            pooling.bias.zero_()
            leaked[fill] = pooling(states, half[None])[1][0, ~half]
    assert all(leaked[fill].sum() == 0 for fill in FILLS[:5])
    assert 0 < leaked[-100.0].max() < 1e-43
    assert leaked[-10.0].max().item() == pytest.approx(4e-5 / 10, rel=0.2)
    assert leaked[0.0].sum().item() == pytest.approx(0.5)
    with torch.no_grad():
        assert pooling(states, few[None])[1][0, ~few].sum().item() == pytest.approx(0.95)


def test_infinite_fill_gives_nan_on_a_row_of_padding_only_when_masked_once() -> None:
    states, mask = states_and_mask(5, whole_padding=True)
    for second_masking in (True, False):
        config = AttentionConfig(fill=-math.inf, second_masking=second_masking)
        pooled, _ = drawn_attention(5, config)(states, mask)
        assert pooled[1].isnan().all() != second_masking
        assert pooled[2:].isfinite().all()


def test_tight_fills_are_bitwise_equal_in_float32_gradients_included() -> None:
    torch.set_default_dtype(torch.float32)
    states, mask = states_and_mask(6)
    found = []
    for fill in TIGHT:
        pooling = drawn_attention(6, AttentionConfig(fill=fill))
        pooled, _ = pooling(states, mask)
        gradients = torch.autograd.grad(pooled.square().sum(), list(pooling.parameters()))
        found.append(torch.cat([pooled.flatten(), *(g.flatten() for g in gradients)]))
    assert all(torch.equal(found[0], other) for other in found[1:])


def test_weights_of_a_tight_fill_sum_to_one_and_of_a_leaking_one_to_less() -> None:
    states, mask = states_and_mask(10)
    for fill in FILLS:
        sums = drawn_attention(10, AttentionConfig(fill=fill))(states, mask)[1].sum(dim=1)
        assert sums[0].item() == pytest.approx(1.0)  # this row has no padding
        assert bool((sums[1:] < 1 - 1e-9).any()) == (fill in {0.0, -10.0})


@pytest.mark.parametrize("name", ["none", "cnn", "bilstm"])
def test_no_state_of_an_encoder_depends_on_padding(name: str) -> None:
    config = ModelConfig(encoder=name, embedding_size=EMBEDDING, hidden_size=2 * HIDDEN)
    model = build_classifier(config, 1, vocabulary_size=17, classes=3)
    states, mask = states_and_mask(12)
    embeddings = states[..., :EMBEDDING] * mask[..., None]
    found = model.encoder(embeddings, mask)
    for i, real in enumerate(mask):
        alone = model.encoder(embeddings[i : i + 1, real], real[None, real])
        torch.testing.assert_close(found[i, real], alone[0], atol=1e-12, rtol=1e-12)


def test_a_convolution_is_taken_on_amd_with_avx512_alone() -> None:
    amd, intel = "processor : 0\nvendor_id : AuthenticAMD\n", "vendor_id : GenuineIntel\n"
    assert encoders.convolves("AVX512", amd)
    assert not encoders.convolves("AVX2", amd)
    assert not encoders.convolves("AVX512", intel)
    assert not encoders.convolves("AVX512", "")


@pytest.mark.parametrize("convolves", [False, True])
def test_the_cnn_is_a_convolution(convolves: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "convolves_here", lambda: convolves)
    encoder = CNN(EMBEDDING, HIDDEN)
    with torch.no_grad():
        for name, tensor in encoder.named_parameters():
            tensor.normal_(generator=generator(2, name))
    states, mask = states_and_mask(13)
    kernel = encoder.weight.view(HIDDEN, 3, EMBEDDING).transpose(1, 2)
    inputs = states[..., :EMBEDDING].clone().requires_grad_()
    expected = F.conv1d(inputs.transpose(1, 2), kernel, encoder.bias, padding=1)
    pull = torch.randn(expected.shape, generator=generator(3, "pull"))
    wanted = torch.autograd.grad(
        (expected.relu() * pull).sum(), [inputs, encoder.weight, encoder.bias]
    )
    found = encoder(inputs, mask)
    torch.testing.assert_close(found, expected.transpose(1, 2).relu())
    got = torch.autograd.grad(
        (found * pull.transpose(1, 2)).sum(), [inputs, encoder.weight, encoder.bias]
    )
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("convolves", [False, True])
def test_the_cnn_over_stacked_parameters_is_a_loop(
    convolves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "convolves_here", lambda: convolves)
    models = [
        build_classifier(
            ModelConfig(embedding_size=EMBEDDING, hidden_size=HIDDEN),
            seed,
            vocabulary_size=17,
            classes=3,
        ).encoder
        for seed in range(3)
    ]
    states, mask = states_and_mask(14)
    many = torch.stack([states, states + 1, states * 2])[..., :EMBEDDING]

    def call(tensors: dict[str, Tensor], inputs: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(models[0], tensors, (inputs, mask))
        return found

    parameters, _ = torch.func.stack_module_state(models)
    found = torch.func.vmap(call)(parameters, many)
    alone = torch.stack([model(each, mask) for model, each in zip(models, many, strict=True)])
    torch.testing.assert_close(found, alone, atol=1e-12, rtol=1e-12)


def test_the_bilstm_without_padding_is_the_one_with_it_bit_for_bit() -> None:
    torch.manual_seed(5)
    encoder = BiLSTM(EMBEDDING, 2 * HIDDEN)
    texts = torch.randn(BATCH, LENGTH, EMBEDDING)
    pull = torch.randn(BATCH, LENGTH, 2 * HIDDEN)
    mask = torch.ones(BATCH, LENGTH, dtype=torch.bool)
    found = []
    for rows in (BATCH, BATCH - 1):  # the second batch has padding in its last text
        mask[rows:, LENGTH - 1] = False
        inputs = texts.clone().requires_grad_()
        states = encoder(inputs, mask)[: BATCH - 1]
        gradients = torch.autograd.grad((states * pull[: BATCH - 1]).sum(), inputs)
        found.append((states, gradients[0][: BATCH - 1]))
    for one, two in zip(*found, strict=True):
        assert torch.equal(one, two)


def test_the_bilstm_is_pytorchs_over_packed_sequences() -> None:
    encoder = build_classifier(
        ModelConfig(encoder="bilstm", embedding_size=EMBEDDING, hidden_size=2 * HIDDEN),
        1,
        vocabulary_size=17,
        classes=3,
    ).encoder
    reference = nn.LSTM(EMBEDDING, HIDDEN, batch_first=True, bidirectional=True)
    pairs = []
    for module, suffix in ((encoder.ahead, ""), (encoder.back, "_reverse")):
        for name, tensor in module.named_parameters():
            pairs.append((tensor, getattr(reference, name + suffix)))
    with torch.no_grad():
        for mine, theirs in pairs:
            theirs.copy_(mine)
    states, mask = states_and_mask(15)
    inputs = (states[..., :EMBEDDING] * mask[..., None]).requires_grad_()
    packed = nn.utils.rnn.pack_padded_sequence(
        inputs, mask.sum(dim=1), batch_first=True, enforce_sorted=False
    )
    expected, _ = nn.utils.rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)
    found = encoder(inputs, mask)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)
    pull = torch.randn(found.shape, generator=generator(4, "pull"))
    got = torch.autograd.grad((found * pull).sum(), [inputs, *(mine for mine, _ in pairs)])
    wanted = torch.autograd.grad((expected * pull).sum(), [inputs, *(other for _, other in pairs)])
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


def test_the_embedding_and_its_gradient_are_pytorchs() -> None:
    mine, reference = Embedding(17, EMBEDDING), nn.Embedding(17, EMBEDDING, padding_idx=PADDING)
    with torch.no_grad():
        mine.weight.copy_(reference.weight)
    tokens = torch.randint(0, 17, (BATCH, LENGTH), generator=generator(1, "tokens"))
    pull = torch.randn(BATCH, LENGTH, EMBEDDING, generator=generator(1, "pull"))
    (expected,) = torch.autograd.grad((reference(tokens) * pull).sum(), reference.weight)
    (found,) = torch.autograd.grad((mine(tokens) * pull).sum(), mine.weight)
    assert torch.equal(found, expected)
    assert mine.weight.grad is None
    # As a table of its rows, but for padding's gradient, which whoever fits the rows leaves out.
    ids, numbers = torch.unique(
        torch.cat((torch.zeros(1).long(), tokens.flatten())), return_inverse=True
    )
    rows = mine.weight.detach()[ids].requires_grad_()
    numbers = numbers[1:].view_as(tokens)
    assert torch.equal(mine(numbers, rows), mine(tokens))
    (of_rows,) = torch.autograd.grad((mine(numbers, rows) * pull).sum(), rows)
    torch.testing.assert_close(of_rows[1:], expected[ids[1:]], atol=1e-14, rtol=0)


def test_the_embedding_over_stacked_tables_is_a_loop() -> None:
    embedding = Embedding(17, EMBEDDING)
    tokens = torch.randint(0, 17, (BATCH, LENGTH), generator=generator(2, "tokens"))
    tables = torch.randn(3, 17, EMBEDDING, generator=generator(2, "tables"))

    def call(weight: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(embedding, {"weight": weight}, (tokens,))
        return found.square().sum()

    found = torch.func.vmap(torch.func.grad(call))(tables)

    def reference(weight: Tensor) -> Tensor:
        return F.embedding(tokens, weight, padding_idx=PADDING).square().sum()

    alone = [torch.func.grad(reference)(table) for table in tables]
    torch.testing.assert_close(found, torch.stack(alone), atol=1e-14, rtol=0)


@settings(deadline=None, max_examples=20)
@given(share=st.floats(0.02, 0.9), seed=st.integers(0, 10_000))
def test_dropout_keeps_the_mean_and_drops_its_share(share: float, seed: int) -> None:
    dropout = Dropout(share)
    dropout.draw_from(generator(seed, "dropout"))
    dropped = dropout(torch.ones(40_001))
    assert (dropped == 0).double().mean().item() == pytest.approx(share, abs=0.02)
    assert dropped.mean().item() == pytest.approx(1, abs=0.1)
    assert len(dropped.unique()) == 2
    assert torch.equal(dropout.eval()(torch.ones(3)), torch.ones(3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("dropped", [1, 77, 128, 254, 255])
def test_dropout_drops_the_bytes_below_its_share(dropped: int, dtype: torch.dtype) -> None:
    dropout = Dropout(dropped / 256)
    dropout.draw_from(generator(7, "dropout"))
    states = torch.randn(5, 1003, generator=generator(8, "states")).to(dtype)
    draws = torch.empty(627, dtype=torch.int64)  # 5,015 entries, eight to a draw
    draws.random_(-(2**63), None, generator=generator(7, "dropout"))
    drawn = draws.numpy().view("uint8")[: states.numel()].reshape(states.shape)
    kept = torch.from_numpy(drawn >= dropped)
    scale = torch.tensor(256 / (256 - dropped), dtype=dtype)
    assert torch.equal(dropout(states), torch.where(kept, states * scale, 0 * states))


@settings(deadline=None, max_examples=50)
@given(counts=st.lists(st.integers(0, 90), max_size=12), ahead=st.integers(1, 30))
def test_decisions_made_ahead_are_those_of_one_draw_at_a_time(
    counts: list[int], ahead: int
) -> None:
    with mock.patch.object(dropouts, "AHEAD", ahead):
        draws, alone = Draws(generator(7, "dropout"), 77), generator(7, "dropout")
        for count in counts:
            drawn = torch.empty((count + 7) // 8, dtype=torch.int64)
            drawn.random_(-(2**63), None, generator=alone)
            assert draws.take(count).tolist() == (drawn.view(torch.uint8) >= 77)[:count].tolist()


def test_dropout_bytes_are_uniform() -> None:
    dropout = Dropout(0.5)
    dropout.draw_from(generator(1, "dropout"))
    # Of the eight bytes of a draw the last holds the sign: it must be as fair as the others.
    kept = torch.stack([dropout(torch.ones(8)) > 0 for _ in range(4000)]).double().mean(dim=0)
    assert (kept - 0.5).abs().max() < 0.04


class TestInitialisation:
    """Arms of a block share every random number but those that their level changes."""

    def state(self, seed: int = 0, **changes: object) -> dict[str, Tensor]:
        attention = AttentionConfig(**changes)
        config = ModelConfig(embedding_size=EMBEDDING, hidden_size=HIDDEN, attention=attention)
        return build_classifier(config, seed, vocabulary_size=17, classes=3).state_dict()

    def test_it_depends_on_the_seed_alone(self) -> None:
        torch.manual_seed(1)
        first = self.state()
        torch.manual_seed(2)
        second, other = self.state(), self.state(seed=1)
        assert all(torch.equal(first[name], second[name]) for name in first)
        assert not any(
            torch.equal(first[name], other[name]) for name in first if name != "pooling.bias"
        )

    @pytest.mark.parametrize(
        ("changes", "moved"),
        [
            ({"bias_init": "none"}, "bias"),
            ({"bias_init": Constant(0.1)}, "bias"),
            ({"bias_init": Normal(1.0)}, "bias"),
            ({"bias_init": Uniform(1.0)}, "bias"),
            ({"weight_init": "orthogonal"}, "weight"),
            ({"weight_init": "zeros"}, "weight"),
            ({"query_init": "xavier"}, "query"),
            ({"query_init": "zeros"}, "query"),
            ({"train_weight": False}, ""),
            ({"train_query": False, "train_bias": False}, ""),
        ],
    )
    def test_a_changed_tensor_shifts_no_other(
        self, changes: dict[str, object], moved: str
    ) -> None:
        first, second = self.state(), self.state(**changes)
        for name in first.keys() - {f"pooling.{moved}"}:
            assert torch.equal(first[name], second[name])
        if moved:
            name = f"pooling.{moved}"
            assert name not in second or not torch.equal(first[name], second[name])

    @pytest.mark.parametrize("name", ["weight", "query"])
    def test_each_scheme_is_what_its_paper_says(self, name: str) -> None:
        fan_in, fan_out = WIDE, WIDE if name == "weight" else 1
        expected = {
            "normal": 0.05,
            "xavier": math.sqrt(2 / (fan_in + fan_out)),
            "kaiming": math.sqrt(2 / fan_in),
            "orthogonal": math.sqrt(1 / WIDE),
            "zeros": 0.0,
            Normal(0.7): 0.7,
            Uniform(0.6): 0.6 / math.sqrt(3),
        }
        for init, std in expected.items():
            draws = [self.drawn(seed, **{f"{name}_init": init})[name] for seed in range(9)]
            found = torch.cat([draw.flatten() for draw in draws]).square().mean().sqrt().item()
            assert found == pytest.approx(std, rel=0.08), init
        matrix = self.drawn(0, **{f"{name}_init": "orthogonal"})[name]
        square = matrix.T @ matrix if name == "weight" else matrix @ matrix
        eye = torch.eye(WIDE) if name == "weight" else torch.ones(())
        torch.testing.assert_close(square, eye)
        assert self.drawn(0, **{f"{name}_init": Constant(0.3)})[name].unique().tolist() == [0.3]

    def drawn(self, seed: int, **changes: object) -> dict[str, Tensor]:
        config = ModelConfig(hidden_size=WIDE, attention=AttentionConfig(**changes))
        return build_classifier(config, seed, vocabulary_size=3, classes=2).pooling.state_dict()

    def test_the_init_std_scales_the_same_draws(self) -> None:
        first, second = self.state(init_std=0.05), self.state(init_std=1.0)
        torch.testing.assert_close(second["pooling.query"], 20 * first["pooling.query"])
        assert second["pooling.weight"].std().item() == pytest.approx(1.0, abs=0.15)

    def test_padding_is_embedded_as_zero(self) -> None:
        assert self.state()["embedding.weight"][PADDING].abs().max() == 0


def test_a_pooling_of_the_users_is_built_deterministically(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_first_pooling.py").write_text(
        "import torch\n"
        "class Mine(torch.nn.Module):\n"
        "    def __init__(self, hidden_size):\n"
        "        super().__init__()\n"
        "        self.scale = torch.nn.Parameter(torch.randn(hidden_size))\n"
        "    def forward(self, states, mask):\n"
        "        return (states * mask[..., None]).sum(1) * self.scale\n"
        "class Wrong(Mine):\n"
        "    def forward(self, states, mask):\n"
        "        return states\n"
    )
    config = ModelConfig(pooling="my_first_pooling:Mine", hidden_size=HIDDEN)
    scales = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed + 40)
        model = build_classifier(config, seed, vocabulary_size=17, classes=3)
        scales.append(model.pooling.scale)
    assert torch.equal(scales[0], scales[1])
    assert not torch.equal(scales[0], scales[2])
    wrong = ModelConfig(pooling="my_first_pooling:Wrong", hidden_size=HIDDEN)
    model = build_classifier(wrong, 0, vocabulary_size=17, classes=3).eval()
    tokens = torch.ones(BATCH, LENGTH, dtype=torch.int32)
    with pytest.raises(Refused, match=r"made \(5, 11, 13\) of states of shape \(5, 11, 13\)"):
        model(tokens, tokens.bool())


def test_the_encoder_does_not_shift_what_the_pooling_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_drawing_pooling.py").write_text(
        "import torch\n"
        "class Mine(torch.nn.Linear):\n"
        "    def __init__(self, hidden_size): super().__init__(hidden_size, hidden_size)\n"
        "    def forward(self, states, mask): return super().forward(states.mean(1))\n"
    )
    drawn = []
    for encoder in ("cnn", "bilstm"):
        config = ModelConfig(encoder=encoder, pooling="my_drawing_pooling:Mine", hidden_size=14)
        drawn.append(build_classifier(config, 0, vocabulary_size=17, classes=3).pooling.weight)
    assert torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("name", ["nowhere_at_all:Mine", "torch.nn:Linea"])
def test_a_class_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(Refused, match=r"cannot be imported|Did you mean 'Linear'"):
        build_encoder(name, EMBEDDING, HIDDEN)
