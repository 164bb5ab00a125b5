"""Reads the sources of user-defined code for the identity of a run, without importing them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from pathlib import Path

from ablation.errors import Refused


def source_of(name: str) -> str | None:
    """Returns the source of ``package.module:Class``, or None for a name without a colon.

    The source is the text of the module's file or, in a package, of all of the package's files,
    because a class may use other modules of its package. The module is not run.

    Raises:
        Refused: If no such module, written in Python, can be found.

    >>> source_of("attention") is None
    True
    >>> "class Fraction" in source_of("fractions:Fraction")
    True
    """
    module, colon, _ = name.partition(":")
    if not colon:
        return None
    top, _, _ = module.partition(".")
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        found = None
    folders = [] if found is None else list(found.submodule_search_locations or [])
    origin = None if found is None or folders else found.origin
    files = [Path(origin)] if origin and origin.endswith(".py") else []
    files += sorted(file for folder in folders for file in Path(folder).rglob("*.py"))
    if not files:
        raise Refused(
            f"{name!r} names the module {top!r}, which cannot be found as Python source.",
            "Put it beside the study file or in this folder, or install it.",
        )
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@functools.lru_cache
def content_of(path: str, what: str, field: str) -> str:
    """Returns the SHA-256 of a file.

    Args:
        path: The file.
        what: A noun for its content, for the message.
        field: The configuration's field that names it, for the message.

    Raises:
        Refused: If the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        rule = f"The {what} {path!r} cannot be read: {error.strerror}."
        raise Refused(rule, f"Change {field}.") from error
