"""Dotted paths into nested frozen dataclasses, for example ``model.attention.init_std``."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from ablation.errors import Refused, nearest

Config = TypeVar("Config")


class Level:
    """Base of dataclasses that are a single value of a field, not a group of fields."""

    __slots__ = ()


def replace(config: Config, path: str, value: Any) -> Config:
    """Returns ``config`` with the field at a dotted path replaced.

    Args:
        config: A configuration: a frozen dataclass, possibly nested.
        path: For example ``"model.attention.init_std"``.
        value: The new value; the dataclass may turn an int into a float.

    Raises:
        Refused: If there is no such field (the message suggests the nearest), or the value is
            refused.

    >>> from ablation.config import RunConfig
    >>> replace(RunConfig(), "train.epochs", 3).train.epochs
    3
    """
    known = flatten(config)
    if path not in known:
        raise Refused(
            f"No field {path!r} in the run configuration.{nearest(path, known)}",
            f"The fields are: {', '.join(known)}.",
        )
    try:
        replaced: Config = _replace(config, path, value)
    except TypeError as error:
        rule = f"{path} cannot be {value!r}."
        raise Refused(rule, f"It takes values such as {known[path]!r}.") from error
    return replaced


def _replace(config: Any, path: str, value: Any) -> Any:
    head, _, rest = path.partition(".")
    inner = _replace(getattr(config, head), rest, value) if rest else value
    return dataclasses.replace(config, **{head: inner})


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Returns a configuration as a flat dictionary: dotted path to value, in field order.

    >>> from ablation.config import RunConfig
    >>> flatten(RunConfig())["model.attention.init_std"]
    0.05
    """
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, Level):
            flat |= flatten(value, f"{prefix}{field.name}.")
        else:
            flat[prefix + field.name] = value
    return flat
