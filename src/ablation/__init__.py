"""Ablation studies of your own model or of a text classifier, answered with evidence.

``ablation.load("init_std")`` returns what is recorded of a study, ``ablation.run(study)`` runs
what is missing of it, ``ablation.judge(frame, ...)`` gives the verdicts on anyone's results.
Importing this package imports nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.notebook import judge, load, run
    from ablation.spec import Metric, Study

__all__ = ["Metric", "Study", "judge", "load", "run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "spec" if name[0].isupper() else "notebook"
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    """Returns what completion offers, loaded or not."""
    return sorted({*globals(), *__all__})
