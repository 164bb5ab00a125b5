"""How the cost of a study grows: with vocabulary, texts, length, and number of trials.

    python benchmarks/growth.py [--quick]

Made-up texts whose words are as frequent as real ones (Zipf), trained in a process of their own
with one thread, as in a worker: seconds a step of the second epoch, which the end of the epoch is
part of, and the largest memory. Beside it the tutorial way: steps of ``tutorial_way.py``'s model,
loader and optimizer on the same texts, with one thread too. Trials are those of ``overhead.py``:
everything but training. An exponent of 1 is growth in proportion; it is fitted to all sizes, by
least squares of the logarithms. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH, WIDTH, CLASSES, RATE, DROPOUT = 32, 128, 6, 1e-3, 0.3
"""Sizes of ``speed.py``."""
WARM_UP, STEPS = 3, 20
"""Steps of the tutorial way that are not timed, and that are."""
HELD_OUT = 64
"""Texts of validation and test: enough to run on, and next to no part of the time."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One size of each: words, training texts, tokens a text."""

    vocabulary: int = 8_000
    texts: int = 5_000
    length: int = 12
    encoder: str = "none"


CASES = {
    "vocabulary": [Case(vocabulary=size) for size in (2_000, 8_000, 40_000, 200_000)],
    "texts": [Case(texts=size) for size in (5_000, 15_000, 45_000, 120_000)],
    "length": [Case(length=size, texts=20 * BATCH, encoder="cnn") for size in (8, 32, 128, 512)],
}
"""What grows, to its sizes; all else is as in the first case."""

TRIALS = (10, 100, 1_000)
"""Ten arms with 1, 10 and 100 seeds."""

Split = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]


def made_up(case: Case, texts: int, seed: int) -> Split:
    """Returns tokens, offsets and labels of random texts, half to one and a half times as long
    as the case says; padding's and the unknown token's ids are not used.
    """
    draw = np.random.default_rng(seed)
    lengths = draw.integers(max(1, case.length // 2), case.length * 3 // 2 + 1, texts)
    offsets = np.concatenate(([0], lengths.cumsum()))
    share = (1 / np.arange(1, case.vocabulary - 1)).cumsum()
    ranks = share.searchsorted(draw.random(offsets[-1]) * share[-1])
    return (2 + ranks).astype(np.int32), offsets, draw.integers(0, CLASSES, texts)


def train_here(case: Case) -> dict[str, float]:
    """Trains two epochs as a worker does; returns ms a step and MB."""
    import torch

    from ablation.task.text.config import ModelConfig, RunConfig, TrainConfig
    from ablation.task.text.train import Texts, train

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    sizes = {"train": case.texts, "validation": HELD_OUT, "test": HELD_OUT}
    splits = {
        name: Texts.of(*made_up(case, rows, seed))
        for seed, (name, rows) in enumerate(sizes.items())
    }
    config = RunConfig(
        model=ModelConfig(
            encoder=case.encoder, embedding_size=WIDTH, hidden_size=WIDTH, dropout=DROPOUT
        ),
        train=TrainConfig(epochs=2, batch_size=BATCH, learning_rate=RATE, select_on="last"),
    )
    run = train(config, 0, splits, vocabulary_size=case.vocabulary, classes=CLASSES)
    _, first, second = [record.seconds for record in run]
    steps = -(-case.texts // BATCH)
    return {"ms": 1000 * (second - first) / steps, "mb": peak_memory()}


def train_tutorial(case: Case) -> dict[str, float]:
    """Takes some steps the tutorial way; returns ms a step and MB."""
    import torch
    import torch.nn.functional as F
    from torch.utils.data import DataLoader
    from tutorial_way import Classifier, collate

    torch.set_num_threads(1)
    tokens, offsets, labels = made_up(case, case.texts, 0)
    texts = torch.from_numpy(tokens).long().split(np.diff(offsets).tolist())
    rows = list(zip(texts, labels.tolist(), strict=True))
    model = Classifier(case.vocabulary, CLASSES, WIDTH, WIDTH, case.encoder, 0.05, DROPOUT)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    loader = DataLoader(rows, BATCH, shuffle=True, collate_fn=collate)
    for step, (padded, masks, wanted) in enumerate(loader):
        if step == WARM_UP:
            began = time.perf_counter()
        if step == WARM_UP + STEPS:
            break
        loss = F.cross_entropy(model(padded, masks), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    taken = min(step, WARM_UP + STEPS) - WARM_UP
    return {"ms": 1000 * (time.perf_counter() - began) / taken, "mb": peak_memory()}


def peak_memory() -> float:
    """Returns the largest resident size of this process so far, in MB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1024 if sys.platform != "darwin" else 2**20)


def alone(work: Callable[[Case], dict[str, float]], case: Case) -> dict[str, float]:
    """Runs a measurement in a process of its own, whose memory is then its own too."""
    # As workers are told: large blocks are kept instead of handed back at every step.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**30))
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**31))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as process:
        return process.submit(work, case).result()


def measure_trials() -> dict[str, dict[str, float]]:
    """Returns seconds of all trials of a study, by their number, and of MLflow's part alone."""
    from overhead import measure

    found = {}
    for trials in TRIALS:
        with tempfile.TemporaryDirectory() as folder:
            each = measure(trials, Path(folder))
        found[str(trials)] = {"s": each["ms"] * trials / 1000, "floor_ms": each["floor_ms"]}
        say(f"trials {trials}: {each['ms']:.1f} ms each, {found[str(trials)]['s']:.2f} s in all")
    return found


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Returns the power of the size with which the cost grows."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def measure_training(what: str, cases: list[Case]) -> dict[str, Any]:
    """Measures both ways at each size and prints a line for each."""
    sizes = [getattr(case, what) for case in cases]
    ours, theirs = [], []
    for size, case in zip(sizes, cases, strict=True):
        ours.append(alone(train_here, case))
        theirs.append(alone(train_tutorial, case))
        one, other = ours[-1], theirs[-1]
        say(
            f"{what} {size}: {one['ms']:.2f} ms a step, {one['mb']:.0f} MB; "
            f"the tutorial way {other['ms']:.2f} ms, {other['mb']:.0f} MB"
        )
    powers = {
        name: round(exponent(sizes, [each["ms"] for each in side]), 3)
        for name, side in (("harness", ours), ("tutorial", theirs))
    }
    say(f"{what}: exponent {powers['harness']}, the tutorial way {powers['tutorial']}")
    rounded = [
        {"size": size}
        | {name: round(value, 3) for name, value in one.items()}
        | {f"tutorial_{name}": round(value, 3) for name, value in other.items()}
        for size, one, other in zip(sizes, ours, theirs, strict=True)
    ]
    return {"exponents": powers, "sizes": rounded}


def say(line: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Prints a line per size, an exponent per kind, and the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the two smallest sizes of each")
    quick = parser.parse_args().quick
    summary: dict[str, Any] = {}
    for what, cases in CASES.items():
        summary[what] = measure_training(what, cases[:2] if quick else cases)
    if not quick:
        trials = measure_trials()
        power = exponent(list(TRIALS), [each["s"] for each in trials.values()])
        say(f"trials: exponent {power:.2f}")
        summary["trials"] = {"exponent": round(power, 3), "sizes": trials}
    say(json.dumps(summary))


if __name__ == "__main__":
    main()
