"""Classes of the user's, given as ``package.module:Class``."""

from __future__ import annotations

import importlib
from typing import Any

from ablation.errors import Refused, nearest


def named_class(name: str) -> Any:
    """Imports and returns the class that ``package.module:Class`` names.

    Raises:
        Refused: If the module cannot be imported, or holds no such class.
    """
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise Refused(
            f"{name!r} cannot be imported: {error}.",
            "Run where the module is importable: beside the study file, here, or installed.",
        ) from error
    if not hasattr(module, class_name):
        raise Refused(
            f"Module {module_name!r} has no class {class_name!r}."
            f"{nearest(class_name, vars(module))}",
            "Name a class of that module.",
        )
    return getattr(module, class_name)
