"""Rules for the fields of a configuration, written beside each field and checked at creation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, get_args

from ablation.errors import Refused, nearest
from ablation.records.kinds import shown

LARGEST = 3.4028e38
"""The largest float32, rounded towards zero."""
NOT_NEGATIVE = "finite in float32 and >= 0"


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A condition on the value of a field."""

    says: str
    """Completes the sentence "The field must be ...", for example ``>= 1``."""
    holds: Callable[[Any], bool]
    names: Sequence[str] = ()
    """The allowed names; the nearest one is suggested."""
    free: tuple[type, ...] = ()
    """Types whose values are always allowed."""
    kind: type | None = None
    """The type of the field; if None, the type of its default."""


def number(says: str, holds: Callable[[float], bool]) -> Any:
    """Returns a dataclass field for a number without a default."""
    return dataclasses.field(metadata={"rule": Rule(says, holds, kind=float)})


def field(
    default: Any, says: str, holds: Callable[[Any], bool], *, free: tuple[type, ...] = ()
) -> Any:
    """Returns a dataclass field whose value must obey a rule."""
    return dataclasses.field(default=default, metadata={"rule": Rule(says, holds, free=free)})


def at_least(least: int, default: int) -> Any:
    """Returns a field for an integer of at least ``least``."""
    return field(default, f">= {least}", lambda value: bool(value >= least))


def fits_float32(value: float) -> bool:
    """Returns whether a number is finite as a parameter of a model, which is of that type."""
    return abs(value) <= LARGEST


def is_not_negative(value: float) -> bool:
    """Returns whether a number is at least 0 and finite in float32."""
    return value >= 0 and fits_float32(value)


def not_negative(default: float) -> Any:
    """Returns a field for a number of at least 0 that is finite in float32."""
    return field(default, NOT_NEGATIVE, is_not_negative)


def one_of(names: Any, default: str, *, free: tuple[type, ...] = (), own: bool = False) -> Any:
    """Returns a field for one of some names.

    Args:
        names: A ``Literal`` type, or the names.
        default: The default.
        free: Types whose values are also allowed.
        own: Whether ``package.module:Class`` is also allowed.
    """
    known = get_args(names) or tuple(names)
    rule = Rule(
        f"one of {', '.join(known)}",
        lambda value: value in known or (own and ":" in str(value)),
        known,
        free,
    )
    return dataclasses.field(default=default, metadata={"rule": rule})


def require(condition: bool, name: str, rule: str, value: object) -> None:
    """Refuses a value if the condition is false.

    Raises:
        Refused: If the condition is false.
    """
    if not condition:
        raise Refused(f"{name} must be {rule}; got {value!r}.", f"Change {name}.")


def obey(config: Any, prefix: str = "") -> None:
    """Checks type and rule of every field, called from a dataclass's ``__post_init__``.

    The type of a field is the type of its default. An int in a float field becomes a float, so
    that a number has one spelling and one hash.

    Args:
        config: The dataclass.
        prefix: Its place in the run configuration, for example ``model.attention.``.

    Raises:
        Refused: If a value breaks its rule; names the field's path, the rule and the value.
    """
    for each in dataclasses.fields(config):
        rule: Rule | None = each.metadata.get("rule")
        value = _typed(config, each, rule)
        if rule is None or isinstance(value, rule.free) or rule.holds(value):
            continue
        path = prefix + each.name
        hint = nearest(str(value), rule.names) if rule.names else ""
        raise Refused(f"{path} must be {rule.says}; got {value!r}.{hint}", f"Change {path}.")


def _typed(config: Any, each: dataclasses.Field[Any], rule: Rule | None) -> Any:
    """Converts a field's value to the field's type, stores it and returns it."""
    value = getattr(config, each.name)
    kind: type = type(each.default)
    free: tuple[type, ...] = ()
    if rule is not None:
        kind, free = rule.kind or kind, rule.free
    if kind not in {int, float, bool, str} or type(value) is kind or isinstance(value, free):
        return value
    if kind is float and type(value) is int and abs(value) < LARGEST:
        object.__setattr__(config, each.name, float(value))
        return float(value)
    raise Refused(
        f"{each.name} cannot be {shown(value)}: it is of type {kind.__name__}.",
        f"Change {each.name}.",
    )
