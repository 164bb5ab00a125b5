"""Building blocks for user-defined poolings and encoders."""

from ablation.task.text.model import AttentionPooling, build_pooling

__all__ = ["AttentionPooling", "build_pooling"]
