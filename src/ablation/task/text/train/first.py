"""The first step of a training, without its update: it tells whether two arms are one model."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.parameter import is_lazy

from ablation.records.digest import digest
from ablation.task import Made
from ablation.task.text.config import RunConfig
from ablation.task.text.data.encoded import Split
from ablation.task.text.model import build_classifier
from ablation.task.text.model.streams import generator
from ablation.task.text.train.batches import Documents, Texts

TEXTS = 64
"""Texts of train, its first, that the step is taken on."""
FEW = 4
"""Texts of train that a sketch is made of."""


def first_step(
    config: RunConfig, train: Split, *, vocabulary_size: int, classes: int, seed: int = 0
) -> Made:
    """Returns the size of a configuration's model, and a digest of its first step.

    Two configurations have one digest if their models have the same initial weights, the same loss
    and the same gradients, and are then trained alike.

    Args:
        config: The run configuration.
        train: The split that the step is taken on.
        vocabulary_size: Number of token ids, padding included.
        classes: Number of classes.
        seed: Seed of the weights and of dropout.

    Raises:
        ValueError: If a parameter has no shape yet.
    """
    with torch.random.fork_rng(devices=[]):
        model = build_classifier(
            config.model, seed, vocabulary_size=vocabulary_size, classes=classes
        ).train()
        if any(map(is_lazy, model.parameters())):
            raise ValueError("parameters have no shape until the first call (lazy modules)")
        torch.manual_seed(generator(seed, "global").initial_seed())
        texts = _first(train, config.model.kind, TEXTS)
        loss = F.cross_entropy(model(*texts.batch(torch.arange(len(texts)))), texts.labels)
        loss.backward()
    sha = hashlib.sha256(repr((config.train, config.model.embedding_file, loss.item())).encode())
    for each in model.parameters():
        for tensor in (each.detach(), each.grad):
            sha.update(b"" if tensor is None else np.ascontiguousarray(tensor.numpy()).data)
    return Made(sum(each.numel() for each in model.parameters()), sha.hexdigest()[:12])


def sketch(
    config: RunConfig, train: Split, *, vocabulary_size: int, classes: int, seed: int = 0
) -> Made:
    """Returns the size of a configuration's model, and a digest of its loss on a few texts.

    Configurations with different sketches have different first steps. A sketch takes an eighth
    of the time, since its model has embeddings of the few tokens alone.

    Args:
        config: The run configuration, without user-defined classes.
        train: The split that the texts are of.
        vocabulary_size: Number of token ids, padding included.
        classes: Number of classes.
        seed: Seed of the weights and of dropout.
    """
    tokens = train.tokens[: train.offsets[: FEW + 1][-1]]
    known, places = np.unique(tokens, return_inverse=True)
    few = dataclasses.replace(train, tokens=(places + 1).astype(np.int32))  # 0 is padding
    model = build_classifier(
        config.model, seed, vocabulary_size=len(known) + 1, classes=classes
    ).train()
    texts = _first(few, config.model.kind, FEW)
    with torch.no_grad():
        loss = F.cross_entropy(model(*texts.batch(torch.arange(len(texts)))), texts.labels)
    left_out = (vocabulary_size - len(known) - 1) * config.model.embedding_size
    size = sum(each.numel() for each in model.parameters()) + left_out
    return Made(size, digest(repr((config.train, config.model.embedding_file, loss.item()))))


def _first(train: Split, kind: str, count: int) -> Texts | Documents:
    """Returns the first texts of a split."""
    offsets = train.offsets[: count + 1]
    tokens, labels = train.tokens[: offsets[-1]], train.labels[:count]
    if kind == "hierarchical":
        sentences = train.sentences[train.sentences <= offsets[-1]]
        return Documents.of(tokens, offsets, sentences, labels)
    return Texts.of(tokens, offsets, labels)
