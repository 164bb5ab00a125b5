"""Dry-runs configurations that name user-defined classes, before any training."""

from __future__ import annotations

import torch

from ablation.errors import Refused
from ablation.task.text.config import ModelConfig
from ablation.task.text.model.initialise import build_classifier

TEXTS, TOKENS, VOCABULARY, CLASSES = 3, 5, 11, 2
"""Sizes of the dry run: primes, so that swapped axes cannot pass."""


def dry_run(config: ModelConfig) -> None:
    """Builds the model and runs it forward and backward on a few made-up tokens.

    Raises:
        Refused: If a user-defined class cannot be found or constructed, raises an error, or
            returns a wrong shape; the message names the shapes.
    """
    lengths = torch.tensor([TOKENS, 2, 1])
    mask = torch.arange(TOKENS) < lengths[:, None]
    tokens = torch.randint(2, VOCABULARY, mask.shape, generator=torch.Generator()) * mask
    batch: tuple[torch.Tensor, ...] = (tokens, mask)
    if config.kind == "hierarchical":
        batch = (tokens, mask, torch.tensor([[True, True], [True, False]]))
    with torch.random.fork_rng(devices=[]):
        model = build_classifier(config, 0, vocabulary_size=VOCABULARY, classes=CLASSES)
        try:
            logits = model(*batch)
            logits.sum().backward()
        except Refused:
            raise
        except (Exception, SystemExit) as error:
            names = ", ".join(name for name in config.encoders + config.poolings if ":" in name)
            raise Refused(
                f"{names} failed on states of shape {(TEXTS, TOKENS, config.hidden_size)} and a "
                f"mask of shape {(TEXTS, TOKENS)}: {type(error).__name__}: {error}",
                "A pooling's forward takes (states, mask), an encoder's (embeddings, mask).",
            ) from error
