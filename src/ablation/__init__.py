"""Ablation studies of attention pooling in a PyTorch text classifier.

``ablation.load("init_std")`` returns the recorded runs of a study; everything else is a command.
Importing this package imports nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.notebook import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from ablation.notebook import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
