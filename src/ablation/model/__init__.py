"""The model under study: attention, the other poolings, encoders, the classifiers."""

from ablation.model.attention import AttentionPooling
from ablation.model.check import check
from ablation.model.classifier import Classifier, HierarchicalClassifier, pool
from ablation.model.embedding import PADDING, Embedding
from ablation.model.initialise import Pretrained, build
from ablation.model.numerics import fill_table
from ablation.model.pooling import build_pooling

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
