"""Rules of a configuration's fields: written beside each field, checked when it is built."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, get_args

from ablation.errors import Refused, nearest


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """What a field's value must be."""

    says: str
    """Completes "the field must be", as in ``>= 1``."""
    holds: Callable[[Any], bool]
    names: Sequence[str] = ()
    """The names that a field for names takes; the nearest one is suggested."""
    free: tuple[type, ...] = ()
    """Types whose values the rule leaves alone."""
    kind: type | None = None
    """The field's type; that of its default if None."""


def number(says: str, holds: Callable[[float], bool]) -> Any:
    """Returns a dataclass field for a number that has no default."""
    return dataclasses.field(metadata={"rule": Rule(says, holds, kind=float)})


def field(
    default: Any, says: str, holds: Callable[[Any], bool], *, free: tuple[type, ...] = ()
) -> Any:
    """Returns a dataclass field whose value must obey a rule."""
    return dataclasses.field(default=default, metadata={"rule": Rule(says, holds, free=free)})


def at_least(least: int, default: int) -> Any:
    """Returns a field for a whole number from ``least`` on."""
    return field(default, f">= {least}", lambda value: bool(value >= least))


def is_not_negative(value: float) -> bool:
    """Whether a number is finite and at least 0."""
    return value >= 0 and math.isfinite(value)


def not_negative(default: float) -> Any:
    """Returns a field for a finite number of at least 0."""
    return field(default, "finite and >= 0", is_not_negative)


def one_of(names: Any, default: str, *, free: tuple[type, ...] = (), own: bool = False) -> Any:
    """Returns a field for one of some names.

    Args:
        names: A ``Literal`` type, or the names.
        default: The default.
        free: Types whose values are taken, too.
        own: Whether ``package.module:Class`` is taken, too.
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
    """Refuses a value.

    Raises:
        Refused: If the condition does not hold.
    """
    if not condition:
        raise Refused(f"{name} must be {rule}; got {value!r}.", f"Change {name}.")


def obey(config: Any, prefix: str = "") -> None:
    """Checks type and rule of every field, in a dataclass's ``__post_init__``.

    The type of a field is that of its default; an int becomes a float where that is one, so that
    a number has one spelling, and one hash.

    Args:
        config: The dataclass.
        prefix: Where it is in the run configuration, as in ``model.attention.``.

    Raises:
        Refused: With the field's path, the rule and the value.
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
    """Returns a field's value in its type, and stores it so."""
    value = getattr(config, each.name)
    kind: type = type(each.default)
    free: tuple[type, ...] = ()
    if rule is not None:
        kind, free = rule.kind or kind, rule.free
    if kind not in {int, float, bool, str} or type(value) is kind or isinstance(value, free):
        return value
    if kind is float and type(value) is int:
        object.__setattr__(config, each.name, float(value))
        return float(value)
    raise Refused(
        f"{each.name} cannot be {value!r}: it is of type {kind.__name__}.",
        f"Change {each.name}.",
    )
