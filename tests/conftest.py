"""What all tests share: shapes are checked at run time, and a corpus small enough to train on."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

# Its plugin, loaded late in a session of one process, warns of itself at the end: an error here.
os.environ.setdefault("HYPOTHESIS_NO_PLUGINS", "1")

# Before the first import of either: every shape in a signature is checked in every test.
install_import_hook(["ablation.task.text.model", "ablation.task.text.train"], "beartype.beartype")

TINY = """
from ablation.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from ablation.spec import Study

study = Study(
    name="tiny",
    question="Does it matter?",
    factor="model.attention.init_std",
    levels=(0.0, 0.05, 1.0),
    baseline=0.05,
    seeds=2,
    config=RunConfig(
        data=DataConfig(source={source!r}),
        model=ModelConfig(embedding_size=8, hidden_size=8),
        train=TrainConfig(epochs=2, batch_size=16),
    ),
)
"""


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder of the real data sets; tests that need one are skipped where there is none."""
    folder = os.environ.get("ABLATION_TEST_DATA")
    if not folder:
        pytest.skip("ABLATION_TEST_DATA does not name the folder of the real data sets")
    return Path(folder)


@pytest.fixture
def float64() -> Iterator[None]:
    """PyTorch makes tensors of double precision."""
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch computes on one thread, as a worker does."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with train and test as CSV: three classes that a keyword tells apart."""
    folder = tmp_path / "toys"
    folder.mkdir()
    draw = random.Random(7)
    fillers = [f"word{i}" for i in range(40)]
    for split, rows in {"train": 180, "test": 60}.items():
        lines = ["text,label"]
        for row in range(rows):
            label = ("blue", "green", "red")[row % 3]
            words = draw.choices(fillers, k=draw.randint(1, 12))
            words.insert(draw.randint(0, len(words)), f"{label}ish")
            lines.append(f"{' '.join(words)} {row},{label}")
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both databases as they are before the first study; migrations are slow."""
    from ablation import mirror, tracking

    folder = tmp_path_factory.mktemp("empty_store")
    tracking.connect(f"sqlite:///{folder / 'mlflow.db'}")
    mirror.connect(f"sqlite:///{folder / 'optuna.db'}")
    return folder


@pytest.fixture
def tiny_study(tmp_path: Path, corpus: Path) -> Path:
    """The file of a study of three arms and two seeds that trains in a moment."""
    path = tmp_path / "tiny.py"
    path.write_text(TINY.format(source=str(corpus)))
    return path


@pytest.fixture(scope="session")
def splits() -> Mapping[str, object]:
    """Encoded splits of random texts whose class is written in their tokens; no file behind."""
    from ablation.task.text.train import Texts

    draw = np.random.default_rng(11)

    def split(rows: int) -> Texts:
        lengths = draw.integers(1, 18, rows)
        offsets = np.concatenate(([0], lengths.cumsum()))
        labels = draw.integers(0, 3, rows)
        tokens = draw.integers(5, 37, offsets[-1]).astype(np.int32)
        tokens[offsets[:-1]] = labels + 2
        return Texts.of(tokens, offsets, labels)

    return {"train": split(101), "validation": split(31), "test": split(43)}
