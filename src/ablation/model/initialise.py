"""Initialisation: functions that fill a built model's tensors, each from a stream of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from ablation.config import AttentionConfig, BiasInit, Constant, ModelConfig, Normal
from ablation.model.attention import AttentionPooling
from ablation.model.classifier import Classifier
from ablation.model.dropout import Dropout
from ablation.model.embedding import PADDING, Embedding
from ablation.model.encoders import CNN, build_encoder
from ablation.model.pooling import build_pooling
from ablation.model.streams import generator

Part = TypeVar("Part")


def build(
    config: ModelConfig,
    seed: int,
    *,
    vocabulary_size: int,
    classes: int,
    device: torch.device | str = "cpu",
) -> Classifier:
    """Returns a classifier whose parameters and dropout depend on ``(config, seed)`` alone.

    Every tensor of this package's and PyTorch's modules draws from a generator of its own, so a
    level that changes one tensor leaves all others of its block as they were. An encoder or a
    pooling of the user's keeps the values that its constructor drew; PyTorch's global generator
    is seeded for it from the run's seed and the part's name.

    Raises:
        Refused: If a class of the user's cannot be found.
    """
    model = Classifier(
        config,
        encoder=_drawn(seed, "encoder", lambda: build_encoder(config)),
        pooling=_drawn(seed, "pooling", lambda: build_pooling(config)),
        vocabulary_size=vocabulary_size,
        classes=classes,
    )
    with torch.no_grad():
        _initialise(model, "", config, seed)
    for name, module in model.named_modules():
        if isinstance(module, Dropout):
            module.generator = generator(seed, "dropout", name, device=device)
    return model.to(device)


def _drawn(seed: int, part: str, make: Callable[[], Part]) -> Part:
    """Makes a part with PyTorch's global generator seeded for it alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(seed, "constructor", part).initial_seed())
        return make()


def _initialise(module: nn.Module, name: str, config: ModelConfig, seed: int) -> None:
    """Fills the tensors of this package's and PyTorch's basic modules, depth first."""
    if not type(module).__module__.startswith(("ablation.model.", "torch.nn.")):
        return
    match module:
        case AttentionPooling():
            _attention(module, name, config.attention, seed)
        case Embedding():
            stream = generator(seed, "init", f"{name}.weight")
            module.weight.normal_(std=config.embedding_std, generator=stream)
            module.weight[PADDING] = 0.0
        case nn.Linear():
            _uniform_fan_in(module, name, module.in_features, seed)
        case CNN():
            _uniform_fan_in(module, name, module.weight.shape[0], seed)
        case nn.LSTM():
            _uniform_fan_in(module, name, module.hidden_size, seed)
        case _:
            for child, submodule in module.named_children():
                _initialise(submodule, f"{name}.{child}".lstrip("."), config, seed)


def _uniform_fan_in(module: nn.Module, name: str, fan_in: int, seed: int) -> None:
    """Fills every tensor with U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's own default."""
    bound = 1 / math.sqrt(fan_in)
    for tensor_name, tensor in module.named_parameters(recurse=False):
        stream = generator(seed, "init", f"{name}.{tensor_name}")
        tensor.uniform_(-bound, bound, generator=stream)


def _attention(module: AttentionPooling, name: str, config: AttentionConfig, seed: int) -> None:
    """Fills weight and query with N(0, init_std squared), and the bias as it is declared."""
    for tensor_name in ("weight", "query"):
        tensor: Tensor = getattr(module, tensor_name)
        stream = generator(seed, "init", f"{name}.{tensor_name}")
        tensor.normal_(std=config.init_std, generator=stream)
    if module.bias is not None:
        fill_bias(module.bias, config.bias_init, generator(seed, "init", f"{name}.bias"))


def fill_bias(bias: Tensor, init: BiasInit, stream: torch.Generator) -> None:
    """Fills a bias as its initialisation says; ``"zeros"`` and constants draw nothing."""
    match init:
        case Constant(value=value):
            bias.fill_(value)
        case Normal(std=std):
            bias.normal_(std=std, generator=stream)
        case _:
            bias.zero_()
