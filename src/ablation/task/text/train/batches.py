"""From encoded splits to padded batches with a boolean mask (True = real token).

Batches of a training are put together by NumPy on the CPU, some at a time, and then moved to the
device of their split: most of the time for a batch of 32 short texts goes into the calls.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from ablation.task.text.config import Batching
from ablation.task.text.model.by_hand import Places

POOL = 50
"""Batches whose texts are sorted by length together; large enough that lengths nearly agree."""

TOGETHER = 10
"""Batches that are put together at a time; more of them save little, and take memory where texts
are long."""


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Some texts of a split, in which tokens are numbers of the rows of a table."""

    inputs: tuple[Tensor, ...]
    """Arguments of the model: rows of the table in place of token ids, mask, and for a
    hierarchical model the sentences' mask."""
    ids: Int[Tensor, " distinct"]
    """Token id of each row of the table, padding's first; on the CPU."""
    places: Places
    """Where each row's tokens are in the flat batch; on the CPU."""
    labels: Int[Tensor, " batch"]


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

    def batches(self, rows: Sequence[Int[Tensor, " _"]]) -> list[Batch]:
        """Returns several batches; equal to :meth:`batch` of each, its tokens renumbered."""
        tokens, mask, shapes = _pad(self, rows)
        sizes = [texts * width for texts, width in shapes]
        found = _renumber(tokens, sizes)
        device = self.tokens.device
        parts = zip(
            shapes,
            torch.from_numpy(found.numbers).to(device).split(sizes),
            torch.from_numpy(mask).to(device).split(sizes),
            torch.from_numpy(found.ids).split(found.counts),
            torch.from_numpy(found.order).split(sizes),
            torch.from_numpy(found.starts).split(found.counts),
            self.labels[torch.cat(list(rows)).to(device)].split([len(each) for each in rows]),
            strict=True,
        )
        return [
            Batch((number.view(shape), real.view(shape)), own, (order, starts), labels)
            for shape, number, real, own, order, starts, labels in parts
        ]


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

    def batches(self, rows: Sequence[Int[Tensor, " _"]]) -> list[Batch]:
        """Returns several batches; equal to :meth:`batch` of each, its tokens renumbered."""
        return [self._renumbered(each.to(self.labels.device)) for each in rows]

    def _renumbered(self, rows: Int[Tensor, " batch"]) -> Batch:
        tokens, *masks = self.batch(rows)
        found = _renumber(tokens.flatten().cpu().numpy(), [tokens.numel()])
        shaped = torch.from_numpy(found.numbers).to(tokens.device).view_as(tokens)
        places = torch.from_numpy(found.order), torch.from_numpy(found.starts)
        return Batch((shaped, *masks), torch.from_numpy(found.ids), places, self.labels[rows])


def batches(
    texts: Texts | Documents, size: int, how: Batching, stream: torch.Generator
) -> Iterator[Batch]:
    """Yields the batches of one epoch, every text exactly once.

    ``random`` cuts a random order into batches. ``length`` sorts each pool of that order, 50
    batches long, by length before it is cut, and yields the pool's batches in random order: texts
    of like length share a batch, which saves most of the padding.

    Args:
        texts: The split.
        size: Texts per batch; the last batch may hold fewer.
        how: ``random`` or ``length``.
        stream: The run's generator for the order.
    """
    lengths = texts.lengths.cpu()
    for pool in torch.randperm(len(texts), generator=stream).split(size * POOL):
        rows = _cut(pool, lengths, size, how, stream)
        for start in range(0, len(rows), TOGETHER):
            yield from texts.batches(rows[start : start + TOGETHER])


def _cut(
    pool: Int[Tensor, " pool"],
    lengths: Int[Tensor, " texts"],
    size: int,
    how: Batching,
    stream: torch.Generator,
) -> list[Int[Tensor, " _"]]:
    """Returns the rows of each batch of a pool."""
    if how == "random":
        return list(pool.split(size))
    by_length = pool[lengths[pool].argsort(stable=True)].split(size)
    places = torch.randperm(len(by_length), generator=stream)
    return [by_length[place] for place in places.tolist()]


def _pad(
    texts: Texts, rows: Sequence[Int[Tensor, " _"]]
) -> tuple[Int[np.ndarray, " places"], Bool[np.ndarray, " places"], list[tuple[int, int]]]:
    """Returns the padded token ids of several batches, their masks, and each batch's shape.

    Both arrays hold the batches one after the other, flat.
    """
    counts = np.array([len(each) for each in rows])
    texts_of_all = torch.cat(list(rows)).numpy()
    lengths = texts.lengths.cpu().numpy()[texts_of_all]
    widths = np.maximum.reduceat(lengths, counts.cumsum() - counts)
    widths_of_all = widths.repeat(counts)
    ends = widths_of_all.cumsum()
    place = np.arange(ends[-1]) - (ends - widths_of_all).repeat(widths_of_all)
    mask = place < lengths.repeat(widths_of_all)
    starts = texts.starts.cpu().numpy()[texts_of_all]
    index = np.where(mask, starts.repeat(widths_of_all) + place, 0)
    tokens = texts.tokens.cpu().numpy()[index] * mask
    return tokens, mask, list(zip(counts.tolist(), widths.tolist(), strict=True))


@dataclasses.dataclass(frozen=True, slots=True)
class _Renumbered:
    """The distinct tokens of several batches, each numbered by itself; one after the other."""

    numbers: Int[np.ndarray, " places"]
    """The number of each token in its batch."""
    ids: Int[np.ndarray, " distinct"]
    """The token id of each number."""
    counts: list[int]
    """How many numbers each batch has."""
    order: Int[np.ndarray, " places"]
    """Places in the batch, those of number 0 first, then of number 1, and so on."""
    starts: Int[np.ndarray, " distinct"]
    """Where each number's begin in its batch's order."""


def _renumber(tokens: Int[np.ndarray, " places"], sizes: Sequence[int]) -> _Renumbered:
    """Numbers the distinct tokens of each of several batches, padding first.

    Args:
        tokens: Token ids of the batches, one batch after the other.
        sizes: Number of tokens of each batch.
    """
    batch = np.arange(len(sizes))
    batch_of_token = batch.repeat(sizes)
    stride = int(tokens.max()) + 1
    # Padding's key comes first in every batch, whether there is padding or not.
    keys = np.concatenate((batch * stride, batch_of_token * stride + tokens))
    # Sorted with their places in one number: a quarter of what np.unique takes.
    bits = len(keys).bit_length()
    keys_and_places = np.sort((keys << bits) | np.arange(len(keys)))
    keys_sorted, places = keys_and_places >> bits, keys_and_places & ((1 << bits) - 1)
    first = np.diff(keys_sorted, prepend=-1) > 0
    number = np.empty_like(keys)
    number[places] = first.cumsum() - 1
    firsts, number = number[: len(sizes)], number[len(sizes) :]
    distinct = keys_sorted[first]
    counts = np.diff(firsts, append=len(distinct))
    begins = np.cumsum(sizes) - sizes
    order = places[places >= len(sizes)] - len(sizes) - begins[batch_of_token]
    # Padding's keys, one before each batch's tokens, are no tokens.
    starts = first.nonzero()[0] - (begins + batch + 1).repeat(counts)
    starts[firsts] = 0
    return _Renumbered(
        numbers=number - firsts[batch_of_token],
        ids=distinct - (batch * stride).repeat(counts),
        counts=counts.tolist(),
        order=order.astype(np.int32),
        starts=starts.astype(np.int32),
    )
