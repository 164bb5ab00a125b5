"""A user-defined function as a :class:`ablation.task.Task`."""

from ablation.task.function.task import function_task

__all__ = ["function_task"]
