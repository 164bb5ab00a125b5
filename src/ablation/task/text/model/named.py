"""Classes of the user's, given as ``package.module:Class``."""

from __future__ import annotations

import importlib

from torch import nn

from ablation.errors import Refused, nearest


def named_class(name: str, *sizes: int) -> nn.Module:
    """Imports the class that ``package.module:Class`` names, and makes a module of it.

    Args:
        name: The name.
        *sizes: What its constructor is called with.

    Raises:
        Refused: If the module cannot be imported, holds no such class, or the class is no
            ``nn.Module`` or cannot be called so.
    """
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module raises
        raise Refused(
            f"{name!r} cannot be imported: {type(error).__name__}: {error}.",
            "Run where the module is importable: beside the study file, here, or installed.",
        ) from error
    if not hasattr(module, class_name):
        raise Refused(
            f"Module {module_name!r} has no class {class_name!r}."
            f"{nearest(class_name, vars(module))}",
            "Name a class of that module.",
        )
    try:
        made = getattr(module, class_name)(*sizes)
    except Exception as error:  # likewise
        raise Refused(
            f"{name}{sizes} cannot be made: {type(error).__name__}: {error}.",
            "A pooling takes the width of a state, an encoder those of its input and its states.",
        ) from error
    if not isinstance(made, nn.Module):
        raise Refused(f"{name!r} is no nn.Module.", "Derive it from torch.nn.Module.")
    return made
