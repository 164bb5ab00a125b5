"""Ablation studies of attention pooling in a PyTorch text classifier.

``ablation.load("init_std")`` gives what is recorded of a study; everything else is the command
line's. Importing this package imports nothing else.
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
