"""The plotting library, seaborn, imported in a tenth of the time that it takes by itself."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def _load_seaborn() -> Any:
    """Imports seaborn without loading ``scipy.stats``, unless that is loaded already.

    Seaborn asks it for ``gaussian_kde`` alone, which no figure of a report needs.
    """
    # 0.5 s of 0.6 s, in every process that draws. Seaborn would take a missing SciPy as well, but
    # then a notebook that draws densities of its own would get a slower one without a word.
    if "scipy.stats" in sys.modules:
        return importlib.import_module("seaborn")
    stand_in = ModuleType("scipy.stats")
    stand_in.__dict__["gaussian_kde"] = _density
    sys.modules["scipy.stats"] = stand_in
    try:
        return importlib.import_module("seaborn")
    finally:
        del sys.modules["scipy.stats"]


def _density(*arguments: Any, **named: Any) -> Any:
    """Returns SciPy's ``gaussian_kde`` of the arguments, imported at the first call."""
    return importlib.import_module("scipy.stats").gaussian_kde(*arguments, **named)


seaborn = _load_seaborn()
