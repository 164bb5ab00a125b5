"""The plotting library, seaborn, imported in a tenth of the time that it takes by itself."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _Late(ModuleType):
    """Stands in for a module of SciPy, which is imported when something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


def _density(*arguments: Any, **named: Any) -> Any:
    """Returns SciPy's ``gaussian_kde`` of the arguments, imported at the first call."""
    return importlib.import_module("scipy.stats").gaussian_kde(*arguments, **named)


def _stand_ins() -> dict[str, ModuleType]:
    """Returns the modules of SciPy that seaborn imports for densities and clusters."""
    stats, cluster = ModuleType("scipy.stats"), ModuleType("scipy.cluster")
    stats.__dict__["gaussian_kde"] = _density
    cluster.__dict__["hierarchy"] = _Late("scipy.cluster.hierarchy")
    return {"scipy.stats": stats, "scipy.cluster": cluster}


def _load_seaborn() -> Any:
    """Imports seaborn without the parts of SciPy that no figure of a report needs."""
    # 0.5 s of 0.6 s for densities and 0.07 s for clusters, in every process that draws. Seaborn
    # would take a missing SciPy as well, but then a notebook that draws densities of its own
    # would get a slower one without a word.
    lacking = {name: each for name, each in _stand_ins().items() if name not in sys.modules}
    sys.modules.update(lacking)
    try:
        return importlib.import_module("seaborn")
    finally:
        for name in lacking:
            del sys.modules[name]


seaborn = _load_seaborn()
