"""The model under study: attention, the other poolings, encoders, the classifier."""

from ablation.model.attention import AttentionPooling
from ablation.model.classifier import Classifier
from ablation.model.embedding import PADDING, Embedding
from ablation.model.initialise import build
from ablation.model.pooling import MaxPooling, MeanPooling

__all__ = [
    "PADDING",
    "AttentionPooling",
    "Classifier",
    "Embedding",
    "MaxPooling",
    "MeanPooling",
    "build",
]
