"""The text classifier with attention pooling, the built-in task."""

from ablation.task.text.task import TEXT

__all__ = ["TEXT"]
