"""One run: knows neither MLflow nor Optuna, and depends on (config, seed, encoded data) alone."""

from ablation.task.text.train.batches import Documents, Texts, batches
from ablation.task.text.train.evaluate import logits_of, scores_of
from ablation.task.text.train.first import first_step, sketch
from ablation.task.text.train.loop import train
from ablation.task.text.train.rehearsal import rehearse

__all__ = [
    "Documents",
    "Texts",
    "batches",
    "first_step",
    "logits_of",
    "rehearse",
    "scores_of",
    "sketch",
    "train",
]
