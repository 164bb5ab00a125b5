"""Dotted paths into nested configurations, for example ``model.attention.init_std``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from ablation.errors import Refused, nearest
from ablation.records.kinds import shown

Config = TypeVar("Config")


class Level:
    """Base of dataclasses that are a single value of a field, not a group of fields."""

    __slots__ = ()


def replace(config: Config, path: str, value: Any) -> Config:
    """Returns ``config`` with the field at a dotted path replaced.

    Args:
        config: A configuration: a frozen dataclass or a mapping, possibly nested.
        path: For example ``"model.attention.init_std"``.
        value: The new value; the dataclass may turn an int into a float.

    Raises:
        Refused: If there is no such field (the message suggests the nearest), or the value is
            refused.

    >>> from ablation.config import RunConfig
    >>> replace(RunConfig(), "train.epochs", 3).train.epochs
    3
    """
    return replace_all(config, {path: value})


def replace_all(config: Config, values: Mapping[str, Any]) -> Config:
    """Returns ``config`` with some fields replaced at once, so that they need only fit together.

    Args:
        config: A configuration: a frozen dataclass or a mapping, possibly nested.
        values: Dotted path to new value.

    Raises:
        Refused: As :func:`replace`.
    """
    known = flatten(config)
    for path in values:
        if path not in known:
            raise Refused(
                f"No field {path!r} in the run configuration.{nearest(path, known)}",
                f"The fields are: {', '.join(known)}.",
            )
    try:
        replaced: Config = _replace(config, plain_values(values))
    except Refused:
        raise
    except (TypeError, ValueError) as error:
        said = ", ".join(f"{path} cannot be {shown(value)}" for path, value in values.items())
        examples = " and ".join(repr(known[path]) for path in values)
        raise Refused(f"{said}.", f"It takes values such as {examples}.") from error
    return replaced


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns values with NumPy's scalars, as `np.linspace` gives them, as Python's.

    >>> plain_values({"model.dropout": np.float64(0.5), "model.pooling": "mean"})
    {'model.dropout': 0.5, 'model.pooling': 'mean'}
    """
    return {path: value.item() if isinstance(value, np.generic) else value
            for path, value in values.items()}  # fmt: skip


def _replace(config: Any, values: Mapping[str, Any]) -> Any:
    below: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        head, _, rest = path.partition(".")
        below.setdefault(head, {})[rest] = value
    inside = config if isinstance(config, Mapping) else dict(_fields(config))
    changed = {
        head: inner[""] if "" in inner else _replace(inside[head], inner)
        for head, inner in below.items()
    }
    if isinstance(config, Mapping):
        return {**config, **changed}
    return dataclasses.replace(config, **changed)


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Returns a configuration as a flat dictionary: dotted path to value, in field order.

    >>> from ablation.config import RunConfig
    >>> flatten(RunConfig())["model.attention.init_std"]
    0.05
    """
    flat: dict[str, Any] = {}
    for name, value in _fields(config):
        if _is_group(value):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _fields(config: Any) -> list[tuple[str, Any]]:
    if isinstance(config, Mapping):
        return list(config.items())
    return [(field.name, getattr(config, field.name)) for field in dataclasses.fields(config)]


def _is_group(value: Any) -> bool:
    """Returns whether a value is a group of fields; an empty mapping is a value."""
    if isinstance(value, Mapping):
        return bool(value)
    is_instance = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return is_instance and not isinstance(value, Level)
