"""Trains one trial; this is all that runs in a worker."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.config import ModelConfig, RunConfig
from ablation.data import SPLITS, Encoded, read_vectors
from ablation.errors import Refused
from ablation.execute import progress_file
from ablation.plan import Plan
from ablation.records.outcome import EpochRecord, RunResult

if TYPE_CHECKING:
    from ablation.model import Pretrained
    from ablation.train import Documents, Texts

_opened: dict[tuple[str, ...], Mapping[str, Texts | Documents]] = {}
_read: dict[tuple[str, str, int], Pretrained] = {}


def check_cuda() -> None:
    """Refuses where there is no CUDA device, before anything is written.

    Raises:
        Refused: If PyTorch sees none.
    """
    import torch

    if not torch.cuda.is_available():
        raise Refused("PyTorch sees no CUDA device here.", "Give DEVICE=cpu, or leave it out.")


def check_classes(plan: Plan) -> None:
    """Refuses classes of the user's that cannot be trained, before anything is written.

    Raises:
        Refused: If one cannot be found or made, or returns another shape than it should.
    """
    models = dict.fromkeys(arm.config.model for arm in plan.study.complete_arms)
    named = [model for model in models if any(":" in x for x in model.encoders + model.poolings)]
    if named:
        from ablation.model import check

        for model in named:
            check(model)


def check_vectors(plan: Plan) -> None:
    """Refuses files of embeddings that do not fit, before anything is written.

    Raises:
        Refused: If one has another width, or no token of the data.
    """
    named = {
        (arm.config.model.embedding_file, arm.config.model.embedding_size, arm.config.data)
        for arm in plan.study.complete_arms
    }
    for file, size, data in named:
        if file is not None:
            read_vectors(Path(file), plan.corpora[data].vocabulary(), size)


def run_trial(
    config: RunConfig, seed: int, encoded: Encoded, device: str, progress: Path | None = None
) -> tuple[list[EpochRecord], RunResult, float, str]:
    """Trains one trial; this is what an executor is given.

    Args:
        config: The arm's run configuration.
        seed: The block.
        encoded: The data; opened once per process.
        device: ``auto``, ``cpu`` or ``cuda``.
        progress: The trial's progress file; None keeps none.

    Raises:
        Refused: If what the user brought along fails; other exceptions may not survive the way
            between processes, so they come as this one.

    Returns:
        The records of the epochs, the result, the time of the start (seconds since the epoch) and
        the device that was used.
    """
    import torch

    from ablation.train import train

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    # One thread wherever a trial runs: sums over two threads are rounded otherwise.
    torch.set_num_threads(1)
    began = time.time()
    records: list[EpochRecord] = []
    progress_file.begin(progress, began, device)
    try:
        run = train(
            config,
            seed,
            _open(encoded, config.model.kind, device),
            vocabulary_size=encoded.vocabulary_size,
            classes=len(encoded.labels),
            pretrained=_pretrained(encoded, config.model),
        )
        with without_denormals():
            result = _exhaust(run, records, progress)
    except torch.OutOfMemoryError:
        seconds = time.time() - began
        result = RunResult(
            status="FAILED", reason="oom", epoch=max(1, len(records)), seconds=seconds
        )
    except Refused:
        raise
    except Exception as error:
        raise Refused(
            f"it raised {type(error).__name__}: {str(error).strip()}",
            "Mend what it trains with, then run the same command again; what is done is kept.",
        ) from error
    return records, result, began, device


def _exhaust(
    run: Generator[EpochRecord, None, RunResult], into: list[EpochRecord], progress: Path | None
) -> RunResult:
    """Appends all that the generator yields, and returns what it returns."""
    while True:
        try:
            into.append(next(run))
            progress_file.append(progress, into[-1])
        except StopIteration as stop:
            result: RunResult = stop.value
            return result


def _open(encoded: Encoded, kind: str, device: str) -> Mapping[str, Texts | Documents]:
    from ablation.train import Documents, Texts

    place = (str(encoded.folder), kind, device)
    if place not in _opened:
        splits = {name: encoded.split(name) for name in SPLITS}
        _opened[place] = {
            name: Documents.of(split.tokens, split.offsets, split.sentences, split.labels, device)
            if kind == "hierarchical"
            else Texts.of(split.tokens, split.offsets, split.labels, device)
            for name, split in splits.items()
        }
    return _opened[place]


def _pretrained(encoded: Encoded, model: ModelConfig) -> Pretrained | None:
    """Returns the embeddings of the file that the model names; read once per process."""
    import torch

    if model.embedding_file is None:
        return None
    place = (str(encoded.folder), model.embedding_file, model.embedding_size)
    if place not in _read:
        path, size = Path(model.embedding_file), model.embedding_size
        ids, vectors = read_vectors(path, encoded.vocabulary(), size)
        _read[place] = (torch.as_tensor(ids), torch.as_tensor(vectors))
    return _read[place]


@contextlib.contextmanager
def without_denormals() -> Iterator[None]:
    """Lets the processor take float32 numbers smaller than 1.2e-38 in size for zero.

    The weights of sharp attention lie there, and so do the gradients that pass through them and
    Adam's means of these. Some processors need a hundred times as long for each such number. It
    holds for this thread and for those that start meanwhile; a GPU is not concerned.
    """
    import torch

    before = not (torch.full((), 1e-30) * 1e-10).item()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
