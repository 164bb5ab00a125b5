"""Trains user-defined classes for one epoch on made-up texts, before a study trains them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from ablation.errors import Refused
from ablation.task.text.config import ModelConfig, RunConfig
from ablation.task.text.model import build_classifier
from ablation.task.text.train.batches import Documents, Texts
from ablation.task.text.train.loop import train

LENGTHS = (5, 2, 1, 4, 3, 1, 2)
"""Tokens of the made-up texts: padding beside some, none beside others."""
VOCABULARY, CLASSES = 11, 2
CLOSE = 1e-4
"""Difference of two logits up to which they are the same: rounding may differ."""


def rehearse(config: RunConfig) -> str:
    """Trains as a study does, one step in training mode, then evaluates.

    Args:
        config: An arm's configuration; its widths are kept, its epochs and batches are not.

    Returns:
        A warning if padding changes a result, else an empty text.

    Raises:
        Refused: If a user-defined class cannot be trained.
    """
    step = dataclasses.replace(config.train, epochs=1, batch_size=len(LENGTHS))
    model = dataclasses.replace(config.model, embedding_file=None)
    made = _texts(model)
    with torch.random.fork_rng(devices=[]):
        try:
            small = dataclasses.replace(config, train=step, model=model)
            splits = dict.fromkeys(("train", "validation", "test"), made)
            for _ in train(small, 0, splits, vocabulary_size=VOCABULARY, classes=CLASSES):
                pass
        except Refused:
            raise
        except Exception as error:
            said = next(iter(str(error).strip().splitlines()), "")
            raise Refused(
                f"{_named(model)} cannot be trained: {type(error).__name__}: {said}",
                "Parameters must have their shapes when the class is constructed, and one step of "
                "the optimizer on 7 texts must succeed.",
            ) from error
        return _leak(model) if model.kind == "flat" else ""


def _texts(model: ModelConfig) -> Texts | Documents:
    draw = np.random.default_rng(5)
    offsets = np.concatenate(([0], np.cumsum(LENGTHS))).astype(np.int64)
    tokens = draw.integers(2, VOCABULARY, offsets[-1]).astype(np.int32)
    labels = np.arange(len(LENGTHS), dtype=np.int64) % CLASSES
    if model.kind == "hierarchical":
        return Documents.of(tokens, offsets, offsets, labels)
    return Texts.of(tokens, offsets, labels)


def _leak(model: ModelConfig) -> str:
    """Returns a warning if a text has another result beside a longer one than alone."""
    lengths = torch.tensor(LENGTHS)
    mask = torch.arange(max(LENGTHS)) < lengths[:, None]
    tokens = torch.randint(2, VOCABULARY, mask.shape) * mask
    made = build_classifier(model, 0, vocabulary_size=VOCABULARY, classes=CLASSES).eval()
    with torch.no_grad():
        together = made(tokens, mask)
        alone = torch.cat([made(tokens[i : i + 1, :n], mask[i : i + 1, :n])
                           for i, n in enumerate(LENGTHS)])  # fmt: skip
    most = float((together - alone).abs().max())
    if not most > CLOSE:
        return ""
    return (
        f"{_named(model)}: padding changes a text's logits by up to {most:.2g}. The mask is True "
        "on real tokens; unless that leak is the question, padding should have no weight."
    )


def _named(model: ModelConfig) -> str:
    """Returns the names of the user-defined classes in a model."""
    return ", ".join(name for name in model.encoders + model.poolings if ":" in name)
