"""Probes: each agrees with its definition, none changes what a run does."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch

from ablation.records.paths import replace
from ablation.task.text.config import ModelConfig, RunConfig, TrainConfig
from ablation.task.text.model import build_classifier, pool
from ablation.task.text.train import Texts, train
from ablation.task.text.train import loop as loop_module
from ablation.task.text.train.probes import SAMPLE, Probes

VOCABULARY, CLASSES = 37, 3
CONFIG = RunConfig(
    model=ModelConfig(embedding_size=7, hidden_size=14),
    train=TrainConfig(epochs=2, batch_size=16, learning_rate=0.01),
)
Splits = Mapping[str, Texts]


def records_of(config: RunConfig, splits: Splits) -> tuple[list[object], object]:
    running = train(config, 0, splits, vocabulary_size=VOCABULARY, classes=CLASSES)
    records = []
    while True:
        try:
            records.append(next(running))
        except StopIteration as stop:
            return records, stop.value


def probes_of(model_config: ModelConfig, splits: Splits) -> tuple[Probes, dict[str, float]]:
    model = build_classifier(model_config, 1, vocabulary_size=VOCABULARY, classes=CLASSES)
    with torch.no_grad():
        for tensor in model.pooling.parameters():
            tensor.mul_(20)
    probes = Probes(model, splits["validation"])
    return probes, probes.measure()


@pytest.mark.parametrize("fill", [-1e32, 0.0])
@pytest.mark.parametrize("name", ["attention", "multi_head", "sparsemax"])
def test_each_is_its_definition(splits: Splits, name: str, fill: float) -> None:
    config = replace(replace(CONFIG, "model.attention.heads", 2), "model.attention.fill", fill)
    config = replace(config, "model.pooling", name)
    probes, found = probes_of(config.model, splits)
    texts = splits["validation"]
    assert len(texts) < SAMPLE, "the sample is the split"
    states, mask = probes.model.eval().states(*texts.batch(torch.arange(len(texts))))
    pooling = probes.model.pooling
    pooled, _ = pool(pooling, states, mask)
    scores = pooling.scores(states).reshape(len(texts), -1, mask.shape[1])
    entropies, effective, largest, spreads, leaked = [], [], [], [], []
    for text, real in enumerate(mask):
        for row in scores[text]:
            filled = torch.where(real, row, torch.tensor(fill))
            weights = pooling.masking.normaliser(filled)
            share = weights[real] / weights[real].sum()
            positive = share[share > 0]
            entropies.append(-(positive * positive.log()).sum())
            effective.append(entropies[-1].exp())
            largest.append(share.max())
            spreads.append(row[real].std(correction=0))
            leaked.append(weights[~real].sum())
    expected = {
        "probe/entropy": entropies,
        "probe/effective_tokens": effective,
        "probe/largest_weight": largest,
        "probe/score_spread": spreads,
        "probe/padding_weight": leaked,
    }
    for probe, values in expected.items():
        mean = torch.stack(values).mean().item()
        assert found[probe] == pytest.approx(mean, rel=1e-4, abs=1e-6), probe
    assert found["probe/output_variance"] == pytest.approx(pooled.var(correction=0).item())
    leaks = found["probe/padding_weight"] > 0
    assert leaks <= (fill == 0.0)
    assert leaks == (fill == 0.0) or name == "sparsemax"  # which may give a low score nothing


def test_the_mean_attends_to_every_token_alike(splits: Splits) -> None:
    _, found = probes_of(ModelConfig(embedding_size=7, hidden_size=14, pooling="mean"), splits)
    lengths = splits["validation"].lengths.double()
    assert found["probe/effective_tokens"] == pytest.approx(lengths.mean().item(), rel=1e-5)
    assert found["probe/entropy"] == pytest.approx(lengths.log().mean().item(), rel=1e-5)
    assert "probe/score_spread" not in found


def test_displacement_is_relative_and_gradients_are_of_the_step(splits: Splits) -> None:
    records, _ = records_of(CONFIG, splits)
    assert [record.epoch for record in records] == [0, 1, 2]
    first, *_, last = [record.metrics for record in records]
    assert first["probe/displacement_weight"] == 0
    assert last["probe/displacement_weight"] > 0
    assert "probe/displacement_bias" not in last, "it starts at zero"
    assert all(record.metrics["probe/gradient_query"] > 0 for record in records)
    assert set(first) < set(last)
    assert all(name.startswith("probe/") and math.isfinite(v) for name, v in first.items())


def test_a_fixed_tensor_stays_and_has_no_gradient(splits: Splits) -> None:
    records, _ = records_of(replace(CONFIG, "model.attention.train_weight", False), splits)
    for record in records:
        assert record.metrics["probe/displacement_weight"] == 0
        assert "probe/gradient_weight" not in record.metrics
    assert records[-1].metrics["probe/displacement_query"] > 0


def test_a_run_without_probes_is_bitwise_the_same(
    splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, with_probes = records_of(CONFIG, splits)
    monkeypatch.setattr(loop_module.Probes, "measure", lambda _: {})
    monkeypatch.setattr(loop_module.Probes, "gradients", lambda _: {})
    _, without = records_of(CONFIG, splits)
    assert with_probes.weights_hash == without.weights_hash
    assert with_probes.logits_hash == without.logits_hash
