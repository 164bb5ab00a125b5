"""Ablation studies of attention pooling in a PyTorch text classifier.

``ablation.load("init_std")`` returns the recorded runs of a study, ``ablation.judge(frame, ...)``
the verdicts on anyone's results; everything else is a command. Importing this package imports
nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.notebook import judge, load

__all__ = ["judge", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from ablation import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
