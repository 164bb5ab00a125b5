"""Poolings, encoders and embeddings of the user's: what works, and what is refused beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from synthetic import config_hash, result_of
from typer.testing import CliRunner

from ablation import cli
from ablation.errors import Refused
from ablation.records.paths import replace
from ablation.task.text.config import (
    AttentionConfig,
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
)
from ablation.task.text.data import prepare, read_vectors
from ablation.task.text.model import build_classifier, dry_run
from ablation.task.text.task import made
from ablation.task.text.train import Texts, rehearse, train
from ablation.task.text.train.adam import Adam

PARTS = """
import torch
from ablation.model import AttentionPooling

class Mine(torch.nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(hidden_size))
    def forward(self, states, mask):
        return (states * mask[..., None]).sum(1) * self.scale

class WithWeights(Mine):
    def forward(self, states, mask):
        return super().forward(states, mask), mask.float()

class Wider(Mine):
    def __init__(self, hidden_size):
        super().__init__(hidden_size)
        self.output_size = 2 * hidden_size
    def forward(self, states, mask):
        pooled = super().forward(states, mask)
        return torch.cat([pooled, pooled], dim=1)

class WrongWeights(Mine):
    def forward(self, states, mask):
        return super().forward(states, mask), mask.float()[None]

class Article(AttentionPooling):
    pass

