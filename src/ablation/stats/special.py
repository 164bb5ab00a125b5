"""Special functions, SciPy's: imported when the first of them is asked for.

A process that only draws figures asks for none, and importing them takes as long as drawing two.
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Returns ``scipy.special``'s function of that name, and keeps it here."""
    if name.startswith("__"):
        raise AttributeError(name)
    found = globals()[name] = getattr(importlib.import_module("scipy.special"), name)
    return found
