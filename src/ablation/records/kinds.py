"""Checks values against the annotations of a dataclass, field by field."""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from typing import Any

from ablation.errors import Refused, nearest

NAMES = {
    str: "a text", int: "a whole number", float: "a number", bool: "True or False",
    type(None): "None",
}  # fmt: skip
SHOWN = 80
"""Characters of a value that a message shows."""


def check_kinds(record: Any, what: str) -> None:
    """Checks that every field of a dataclass holds a value of its annotated type.

    A text is no sequence, True is no number, and what can be read only once, such as a generator,
    is refused.

    Args:
        record: The dataclass.
        what: A noun for it, for the message.

    Raises:
        Refused: If a field holds a value of another type.
    """
    hints = typing.get_type_hints(type(record))
    for field in dataclasses.fields(record):
        if not field.init:
            continue
        value, hint = getattr(record, field.name), hints[field.name]
        if not fits(value, hint):
            raise Refused(
                f"{field.name} of {what} must be {described(hint)}; got {shown(value)}."
                f"{_meant(value, hint)}",
                f"Give a list: {field.name}.tolist()."
                if hasattr(value, "tolist")
                else f"Change {field.name}.",
            )


def fits(value: Any, hint: Any) -> bool:
    """Returns whether a value is of an annotated type.

    >>> fits([1, 2], collections.abc.Sequence[int]), fits("12", collections.abc.Sequence[str])
    (True, False)
    >>> fits(True, int), fits(1, float), fits("half", float | typing.Literal["half"] | None)
    (False, True, True)
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in {typing.Union, types.UnionType}:
        return any(fits(value, each) for each in inner)
    if origin is typing.Literal:
        return any(type(value) is type(each) and value == each for each in inner)
    if hint in {int, float}:
        kinds = (int, float) if hint is float else (int,)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return _fits_container(value, hint, origin, inner)


def _fits_container(value: Any, hint: Any, origin: Any, inner: tuple[Any, ...]) -> bool:
    if not isinstance(value, origin or hint):
        return False
    if origin is collections.abc.Mapping:
        key, item = inner
        return all(fits(name, key) and fits(each, item) for name, each in value.items())
    if origin in {collections.abc.Sequence, tuple}:
        return not isinstance(value, str | bytes) and all(fits(each, inner[0]) for each in value)
    return True


def described(hint: Any) -> str:
    """Returns a phrase for an annotated type.

    >>> described(float | typing.Literal["chance"] | None)
    "a number, 'chance' or None"
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        *most, last = (described(each) for each in inner)
        return f"{', '.join(most)} or {last}"
    if origin is typing.Literal:
        return " or ".join(repr(each) for each in inner)
    if origin is collections.abc.Mapping:
        return "a mapping" if inner[1] is Any else f"a mapping to {described(inner[1])}"
    if origin in {collections.abc.Sequence, tuple}:
        of = "" if inner[0] is Any else f", each item {described(inner[0])}"
        return f"a list or tuple{of}"
    if origin is collections.abc.Callable:
        return "a function"
    name = getattr(hint, "__name__", str(hint))
    return NAMES.get(hint, f"{'an' if name[0] in 'AEIOU' else 'a'} {name}")


def _meant(value: Any, hint: Any) -> str:
    """Returns a guess at the name that was meant, where the type allows names."""
    names = {each for each in _literals(hint) if isinstance(each, str)}
    given = value if isinstance(value, tuple | list) else [value]
    wrong = (each for each in given if isinstance(each, str) and each not in names)
    return next((nearest(each[:SHOWN], sorted(names)) for each in wrong), "")


def _literals(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    return tuple(name for inner in typing.get_args(hint) for name in _literals(inner))


def shown(value: Any) -> str:
    """Returns a value's repr, cut to a length that a message has room for."""
    try:
        text = repr(value)
    except Exception as error:  # a user's class may have any __repr__
        text = f"a {type(value).__name__} whose repr raises {type(error).__name__}"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
