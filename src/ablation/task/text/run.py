"""Trains one text classifier in a worker, on one thread and without denormal numbers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import torch

from ablation.errors import Refused
from ablation.records.outcome import EpochRecord, RunResult
from ablation.task.text.config import ModelConfig, RunConfig
from ablation.task.text.data import SPLITS, Encoded, read_vectors
from ablation.task.text.model import Pretrained
from ablation.task.text.train import Documents, Texts, train

_opened: dict[tuple[str, ...], Mapping[str, Texts | Documents]] = {}
_read: dict[tuple[str, str, int], Pretrained] = {}


def resolve_device(name: str) -> str:
    """Returns ``cpu`` or ``cuda`` for ``auto``, and any other name as it is.

    Raises:
        Refused: If the name is ``cuda`` and PyTorch finds no CUDA device.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise Refused("PyTorch finds no CUDA device.", "Give DEVICE=cpu, or leave DEVICE out.")
    return name


def run(
    config: RunConfig, seed: int, data: Encoded, *, device: str
) -> Generator[EpochRecord, None, RunResult]:
    """Trains one classifier; yields a record per epoch and returns the result.

    Changes the process's settings for threads and denormal numbers, and restores them when the
    generator ends. Running out of memory is an outcome: FAILED(oom).

    Args:
        config: The arm's configuration.
        seed: Seed that every random stream of the run derives from.
        data: The data; opened once per process.
        device: ``cpu`` or ``cuda``.

    Raises:
        Refused: If user-defined code does not fit.
    """
    began, epoch = time.perf_counter(), 1
    with one_thread(), without_denormals():
        try:
            running = train(
                config,
                seed,
                _open(data, config.model.kind, device),
                vocabulary_size=data.vocabulary_size,
                classes=len(data.labels),
                pretrained=_pretrained(data, config.model),
            )
            while True:
                try:
                    record = next(running)
                except StopIteration as stop:
                    result: RunResult = stop.value
                    return result
                epoch = max(1, record.epoch)
                yield record
        except torch.OutOfMemoryError:
            spent = time.perf_counter() - began
            return RunResult(status="FAILED", reason="oom", epoch=epoch, seconds=spent)


def _open(data: Encoded, kind: str, device: str) -> Mapping[str, Texts | Documents]:
    place = (str(data.folder), kind, device)
    if place not in _opened:
        splits = {name: data.split(name) for name in SPLITS}
        _opened[place] = {
            name: Documents.of(split.tokens, split.offsets, split.sentences, split.labels, device)
            if kind == "hierarchical"
            else Texts.of(split.tokens, split.offsets, split.labels, device)
            for name, split in splits.items()
        }
    return _opened[place]


def _pretrained(data: Encoded, model: ModelConfig) -> Pretrained | None:
    """Returns the embeddings of the model's file, if any; each file is read once per process."""
    if model.embedding_file is None:
        return None
    place = (str(data.folder), model.embedding_file, model.embedding_size)
    if place not in _read:
        path, size = Path(model.embedding_file), model.embedding_size
        ids, vectors = read_vectors(path, data.vocabulary(), size)
        _read[place] = (torch.as_tensor(ids), torch.as_tensor(vectors))
    return _read[place]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Makes PyTorch compute on one thread in the block."""
    # For equal results everywhere: the rounding of sums depends on the number of threads.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def without_denormals() -> Iterator[None]:
    """Makes the processor treat float32 numbers below 1.2e-38 in size as zero in the block.

    Applies to this thread and to threads started in the block; has no effect on a GPU.
    """
    # The weights of sharp attention are that small, and so are their gradients and Adam's means
    # of these. Some processors take a hundred times as long for each such number.
    before = not (torch.full((), 1e-30) * 1e-10).item()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
