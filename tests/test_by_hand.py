"""Gradients by hand are autograd's, to the last bit."""

from __future__ import annotations

from typing import Any, get_args
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from ablation.task.text.config import AttentionConfig, Constant, ModelConfig, Pooling
from ablation.task.text.model import Classifier, build_classifier, by_hand
from ablation.task.text.model.by_hand import by_hand_alone, loss_and_gradients
from ablation.task.text.model.encoders import convolves_here

pytestmark = pytest.mark.usefixtures("one_thread")

VOCABULARY, CLASSES = 23, 3


def config(encoder: str = "cnn", pooling: str = "attention", **changes: Any) -> ModelConfig:
    options: dict[str, Any] = {"bias_init": Constant(0.3), "init_std": 0.5} | changes
    attention = AttentionConfig(**options)
    return ModelConfig(
        encoder=encoder, pooling=pooling, attention=attention, embedding_size=16, hidden_size=16
    )  # fmt: skip


def made(given: ModelConfig, lengths: list[int]) -> tuple[Classifier, tuple[Any, ...]]:
    """Returns a model in training mode, and the other arguments of its loss."""
    stream = torch.Generator().manual_seed(5)
    model = build_classifier(given, 3, vocabulary_size=VOCABULARY, classes=CLASSES)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    tokens = torch.randint(1, VOCABULARY, mask.shape, generator=stream) * mask
    labels = torch.randint(CLASSES, (len(lengths),), generator=stream)
    table = torch.randn(VOCABULARY, given.embedding_size, generator=stream)
    table[0] = 0
    numbers, order = tokens.flatten().sort(stable=True)
    places = order.int(), torch.searchsorted(numbers, torch.arange(VOCABULARY)).int()
    return model.train(), ((tokens, mask), table.requires_grad_(), labels, places)


def by_autograd(
    model: Classifier, inputs: tuple[Tensor, ...], table: Tensor, labels: Tensor, places: Any
) -> Tensor:
    loss = F.cross_entropy(model(*inputs, table=table), labels)
    loss.backward()
    return loss.detach()


def check(given: ModelConfig, lengths: list[int]) -> None:
    found: dict[Any, tuple[Any, ...]] = {}
    for compute in (loss_and_gradients, by_autograd):
        model, arguments = made(given, lengths)
        with mock.patch.object(by_hand, "_by_autograd", wraps=by_hand._by_autograd) as parts:
            losses = [compute(model, *arguments)]  # gradients of the first step ...
        assert compute is by_autograd or by_hand_alone(model) is not parts.called
        gradients = {name: each.grad for name, each in model.named_parameters()}
        gradients["table"], arguments[1].grad = arguments[1].grad, None
        model.zero_grad()
        losses.append(compute(model, *arguments))  # ... and that the masks of dropout go on
        found[compute] = (*losses, gradients)
    (one, two, hand), (expected, second, auto) = found.values()
    assert torch.equal(one, expected), (one, expected)
    assert torch.equal(two, second)
    assert hand.keys() == auto.keys()
    for name, gradient in auto.items():
        if gradient is None:
            assert hand[name] is None, name
        else:
            assert hand[name].dtype == gradient.dtype
            assert torch.equal(hand[name], gradient), name


HAND = st.fixed_dictionaries(
    {
        "encoder": st.sampled_from(["none"] if convolves_here() else ["none", "cnn"]),
        "pooling": st.sampled_from(["attention", "attention_over_states"]),
        "fill": st.sampled_from([-1e32, "min", -1.0]),
        "second_masking": st.booleans(),
        "bias_init": st.sampled_from(["none", "zeros", Constant(0.3)]),
    }
)


@settings(deadline=None, max_examples=100)
@given(
    choices=HAND, lengths=st.lists(st.integers(1, 9), min_size=1, max_size=12), alike=st.booleans()
)
@example(choices={"encoder": "none"}, lengths=[1], alike=True)
@example(choices={}, lengths=[4, 9, 1], alike=False)
def test_the_articles_model_is_autograds_bit_for_bit(
    choices: dict[str, Any], lengths: list[int], alike: bool
) -> None:
    lengths = [lengths[0]] * len(lengths) if alike else lengths
    with mock.patch.object(by_hand, "_by_autograd", side_effect=AssertionError):
        check(config(**choices), lengths)


@pytest.mark.parametrize("lengths", [[5, 5, 5], [7, 2, 1, 4]])
@pytest.mark.parametrize("pooling", get_args(Pooling))
@pytest.mark.parametrize("encoder", ["none", "cnn", "bilstm"])
def test_every_other_part_is_autograds_bit_for_bit(
    encoder: str, pooling: str, lengths: list[int]
) -> None:
    check(config(encoder, pooling), lengths)


@pytest.mark.parametrize(
    "changes",
    [{"dtype": "bfloat16"}, {"train_weight": False}, {"train_bias": False},
     {"train_query": False}],
    ids=str,
)  # fmt: skip
def test_options_that_go_through_autograd_are_its_bit_for_bit(changes: dict[str, Any]) -> None:
    check(config(**changes), [7, 2, 1, 4])


def test_double_precision_is_autograds_bit_for_bit(float64: None) -> None:
    for encoder in ("none", "cnn", "bilstm"):
        check(config(encoder), [7, 2, 1, 4])


def test_a_model_with_a_frozen_table_goes_through_autograd_whole() -> None:
    model, (inputs, table, *others) = made(config(), [3, 1])
    with mock.patch.object(by_hand, "_embed", side_effect=AssertionError):
        loss_and_gradients(model, inputs, table.detach(), *others)
    assert model.head.weight.grad is not None
    assert by_hand_alone(model) is not convolves_here()
    model.embedding.weight.requires_grad_(False)
    assert not by_hand_alone(model)
