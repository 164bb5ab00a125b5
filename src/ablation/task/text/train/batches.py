"""From encoded splits to padded batches with a boolean mask (True = real token)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from ablation.task.text.config import Batching

POOL = 50
"""Batches whose texts are sorted by length together; large enough that lengths nearly agree."""


@dataclasses.dataclass(frozen=True, slots=True)
class Texts:
    """A split on the device: all token ids end to end, and where each text starts."""

    tokens: Int[Tensor, " total"]
    starts: Int[Tensor, " texts"]
    lengths: Int[Tensor, " texts"]
    labels: Int[Tensor, " texts"]

    @classmethod
    def of(
        cls,
        tokens: NDArray[np.int32],
        offsets: NDArray[np.int64],
        labels: NDArray[np.int64],
        device: torch.device | str = "cpu",
    ) -> Texts:
        """Builds the split from flat arrays; text i is ``tokens[offsets[i]:offsets[i + 1]]``."""
        starts = torch.as_tensor(offsets)
        return cls(
            tokens=torch.as_tensor(tokens).to(device),
            starts=starts[:-1].to(device),
            lengths=starts.diff().to(device),
            labels=torch.as_tensor(labels).to(device),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def batch(
        self, rows: Int[Tensor, " batch"]
    ) -> tuple[Int[Tensor, "batch length"], Bool[Tensor, "batch length"]]:
        """Returns token ids padded with 0 to the longest of the rows, and the mask."""
        lengths = self.lengths[rows, None]
        places = torch.arange(int(lengths.max()), device=self.tokens.device)
        mask = places < lengths
        index = torch.where(mask, self.starts[rows, None] + places, 0)
        return self.tokens[index] * mask, mask


@dataclasses.dataclass(frozen=True, slots=True)
class Documents:
    """A split on the device, its sentences apart, as a hierarchical model reads it."""

    sentences: Texts
    """Every sentence, the texts' one after the other; they have no labels of their own."""
    firsts: Int[Tensor, " texts"]
    """Number of each text's first sentence."""
    counts: Int[Tensor, " texts"]
    """Sentences per text."""
    lengths: Int[Tensor, " texts"]
    """Tokens per text."""
    labels: Int[Tensor, " texts"]

    @classmethod
    def of(
        cls,
        tokens: NDArray[np.int32],
        offsets: NDArray[np.int64],
        sentences: NDArray[np.int64],
        labels: NDArray[np.int64],
        device: torch.device | str = "cpu",
    ) -> Documents:
        """Builds the split from flat arrays; ``sentences`` holds where they start in ``tokens``.

        Every text starts a sentence; both ``offsets`` and ``sentences`` end with the last end.
        """
        firsts = torch.as_tensor(np.searchsorted(sentences, offsets))
        unlabelled = np.zeros(len(sentences) - 1, np.int64)
        return cls(
            sentences=Texts.of(tokens, sentences, unlabelled, device),
            firsts=firsts[:-1].to(device),
            counts=firsts.diff().to(device),
            lengths=torch.as_tensor(offsets).diff().to(device),
            labels=torch.as_tensor(labels).to(device),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def batch(
        self, rows: Int[Tensor, " batch"]
    ) -> tuple[
        Int[Tensor, "sentences length"],
        Bool[Tensor, "sentences length"],
        Bool[Tensor, "batch most"],
    ]:
        """Returns the rows' sentences one after the other, their mask, and where they belong."""
        counts = self.counts[rows, None]
        places = torch.arange(int(counts.max()), device=counts.device)
        sentence_mask = places < counts
        sentences = (self.firsts[rows, None] + places)[sentence_mask]
        return *self.sentences.batch(sentences), sentence_mask


def batches(
    lengths: Int[Tensor, " texts"], size: int, how: Batching, stream: torch.Generator
) -> Iterator[Int[Tensor, " batch"]]:
    """Yields the rows of each batch of one epoch, every text exactly once.

    ``random`` cuts a random order into batches. ``length`` sorts each pool of that order, 50
    batches long, by length before it is cut, and yields the pool's batches in random order: texts
    of like length share a batch, which saves most of the padding.

    Args:
        lengths: Tokens per text.
        size: Texts per batch; the last batch may hold fewer.
        how: ``random`` or ``length``.
        stream: The run's generator for the order.
    """
    order = torch.randperm(len(lengths), generator=stream)
    if how == "random":
        yield from order.split(size)
        return
    for pool in order.split(size * POOL):
        by_length = pool[lengths[pool].argsort(stable=True)].split(size)
        for place in torch.randperm(len(by_length), generator=stream).tolist():
            yield by_length[place]
