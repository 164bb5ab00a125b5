"""One run: knows neither MLflow nor Optuna, and depends on (config, seed, encoded data) alone."""

from ablation.train.batches import Documents, Texts, batches
from ablation.train.evaluate import logits_of, scores_of
from ablation.train.loop import train

__all__ = [
    "Documents",
    "Texts",
    "batches",
    "logits_of",
    "scores_of",
    "train",
]
