"""Shows the docstrings under the fields of a class in its ``help``."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from textwrap import dedent
from typing import TypeVar

Class = TypeVar("Class", bound=type)


def explained(cls: Class) -> Class:
    """Returns a class with slots whose ``help`` says what each field means.

    Args:
        cls: A class with ``__slots__`` and a docstring under each field.
    """
    # Python takes the documentation of a slot from a mapping. The layout is made already.
    cls.__slots__ = _Meanings(cls)  # type: ignore[attr-defined]  # read by help() alone
    return cls


class _Meanings(dict[str, str]):
    """Maps the slots of a class to their docstrings, read from its source when one is asked for.

    Reading takes some milliseconds, which starting the command line need not wait for.
    """

    def __init__(self, cls: type) -> None:
        super().__init__(dict.fromkeys(cls.__dict__["__slots__"], ""))
        self.cls = cls

    def __getitem__(self, name: str) -> str:
        return _meanings(self.cls).get(name, "")


@cache
def _meanings(cls: type) -> dict[str, str]:
    """Returns field to docstring; nothing where the source is not there."""
    try:
        (tree,) = ast.parse(dedent(inspect.getsource(cls))).body
    except OSError:
        return {}
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(text.value.value, str)
    }
