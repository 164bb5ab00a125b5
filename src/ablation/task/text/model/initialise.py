"""Builds a model and fills its tensors, each from its own random stream."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ablation.task.text.config import (
    AttentionConfig,
    BiasInit,
    Constant,
    Init,
    ModelConfig,
    Normal,
    Uniform,
)
from ablation.task.text.model.classifier import Classifier, HierarchicalClassifier, width_of
from ablation.task.text.model.dropout import Dropout
from ablation.task.text.model.embedding import PADDING, Embedding
from ablation.task.text.model.encoders import CNN, build_encoder
from ablation.task.text.model.pooling import build_pooling
from ablation.task.text.model.streams import generator

Pretrained = tuple[Tensor, Tensor]
"""Token ids ``[tokens]`` and their vectors ``[tokens, embedding]``."""

OURS = (f"{__package__}.", "torch.nn.")
"""Packages of the modules whose tensors are filled here."""

INITS = {"weight": "weight_init", "gate": "weight_init", "query": "query_init"}
"""Tensor of a pooling to the field with its initialisation; the bias is filled separately."""


def build_classifier(
    config: ModelConfig,
    seed: int,
    *,
    vocabulary_size: int,
    classes: int,
    pretrained: Pretrained | None = None,
    device: torch.device | str = "cpu",
) -> Classifier:
    """Returns a classifier whose parameters and dropout depend on the arguments alone.

    Every tensor of this package's and PyTorch's modules is drawn from its own generator, so a
    level that changes one tensor leaves all others of the block unchanged. A user-defined encoder
    or pooling keeps the values drawn by its constructor, for which PyTorch's global generator is
    seeded from the run's seed and the part's name.

    Args:
        config: The model's part of the run configuration.
        seed: Seed that every stream derives from.
        vocabulary_size: Number of token ids, including padding.
        classes: Number of classes.
        pretrained: Token ids and their embeddings; all embeddings are then frozen.
        device: Device of the returned model.

    Raises:
        Refused: If a user-defined class cannot be found or constructed.
    """
    width = config.hidden_size
    encoder = _drawn(
        seed, "encoder", lambda: build_encoder(config.encoder, config.embedding_size, width)
    )
    pooling = _drawn(seed, "pooling", lambda: build_pooling(config.pooling, config))
    shared: dict[str, Any] = {
        "encoder": encoder,
        "pooling": pooling,
        "vocabulary_size": vocabulary_size,
        "classes": classes,
    }
    if config.kind == "flat":
        model = Classifier(config, **shared)
    else:
        words = _drawn(seed, "word_pooling", lambda: build_pooling(config.word_pooling, config))
        sentences = _drawn(
            seed,
            "sentence_encoder",
            lambda: build_encoder(config.sentence_encoder, width_of(words, config), width),
        )
        model = HierarchicalClassifier(
            config, word_pooling=words, sentence_encoder=sentences, **shared
        )
    with torch.no_grad():
        _initialise(model, "", config, seed)
    if pretrained is not None:
        model.embedding.freeze(*pretrained)
    for name, module in model.named_modules():
        if isinstance(module, Dropout):
            module.draw_from(generator(seed, "dropout", name, device=device))
    return model.to(device)


def _drawn(seed: int, part: str, make: Callable[[], nn.Module]) -> nn.Module:
    """Returns a part, made while PyTorch's global generator is seeded for this part."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(seed, "constructor", part).initial_seed())
        return make()


def _initialise(module: nn.Module, name: str, config: ModelConfig, seed: int) -> None:
    """Fills the tensors of this package's and PyTorch's basic modules, depth first."""
    if not type(module).__module__.startswith(OURS):
        return
    match module:
        case Embedding():
            stream = generator(seed, "init", f"{name}.weight")
            module.weight.normal_(std=config.embedding_std, generator=stream)
            module.weight[PADDING] = 0.0
        case nn.Linear():
            _uniform_fan_in(module, name, module.in_features, seed)
        case CNN():
            _uniform_fan_in(module, name, module.weight.shape[1], seed)
        case nn.LSTM():
            _uniform_fan_in(module, name, module.hidden_size, seed)
        case _:
            if name in {"pooling", "word_pooling"}:
                _pooling(module, name, config.attention, seed)
            for child, submodule in module.named_children():
                _initialise(submodule, f"{name}.{child}".lstrip("."), config, seed)


def _uniform_fan_in(module: nn.Module, name: str, fan_in: int, seed: int) -> None:
    """Fills every tensor with U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's own default."""
    bound = 1 / math.sqrt(fan_in)
    for tensor_name, tensor in module.named_parameters(recurse=False):
        tensor.uniform_(-bound, bound, generator=generator(seed, "init", f"{name}.{tensor_name}"))


def _pooling(module: nn.Module, name: str, config: AttentionConfig, seed: int) -> None:
    """Fills a pooling's parameters and buffers as configured."""
    tensors = dict(module.named_parameters(recurse=False))
    for tensor_name, tensor in (tensors | dict(module.named_buffers(recurse=False))).items():
        stream = generator(seed, "init", f"{name}.{tensor_name}")
        if tensor_name == "bias":
            _values(tensor, config.bias_init, stream)
        elif tensor_name in INITS:
            init = getattr(config, INITS[tensor_name])
            fan_out = 1 if tensor_name == "query" else tensor.shape[-1]
            fill(tensor, init, config.init_std, stream, fans=(tensor.shape[-1], fan_out))
        else:
            bound = 1 / math.sqrt(tensor.shape[0])
            tensor.uniform_(-bound, bound, generator=stream)


def fill(
    tensor: Tensor, init: Init, std: float, stream: torch.Generator, *, fans: tuple[int, int]
) -> None:
    """Fills a weight or a query.

    ``xavier`` is the normal of Glorot and Bengio (2010), ``kaiming`` that of He et al. (2015),
    ``orthogonal`` the matrix of Saxe et al. (2014); an orthogonal vector has length one.

    Args:
        tensor: The tensor to fill.
        init: A scheme, or values.
        std: Standard deviation of the scheme ``normal``.
        stream: Generator that the numbers are drawn from.
        fans: Fan in and fan out; the fan out of a query is 1.
    """
    fan_in, fan_out = fans
    match init:
        case "normal":
            tensor.normal_(std=std, generator=stream)
        case "xavier":
            tensor.normal_(std=math.sqrt(2 / (fan_in + fan_out)), generator=stream)
        case "kaiming":
            tensor.normal_(std=math.sqrt(2 / fan_in), generator=stream)
        case "orthogonal":
            nn.init.orthogonal_(tensor if tensor.ndim > 1 else tensor[None], generator=stream)
        case _:
            _values(tensor, init, stream)


def _values(tensor: Tensor, init: Init | BiasInit, stream: torch.Generator) -> None:
    """Fills a tensor with values; zeros and constants do not use the stream."""
    match init:
        case Constant(value=value):
            tensor.fill_(value)
        case Normal(std=std):
            tensor.normal_(std=std, generator=stream)
        case Uniform(bound=bound):
            tensor.uniform_(-bound, bound, generator=stream)
        case _:
            tensor.zero_()
