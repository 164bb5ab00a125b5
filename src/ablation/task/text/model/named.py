"""Imports user-defined classes, named as ``package.module:Class``."""

from __future__ import annotations

import importlib

from torch import nn

from ablation.errors import Refused, nearest


def named_class(name: str, *sizes: int) -> nn.Module:
    """Imports a class by its name ``package.module:Class`` and returns an instance.

    Args:
        name: The name.
        *sizes: Arguments of its constructor.

    Raises:
        Refused: If the module cannot be imported or has no such class, or if the class is not an
            ``nn.Module`` or cannot be constructed.
    """
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a user-defined module may raise anything
        raise Refused(
            f"{name!r} cannot be imported: {type(error).__name__}: {error}.",
            "Put the module beside the study file or in this folder, or install it.",
        ) from error
    if not hasattr(module, class_name):
        raise Refused(
            f"Module {module_name!r} has no class {class_name!r}."
            f"{nearest(class_name, vars(module))}",
            "Name a class of that module.",
        )
    try:
        made = getattr(module, class_name)(*sizes)
    except (Exception, SystemExit) as error:  # so may its constructor
        raise Refused(
            f"{name}{sizes} cannot be constructed: {type(error).__name__}: {error}.",
            "A pooling takes the width of a state; an encoder takes the widths of its input and "
            "its states.",
        ) from error
    if not isinstance(made, nn.Module):
        raise Refused(f"{name!r} is not an nn.Module.", "Derive it from torch.nn.Module.")
    return made
