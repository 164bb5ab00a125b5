"""Encoders: from token embeddings to one state per token. No state depends on padding."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ablation.task.text.model.named import named_class
from ablation.task.text.model.weights import drawn


def convolves(capability: str, processors: str) -> bool:
    """Returns whether a CPU's convolution beats its matrix product at a small model's sizes.

    On AMD's with AVX-512 it took half the time forward and backward, on Intel's a fifth more.

    Args:
        capability: What PyTorch makes use of, such as ``AVX512``.
        processors: The beginning of what Linux says of them; empty on other systems.
    """
    return capability == "AVX512" and "AuthenticAMD" in processors


@functools.cache
def convolves_here() -> bool:
    """Returns whether this process's CPU is such a one.

    The two ways to compute a :class:`CNN` round differently: results of one processor are bitwise
    equal to each other, not to another vendor's.
    """
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            processors = file.read(1000)
    except OSError:
        processors = ""
    return convolves(torch.backends.cpu.get_cpu_capability(), processors)


class NoEncoder(nn.Module):
    """A linear map of each embedding alone, or nothing where the widths are equal."""

    def __init__(self, embedding_size: int, hidden_size: int) -> None:
        super().__init__()
        equal = embedding_size == hidden_size
        self.map = nn.Identity() if equal else nn.Linear(embedding_size, hidden_size)

    def forward(
        self,
        embeddings: Float[Tensor, "batch length embedding"],
        mask: Bool[Tensor, "batch length"],
    ) -> Float[Tensor, "batch length hidden"]:
        """Returns the states; ``mask`` is not used."""
        states: Tensor = self.map(embeddings)
        return states


class CNN(nn.Module):
    r"""One convolution of width three with a ReLU (after Kim, 2014).

    .. math:: h_l = \max(0, [x_{l-1}; x_l; x_{l+1}] W + b)

    One matrix product over each token and its two neighbours computes it. On a GPU, and where
    :func:`convolves` says so, it is a convolution with its channels innermost, as the embeddings
    have them.
    """

    def __init__(self, embedding_size: int, hidden_size: int) -> None:
        super().__init__()
        self.weight = drawn(hidden_size, 3 * embedding_size)
        self.bias = nn.Parameter(torch.zeros(hidden_size))

    def forward(
        self,
        embeddings: Float[Tensor, "batch length embedding"],
        mask: Bool[Tensor, "batch length"],
    ) -> Float[Tensor, "batch length hidden"]:
        """Returns the states; embeddings of padding must be zero, as the classifier has them."""
        if embeddings.is_cuda or convolves_here():
            kernel = self.weight.unflatten(1, (3, -1)).permute(0, 2, 1).unsqueeze(2)
            images = embeddings.transpose(1, 2).unsqueeze(2)  # channels last, no number moves
            states = F.conv2d(images, kernel, self.bias, padding=(0, 1))
            return states.relu_().squeeze(2).transpose(1, 2)
        windows = windows_of(embeddings).flatten(0, 1)
        states = torch.addmm(self.bias, windows, self.weight.t()).relu_()
        return states.view(*mask.shape, -1)


def windows_of(
    embeddings: Float[Tensor, "batch length embedding"],
) -> Float[Tensor, "batch length three_embeddings"]:
    """Returns each token's embedding between its neighbours', zeros beyond the ends."""
    padded = F.pad(embeddings, (0, 0, 1, 1))
    return torch.cat((padded[:, :-2], padded[:, 1:-1], padded[:, 2:]), dim=2)


class BiLSTM(nn.Module):
    """A bidirectional LSTM (Hochreiter and Schmidhuber, 1997); each direction has half the width.

    The backward direction starts at each text's last token, not in its padding: it reads every
    text turned round within its length. PyTorch's own way to that end, packed sequences, keeps it
    from the routine that takes a third of the time.
    """

    def __init__(self, embedding_size: int, hidden_size: int) -> None:
        super().__init__()
        self.ahead = nn.LSTM(embedding_size, hidden_size // 2, batch_first=True)
        self.back = nn.LSTM(embedding_size, hidden_size // 2, batch_first=True)

    def forward(
        self,
        embeddings: Float[Tensor, "batch length embedding"],
        mask: Bool[Tensor, "batch length"],
    ) -> Float[Tensor, "batch length hidden"]:
        """Returns the states, zero on padding."""
        # Two thirds of the batches of like length have no padding; the same numbers, a fifth of
        # the time less. On a GPU asking would wait for the device.
        if not mask.is_cuda and mask.all():
            return self._unpadded(embeddings)
        turned = _turned(mask)
        ahead, _ = self.ahead(embeddings)
        back, _ = self.back(_reordered(embeddings, turned))
        states = torch.cat((ahead, _reordered(back, turned)), dim=2)
        return states.masked_fill(~mask.unsqueeze(2), 0.0)

    def _unpadded(
        self, embeddings: Float[Tensor, "batch length embedding"]
    ) -> Float[Tensor, "batch length hidden"]:
        """Returns the states of texts of one length, both directions in one call."""
        start = embeddings.new_zeros(2, len(embeddings), self.ahead.hidden_size)
        weights: list[Tensor] = [*self.ahead.parameters(), *self.back.parameters()]
        states: Tensor = torch.lstm(
            embeddings, (start, start), weights, True, 1, 0.0, self.training, True, True
        )[0]
        return states


def _turned(mask: Bool[Tensor, "batch length"]) -> Int[Tensor, " places"]:
    """Returns the place of each token in its text turned round; padding keeps its place."""
    places = torch.arange(mask.shape[1], device=mask.device)
    turned = torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - places, places)
    starts = mask.shape[1] * torch.arange(len(mask), device=mask.device)
    return (turned + starts.unsqueeze(1)).flatten()


def _reordered(
    values: Float[Tensor, "batch length width"], order: Int[Tensor, " places"]
) -> Float[Tensor, "batch length width"]:
    return values.flatten(0, 1).index_select(0, order).view_as(values)


def build_encoder(name: str, input_size: int, hidden_size: int) -> nn.Module:
    """Returns the encoder of a name.

    Args:
        name: A name in :data:`ablation.task.text.config.Encoder`, or ``package.module:Class``.
        input_size: Width of what it reads: embeddings, or the vectors of sentences.
        hidden_size: Width of a state.

    Raises:
        Refused: If a user-defined class cannot be found or made.
    """
    if ":" in name:
        return named_class(name, input_size, hidden_size)
    classes: dict[str, Callable[[int, int], nn.Module]] = {
        "none": NoEncoder,
        "cnn": CNN,
        "bilstm": BiLSTM,
    }
    return classes[name](input_size, hidden_size)
