"""The model under study: attention, other poolings, encoders and classifiers."""

from ablation.task.text.model.attention import AttentionPooling
from ablation.task.text.model.check import check
from ablation.task.text.model.classifier import Classifier, HierarchicalClassifier, pool
from ablation.task.text.model.embedding import PADDING, Embedding
from ablation.task.text.model.initialise import Pretrained, build
from ablation.task.text.model.numerics import fill_table
from ablation.task.text.model.pooling import build_pooling

__all__ = [
    "PADDING",
    "AttentionPooling",
    "Classifier",
    "Embedding",
    "HierarchicalClassifier",
    "Pretrained",
    "build",
    "build_pooling",
    "check",
    "fill_table",
    "pool",
]
