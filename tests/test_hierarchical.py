"""Documents, their sentences, and the model that reads both levels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from ablation.task.text.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from ablation.task.text.data import SPLITS, prepare
from ablation.task.text.model import HierarchicalClassifier, build_classifier, pool
from ablation.task.text.model.streams import generator
from ablation.task.text.train import Documents, logits_of, train

VOCABULARY, CLASSES = 37, 3
CONFIG = ModelConfig(kind="hierarchical", embedding_size=7, hidden_size=14)


def documents(rows: int = 41, seed: int = 5) -> Documents:
    """Random texts of one to six sentences of one to eight tokens; the class is in the first."""
    draw = np.random.default_rng(seed)
    counts = draw.integers(1, 7, rows)
    lengths = draw.integers(1, 9, counts.sum())
    sentences = np.concatenate(([0], lengths.cumsum()))
    offsets = sentences[np.concatenate(([0], counts.cumsum()))]
    labels = draw.integers(0, CLASSES, rows)
    tokens = draw.integers(5, VOCABULARY, sentences[-1]).astype(np.int32)
    tokens[offsets[:-1]] = labels + 2
    return Documents.of(tokens, offsets, sentences, labels)


@pytest.fixture(scope="module")
def parts() -> Mapping[str, Documents]:
    return {name: documents(rows, seed) for seed, (name, rows) in enumerate(
        {"train": 101, "validation": 31, "test": 43}.items()
    )}  # fmt: skip


def test_a_batch_holds_every_sentence_of_its_rows_in_order() -> None:
    texts = documents()
    rows = torch.tensor([7, 3, 11])
    tokens, mask, sentence_mask = texts.batch(rows)
    flat = texts.sentences.tokens
    expected = [
        flat[start : start + length].tolist()
        for row in rows.tolist()
        for sentence in range(int(texts.firsts[row]), int(texts.firsts[row] + texts.counts[row]))
        for start, length in [
            (int(texts.sentences.starts[sentence]), int(texts.sentences.lengths[sentence]))
        ]
    ]
    assert [t[m].tolist() for t, m in zip(tokens, mask, strict=True)] == expected
    assert sentence_mask.sum(1).tolist() == texts.counts[rows].tolist()
    assert texts.lengths[rows].sum() == mask.sum()


def test_it_reads_sentences_one_by_one_and_then_the_text(float64: None) -> None:
    texts = documents()
    model = build_classifier(CONFIG, 1, vocabulary_size=VOCABULARY, classes=CLASSES).eval()
    assert isinstance(model, HierarchicalClassifier)
    rows = torch.tensor([7, 3, 11])
    logits = []
    for row in rows.tolist():
        vectors = []
        for sentence in range(int(texts.counts[row])):
            start = int(texts.sentences.starts[texts.firsts[row] + sentence])
            length = int(texts.sentences.lengths[texts.firsts[row] + sentence])
            tokens = texts.sentences.tokens[None, start : start + length]
            real = torch.ones_like(tokens, dtype=torch.bool)
            states = model.encoder(model.embedding(tokens), real)
            vectors.append(pool(model.word_pooling, states, real)[0])
        real = torch.ones(1, len(vectors), dtype=torch.bool)
        states = model.sentence_encoder(torch.cat(vectors)[None], real)
        logits.append(model.head(pool(model.pooling, states, real)[0]))
    torch.testing.assert_close(model(*texts.batch(rows)), torch.cat(logits))
    alone = [model(*texts.batch(torch.tensor([row]))) for row in range(len(texts))]
    torch.testing.assert_close(logits_of(model, texts), torch.cat(alone))


def test_flat_and_hierarchical_share_what_both_draw() -> None:
    sizes = {"vocabulary_size": VOCABULARY, "classes": CLASSES}
    hierarchical = build_classifier(CONFIG, 3, **sizes).state_dict()
    flat = build_classifier(dataclasses.replace(CONFIG, kind="flat"), 3, **sizes).state_dict()
    assert flat.keys() < hierarchical.keys()
    assert all(torch.equal(flat[name], hierarchical[name]) for name in flat)


def test_it_learns_and_is_deterministic(parts: Mapping[str, Documents]) -> None:
    config = RunConfig(
        model=CONFIG, train=TrainConfig(epochs=25, batch_size=16, learning_rate=0.02)
    )
    results = []
    for _ in range(2):
        running = train(config, 0, parts, vocabulary_size=VOCABULARY, classes=CLASSES)
        while True:
            try:
                next(running)
            except StopIteration as stop:
                results.append(stop.value)
                break
    assert results[0].metrics["test/accuracy"] > 0.8
    assert results[0].weights_hash == results[1].weights_hash


@pytest.mark.parametrize("length", [1, 3, 40])
def test_sentences_partition_every_text(corpus: Path, tmp_path: Path, length: int) -> None:
    rows = [
        "One sentence. Another one! And a third? Yes.",
        "no mark at all",
        "Dr. Smith left at 5 p.m. on Monday. He came back.",
    ]
    lines = [f"{text} {i},{('blue', 'red')[i % 2]}" for i, text in enumerate(rows * 20)]
    for split in ("train", "test"):
        (corpus / f"{split}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    config = DataConfig(source=str(corpus), sentence_length=length, max_length=9)
    encoded = prepare(config, cache=tmp_path)
    for name in SPLITS:
        split = encoded.split(name)
        lengths = np.diff(split.sentences)
        assert lengths.min() >= 1
        assert lengths.max() <= length
        assert set(split.offsets) <= set(split.sentences)
        assert split.sentences[-1] == len(split.tokens)
        assert max(b - a for a, b in pairwise(split.offsets)) == 9
    if length == 40:
        split = encoded.split("test")
        counts = np.diff(np.searchsorted(split.sentences, split.offsets))
        assert counts[:3].tolist() == [3, 1, 1]  # nine tokens reach into the third sentence


def test_a_split_pairs_with_itself_flat(corpus: Path, tmp_path: Path) -> None:
    encoded = prepare(DataConfig(source=str(corpus)), cache=tmp_path)
    split = encoded.split("train")
    texts = Documents.of(split.tokens, split.offsets, split.sentences, split.labels)
    order = torch.randperm(len(texts), generator=generator(1))
    assert texts.lengths[order].tolist() == np.diff(split.offsets)[order.numpy()].tolist()
