"""The sources of user-defined code, as they enter the identity of a run; nothing is imported."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from pathlib import Path

from ablation.errors import Refused


def source_of(name: str) -> str | None:
    """Returns the source behind ``package.module:Class``, None for a name without a colon.

    That is the text of the module's file, or of every file of its package, since a class may
    depend on its neighbours. The module is not run.

    Raises:
        Refused: If no such module, written in Python, can be found.
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
            f"No module {top!r} written in Python can be imported, which {name!r} names.",
            "Run where it is importable: beside the study file, in this folder, or installed.",
        )
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@functools.lru_cache
def content_of(path: str, what: str, field: str) -> str:
    """Returns the SHA-256 of a file.

    Args:
        path: The file.
        what: What it holds, for the message.
        field: The configuration's field that names it, likewise.

    Raises:
        Refused: If it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        rule = f"The {what} {path!r} cannot be read: {error.strerror}."
        raise Refused(rule, f"Change {field}.") from error
