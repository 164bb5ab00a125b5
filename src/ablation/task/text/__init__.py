"""The text classifier with attention pooling: the task that ships."""

from ablation.task.text.task import TEXT

__all__ = ["TEXT"]
