"""Parts that a user-defined pooling or encoder can be made of."""

from ablation.task.text.model import AttentionPooling, build_pooling

__all__ = ["AttentionPooling", "build_pooling"]
