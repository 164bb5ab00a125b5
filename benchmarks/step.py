"""Measures the parts of a training step, and compares its speed with this machine's matrix rate.

    python benchmarks/step.py [DATA] [--encoders cnn none bilstm]

Runs on one thread, like a worker, at the sizes of ``speed.py``. PyTorch counts the arithmetic of a
step, forward and backward, except that of an LSTM. The matrix rate is that of a large matrix
product or a large convolution, whichever is faster. The share of the probes is relative to a whole
training. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from ablation.errors import Refused
from ablation.task.text.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from ablation.task.text.data import SPLITS, prepare
from ablation.task.text.model import build_classifier
from ablation.task.text.model.by_hand import loss_and_gradients
from ablation.task.text.model.streams import generator
from ablation.task.text.train import Texts, batches
from ablation.task.text.train.adam import Adam
from ablation.task.text.train.batches import Batch
from ablation.task.text.train.loop import train
from ablation.task.text.train.probes import Probes

ROUNDS = 5


def config_of(source: str, encoder: str) -> RunConfig:
    """Returns the configuration of ``speed.py``, with two epochs."""
    model = ModelConfig(encoder=encoder, embedding_size=128, hidden_size=128, embedding_std=1.0)
    fitting = TrainConfig(epochs=2, batch_size=32, learning_rate=1e-3, select_on="last")
    return RunConfig(data=DataConfig(source=source), model=model, train=fitting)


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """Returns the seconds of one call: the median over some rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(repeats):
            work()
        found.append((time.perf_counter() - began) / repeats)
    return statistics.median(found)


def matrix_rate() -> float:
    """Returns the most floating-point operations per second of one thread on this machine."""
    square = torch.randn(1024, 1024)
    images, kernel = torch.randn(32, 128, 1, 64), torch.randn(128, 128, 1, 3)
    last = {"memory_format": torch.channels_last}
    images, kernel = images.contiguous(**last), kernel.contiguous(**last)
    with torch.inference_mode():
        product = 2 * 1024**3 / seconds(lambda: square @ square, 3)
        places = images.shape[0] * images.shape[3]
        work = 2 * places * kernel.numel()
        convolution = work / seconds(lambda: F.conv2d(images, kernel, padding=(0, 1)), 20)
    return max(product, convolution)


def measure(config: RunConfig, rate: float, cache: Path) -> dict[str, float]:
    """Returns the times of a step's parts, and the share of the probes in a whole training."""
    encoded = prepare(config.data, cache=cache)
    parts = {name: encoded.split(name) for name in SPLITS}
    texts = {name: Texts.of(p.tokens, p.offsets, p.labels) for name, p in parts.items()}
    fitted = texts["train"]
    sizes = {"vocabulary_size": encoded.vocabulary_size, "classes": len(encoded.labels)}
    model = build_classifier(config.model, 0, **sizes)
    words = model.embedding.weight
    optimizer = Adam(model.parameters(), config.train.learning_rate, table=words)

    def epoch() -> list[Batch]:
        order = generator(0, "order")
        return list(batches(fitted, config.train.batch_size, config.train.batching, order))

    # Of like length each, and together as long as all are: a tenth of the epoch, evenly spaced.
    some = sorted(epoch(), key=lambda batch: batch.inputs[0].shape[1])[::10]

    def forward_and_backward(batch: Batch) -> None:
        optimizer.clear_gradients()
        # Rows are looked up here and put back by the step: both are the optimizer's part.
        rows = words.detach()[batch.ids].requires_grad_()
        loss_and_gradients(model, batch.inputs, rows, batch.labels, batch.places)

    def step(batch: Batch) -> None:
        optimizer.clear_gradients()
        rows = optimizer.look_up(batch.ids)
        loss_and_gradients(model, batch.inputs, rows, batch.labels, batch.places)
        optimizer.step()

    def over(work: Callable[[Batch], Any]) -> float:
        return seconds(lambda: [work(batch) for batch in some], 1) / len(some)

    with FlopCounterMode(display=False) as counted:
        for batch in some:
            forward_and_backward(batch)
    work = counted.get_total_flops() / len(some)
    batching = seconds(epoch, 1) * config.train.batch_size / len(fitted)
    for _ in range(5):  # past the first steps, after which all rows are brought up to date
        over(step)
    both, whole = over(forward_and_backward), over(step) + batching
    with profile(activities=[ProfilerActivity.CPU]) as calls:
        over(step)
    probes = Probes(model, texts["validation"])
    probing = seconds(lambda: (probes.measure(), probes.gradients()), 3)
    began = time.perf_counter()
    for _ in train(config, 0, texts, **sizes):
        pass
    training = time.perf_counter() - began
    found = {
        "batch_ms": 1000 * batching,
        "forward_and_backward_ms": 1000 * both,
        "optimizer_ms": 1000 * (whole - both - batching),
        "step_ms": 1000 * whole,
        "calls": len(calls.events()) / (ROUNDS * len(some)),
        "share_of_probes": (1 + config.train.epochs) * probing / training,
    }
    if config.model.encoder != "bilstm":
        found |= {"megaflop": work / 1e6, "share_of_matrix_rate": work / whole / rate}
    return found


def main() -> None:
    """Prints a line per encoder and the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "data", nargs="?", default="docstrings", help="data source; default: the built-in corpus"
    )
    parser.add_argument("--encoders", nargs="+", default=["cnn", "none", "bilstm"])
    options = parser.parse_args()
    # Like a worker.
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rate = matrix_rate()
    sys.stdout.write(f"matrix rate of one thread: {rate / 1e9:.0f} Gflop/s\n")
    cache = Path(os.environ.get("ABLATION_CACHE", ".cache/ablation"))
    found = {}
    for encoder in options.encoders:
        try:
            found[encoder] = measure(config_of(options.data, encoder), rate, cache)
        except Refused as error:
            parser.error(f"{error.rule} {error.way_out}")
        line = ", ".join(f"{name} {value:.3g}" for name, value in found[encoder].items())
        sys.stdout.write(f"{encoder}: {line}\n")
    sys.stdout.write(json.dumps({"gigaflops": rate / 1e9, **found}) + "\n")


if __name__ == "__main__":
    main()
