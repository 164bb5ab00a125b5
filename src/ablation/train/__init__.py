"""One run: knows neither MLflow nor Optuna, and depends on (config, seed, encoded data) alone."""

from ablation.train.batches import Documents, Texts, batches
from ablation.train.evaluate import logits_of, metrics_of
from ablation.train.loop import train
from ablation.train.outcome import EpochRecord, RunResult

__all__ = [
    "Documents",
    "EpochRecord",
    "RunResult",
    "Texts",
    "batches",
    "logits_of",
    "metrics_of",
    "train",
]
