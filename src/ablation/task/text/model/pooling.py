"""Builds a pooling by its name, and turns its fixed tensors into buffers."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ablation.task.text.config import ModelConfig
from ablation.task.text.model.attention import AttentionPooling
from ablation.task.text.model.named import named_class
from ablation.task.text.model.plain import (
    FirstPooling,
    LastPooling,
    LogSumExpPooling,
    MaxPooling,
    MeanPooling,
    SumPooling,
    TopKPooling,
)
from ablation.task.text.model.scored import (
    AdditivePooling,
    GatedPooling,
    MultiHeadPooling,
    ScaledDotPooling,
    StructuredPooling,
)
from ablation.task.text.model.weights import Masking, entmax15, sparsemax


def build_pooling(name: str, config: ModelConfig) -> nn.Module:
    """Returns the pooling named in the configuration, not yet initialised.

    A user-defined pooling keeps the values drawn by its constructor.

    Raises:
        Refused: If a user-defined class cannot be found or constructed.
    """
    if ":" in name:
        return named_class(name, config.hidden_size)
    pooling = _build(name, config)
    attention = config.attention
    for tensor, trained in (
        ("weight", attention.train_weight),
        ("bias", attention.train_bias),
        ("query", attention.train_query),
    ):
        if not trained and isinstance(getattr(pooling, tensor, None), nn.Parameter):
            _fix(pooling, tensor)
    return pooling


def _build(name: str, config: ModelConfig) -> nn.Module:
    size, attention = config.hidden_size, config.attention
    bias, masking = attention.bias_init != "none", Masking.of(attention)
    makers: dict[str, Callable[[], nn.Module]] = {
        "attention": lambda: AttentionPooling(size, bias=bias, masking=masking),
        "attention_over_states": lambda: AttentionPooling(size, values="states", masking=masking),
        "additive": lambda: AdditivePooling(size, bias=bias, masking=masking),
        "scaled_dot": lambda: ScaledDotPooling(size, masking=masking),
        "gated": lambda: GatedPooling(size, masking=masking),
        "structured": lambda: StructuredPooling(size, hops=attention.hops, masking=masking),
        "multi_head": lambda: MultiHeadPooling(size, heads=attention.heads, masking=masking),
        "sparsemax": lambda: AttentionPooling(
            size, bias=bias, masking=Masking.of(attention, sparsemax)
        ),
        "entmax15": lambda: AttentionPooling(
            size, bias=bias, masking=Masking.of(attention, entmax15)
        ),
        "mean": MeanPooling,
        "max": MaxPooling,
        "sum": SumPooling,
        "logsumexp": LogSumExpPooling,
        "last": LastPooling,
        "first": FirstPooling,
        "top_k": lambda: TopKPooling(config.top_k),
    }
    return makers[name]()


def _fix(pooling: nn.Module, name: str) -> None:
    """Turns a parameter into a buffer, which is drawn, saved and hashed but never trained."""
    tensor = getattr(pooling, name).detach()
    delattr(pooling, name)
    pooling.register_buffer(name, tensor)
