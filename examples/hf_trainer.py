"""Does dropout matter to a small transformer, trained by Hugging Face's Trainer?

Run it by: pip install -e '.[transformers]' && ablation run examples/hf_trainer.py
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from ablation.config import DataConfig
from ablation.spec import Metric, Study
from ablation.task.text.data import prepare

ROWS, LENGTH = {"train": 1200, "test": 400}, 32


@dataclass(frozen=True)
class Config:
    dropout: float = 0.1
    rate: float = 5e-3


def rows_of(split, rows):
    """Returns the first rows of a split as the Trainer takes them, padded with zeros."""
    ids = torch.zeros(rows, LENGTH, dtype=torch.long)
    for row in range(rows):
        tokens = torch.tensor(split.tokens[split.offsets[row] : split.offsets[row + 1]][:LENGTH])
        ids[row, : len(tokens)] = tokens
    return [{"input_ids": ids[row], "attention_mask": (ids[row] > 0).long(), "labels": label}
            for row, label in enumerate(split.labels[:rows].tolist())]  # fmt: skip


def train(config, seed, context):
    """Trains a transformer from a random start and returns its metrics on test."""
    corpus = prepare(DataConfig(), cache=Path(".cache/ablation"))
    splits = {name: rows_of(corpus.split(name), rows) for name, rows in ROWS.items()}
    torch.manual_seed(seed)
    model = BertForSequenceClassification(BertConfig(
        vocab_size=corpus.vocabulary_size, hidden_size=32, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=64, max_position_embeddings=LENGTH,
        hidden_dropout_prob=config.dropout, num_labels=len(corpus.labels)))  # fmt: skip
    arguments = TrainingArguments(
        output_dir=str(context.folder), seed=seed, learning_rate=config.rate,
        num_train_epochs=3, per_device_train_batch_size=16, report_to=[],
        save_strategy="no", use_cpu=context.device == "cpu", disable_tqdm=True)  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=splits["train"])
    trainer.train()
    found = trainer.predict(splits["test"])
    correct = found.predictions.argmax(axis=1) == found.label_ids
    return {"test/accuracy": correct.mean(), "test/correct": correct}


study = Study(
    name="hf_trainer", question="Does dropout matter?", run=train, config=Config(),
    metric=Metric("test/accuracy", chance=0.22, examples="test/correct"),
    margin=0.02, factor="dropout", levels=(0.0, 0.1, 0.5), baseline=0.1, seeds=5,
)  # fmt: skip