class Around(torch.nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.inner = AttentionPooling(hidden_size)
    def forward(self, states, mask):
        return self.inner(states, mask)

class Raises(Mine):
    def __init__(self, hidden_size):
        raise ValueError("no such width")

class Remembers(Mine):
    kept = None
    def forward(self, states, mask):
        if self.kept is None:
            self.kept = states[:1].detach() * 0
        return super().forward(states, mask) + (self.scale * self.kept.sum())

class NotPooled(Mine):
    def forward(self, states, mask):
        return states

class NoMask(Mine):
    def forward(self, states):
        return states.sum(1)

class NoWidth(torch.nn.Module):
    pass

class Function:
    def __init__(self, hidden_size):
        pass

class Encoder(torch.nn.Module):
    def __init__(self, embedding_size, hidden_size):
        super().__init__()
        self.map = torch.nn.Linear(embedding_size, hidden_size)
    def forward(self, embeddings, mask):
        return self.map(embeddings)

class Summed(Encoder):
    def forward(self, embeddings, mask):
        return self.map(embeddings).sum(1)
"""


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of an importable user-defined module."""
    name = f"parts_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize("kind", ["flat", "hierarchical"])
@pytest.mark.parametrize("name", ["Mine", "WithWeights", "Wider"])
def test_what_fits_is_taken(parts: str, name: str, kind: str) -> None:
    own = f"{parts}:{name}"
    dry_run(ModelConfig(kind=kind, pooling=own, word_pooling=own))
    encoder = f"{parts}:Encoder"
    dry_run(ModelConfig(kind=kind, encoder=encoder, sentence_encoder=encoder))


@pytest.mark.parametrize(
    ("field", "name", "message"),
    [
        ("pooling", "NotPooled", r"NotPooled made \(3, 5, 64\) of states of shape \(3, 5, 64\); "
                                 r"\(3, 64\) is needed"),
        ("pooling", "NoMask", r"failed on states of shape \(3, 5, 64\) and a mask of shape "
                              r"\(3, 5\): TypeError"),
        ("pooling", "NoWidth", r"NoWidth\(64,\) cannot be constructed"),
        ("pooling", "Function", "is not an nn.Module"),
        ("pooling", "Raises", "cannot be constructed: ValueError: no such width"),
        ("pooling", "WrongWeights", r"returned \(1, 3, 5\) as weights for a mask of shape "
                                    r"\(3, 5\)"),
        ("pooling", "Min", "Did you mean 'Mine'"),
        ("encoder", "Summed", r"Summed made \(3, 64\) of inputs of shape \(3, 5, 64\); "
                              r"\(3, 5, 64\) is needed"),
        ("encoder", "Mine", r"Mine\(64, 64\) cannot be constructed"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(parts: str, field: str, name: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        dry_run(ModelConfig(**{field: f"{parts}:{name}"}))


TRAINED = """
import torch
from torch import nn

class Lazy(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.score = nn.LazyLinear(1)

    def forward(self, states, mask):
        weights = self.score(states).squeeze(2).masked_fill(~mask, -1e9).softmax(1)
        return (weights[..., None] * states).sum(1)

class Inverted(nn.Module):
    def __init__(self, width):
        super().__init__()

    def forward(self, states, mask):
        return states.masked_fill(mask[..., None], 0).sum(1)

class EvalOnly(nn.Module):
    def __init__(self, width):
        super().__init__()

    def forward(self, states, mask):
        if not self.training:
            raise RuntimeError("only in training")
        return states.sum(1)

class Sum(nn.Module):
    def __init__(self, width):
        super().__init__()

    def forward(self, states, mask):
        return states.masked_fill(~mask[..., None], 0).sum(1)
"""


def test_user_classes_are_trained_before_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "parts_to_train.py").write_text(TRAINED)

    def rehearsed(name: str, **fields: Any) -> str:
        model = ModelConfig(pooling=f"parts_to_train:{name}", embedding_size=8, **fields)
        return rehearse(RunConfig(model=model))

    for name in ("Lazy", "EvalOnly"):
        with pytest.raises(Refused, match=f"parts_to_train:{name} cannot be trained: "):
            rehearsed(name)
    assert rehearsed("Sum") == ""
    assert rehearsed("Sum", kind="hierarchical") == ""
    assert "padding changes a text's logits" in rehearsed("Inverted")


@pytest.mark.parametrize("name", ["Lazy", "EvalOnly"])
def test_a_plan_refuses_what_cannot_take_its_first_step(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    text = TRAINED.replace("if not self.training", "if self.training")
    (tmp_path / "parts_to_plan.py").write_text(text)
    source = DataConfig(source=str(corpus))
    config = RunConfig(data=source, model=ModelConfig(pooling=f"parts_to_plan:{name}"))
    encoded = prepare(source, cache=tmp_path / "cache")
    with pytest.raises(Refused, match=f"parts_to_plan:{name} cannot be trained: "):
        made([(config, encoded)])


def test_a_study_that_does_not_fit_is_refused_before_anything_is_written(
    parts: str, tiny_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABLATION_CACHE", str(tmp_path / "cache"))
    text = tiny_study.read_text().replace("model.attention.init_std", "model.pooling")
    text = text.replace("(0.0, 0.05, 1.0)", f"('mean', '{parts}:NotPooled')")
    tiny_study.write_text(text.replace("baseline=0.05", "baseline='mean'"))
    store = tmp_path / "store"
    ran = CliRunner().invoke(cli.app, ["run", str(tiny_study), "--store", str(store)])
    assert isinstance(ran.exception, Refused)
    assert "NotPooled made" in ran.exception.rule
    assert not store.exists()


def test_a_module_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_broken_module.py").write_text("class Mine(\n")
    with pytest.raises(Refused, match="cannot be imported: SyntaxError"):
        dry_run(ModelConfig(pooling="my_broken_module:Mine"))


@pytest.mark.parametrize("name", ["Article", "Around"])
def test_a_part_made_of_ours_starts_from_the_seed_alone(parts: str, name: str) -> None:
    config = ModelConfig(embedding_size=7, hidden_size=14, pooling=f"{parts}:{name}")
    sizes = {"vocabulary_size": 9, "classes": 2}
    first, second, other = (
        torch.cat(
            [
                each.flatten()
                for each in build_classifier(config, seed, **sizes).pooling.parameters()
            ]
        )
        for seed in (3, 3, 4)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert first.std().item() == pytest.approx(0.05, rel=0.3)


def test_what_a_part_keeps_of_its_first_call_can_be_trained_with(
    parts: str, splits: Mapping[str, Texts]
) -> None:
    model = ModelConfig(embedding_size=7, hidden_size=14, pooling=f"{parts}:Remembers")
    config = RunConfig(model=model, train=TrainConfig(epochs=1))
    running = train(config, 0, splits, vocabulary_size=37, classes=3)
    assert [record.epoch for record in running] == [0, 1]


def vectors_file(path: Path, *, size: int = 7, header: bool = False) -> Path:
    lines = [f"2 {size}"] if header else []
    lines += [f"blueish {' '.join(str(i + 0.5) for i in range(size))}", f"nowhere {'1 ' * size}"]
    lines += [f"redish {'-1.0 ' * size}", f"blueish {'9 ' * size}"]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("header", [False, True])
def test_vectors_are_read_for_known_tokens_alone(tmp_path: Path, header: bool) -> None:
    path = vectors_file(tmp_path / "vectors.txt", header=header)
    ids, vectors = read_vectors(path, {"blueish": 4, "redish": 2, "greenish": 3}, 7)
    assert ids.tolist() == [4, 2]
    assert np.array_equal(vectors, [[0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5], [-1.0] * 7])


def test_vectors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = vectors_file(tmp_path / "vectors.txt")
    with pytest.raises(
        Refused, match=r"line 1, must hold model.embedding_size = 8 finite numbers; got 7"
    ):
        read_vectors(path, {"blueish": 4}, 8)
    with pytest.raises(Refused, match="no vector for any of the 1 tokens"):
        read_vectors(path, {"yellowish": 4}, 7)
    with pytest.raises(Refused, match="cannot be read"):
        read_vectors(tmp_path / "gone.txt", {"blueish": 4}, 7)
    path.write_text("blueish a b c\n")
    with pytest.raises(Refused, match="must hold only numbers"):
        read_vectors(path, {"blueish": 4}, 3)


def test_pretrained_embeddings_stay_as_they_are(tmp_path: Path) -> None:
    config = ModelConfig(embedding_size=7, hidden_size=14)
    pretrained = (torch.tensor([4, 2]), torch.full((2, 7), 3.0))
    sizes = {"vocabulary_size": 9, "classes": 2}
    model = build_classifier(config, 0, pretrained=pretrained, **sizes)
    drawn = build_classifier(config, 0, **sizes).embedding.weight
    expected = drawn.detach().clone()
    expected[[2, 4]] = 3.0
    assert torch.equal(model.embedding.weight, expected)
    optimizer = Adam(model.parameters(), 0.1)
    tokens = torch.tensor([[2, 3, 4]])
    model(tokens, tokens > 0).sum().backward()
    optimizer.step()
    assert torch.equal(model.embedding.weight, expected)


def test_the_content_of_the_embeddings_is_part_of_the_key(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    for path in (first, second):
        vectors_file(path)
    third = vectors_file(tmp_path / "c.txt", header=True)
    keys = [
        config_hash(replace(RunConfig(), "model.embedding_file", str(path)), "data")
        for path in (first, second, third)
    ]
    assert keys[0] == keys[1] != keys[2]
    assert config_hash(RunConfig(), "data") not in keys
    with pytest.raises(Refused, match="cannot be read"):
        config_hash(replace(RunConfig(), "model.embedding_file", "gone.txt"), "data")


def test_a_study_of_embeddings_trains_with_them(
    corpus: Path, tmp_path: Path, one_thread: None
) -> None:
    from ablation.task.text.run import train_once

    encoded = prepare(DataConfig(source=str(corpus)), cache=tmp_path / "cache")
    known = sorted(encoded.vocabulary())
    assert "redish" in known
    assert min(encoded.vocabulary().values()) == 2
    path = vectors_file(tmp_path / "vectors.txt", size=8)
    base = RunConfig(model=ModelConfig(embedding_size=8, hidden_size=8))
    base = replace(base, "train.epochs", 1)
    results = [
        result_of(train_once(config, 0, encoded, device="cpu"))
        for config in (base, replace(base, "model.embedding_file", str(path)))
    ]
    assert results[0].weights_hash != results[1].weights_hash


def test_levels_that_a_factor_refuses() -> None:
    for changes, message in (
        ({"weight_init": "xavie"}, "Did you mean 'xavier'"),
        ({"dtype": "float16"}, "within the range of float16"),
        ({"dtype": "float16", "fill": -1e9}, "within the range of float16"),
        ({"dtype": "float8"}, "must be one of float32, bfloat16, float16"),
        ({"heads": 0}, "heads must be >= 1"),
    ):
        with pytest.raises(Refused, match=message):
            AttentionConfig(**changes)
    with pytest.raises(Refused, match="multiple of the 4 heads"):
        ModelConfig(pooling="multi_head", hidden_size=14)
    with pytest.raises(Refused, match="even for a bilstm"):
        ModelConfig(kind="hierarchical", hidden_size=13)
