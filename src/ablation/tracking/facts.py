"""Facts that a task states of its data and its arms, kept with the parent run."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ablation.tracking.home import Home
from ablation.tracking.tags import in_parts, long_in, set_long, set_tags

ABOUT = "ablation.about"
"""Tag of the parent run, in parts: what the task says of the data, JSON."""
COMMONEST = "ablation.commonest"
"""Tag of the parent run: a bit per test example, whether it is of the commonest class; base64."""
NUMERICS = "ablation.numerics"
"""Tag of the parent run: the task's own table, if the study asks for it."""


def keep_about(home: Home, about: Mapping[str, Any]) -> None:
    """Keeps with the parent run what its task says of the data, in JSON's types."""
    text = json.dumps(about, ensure_ascii=False, sort_keys=True)
    if about_of(home) != json.loads(text):
        set_long(home, ABOUT, text)


def about_of(home: Home) -> dict[str, Any]:
    """Returns what :func:`keep_about` kept; nothing where an earlier version made the record."""
    found: dict[str, Any] = json.loads(long_in(home.tags(), ABOUT) or "{}")
    return found


def keep_commonest(home: Home, bits: bytes) -> None:
    """Keeps with the parent run what always naming the commonest class of test gets right."""
    if commonest(home) != bits:
        set_long(home, COMMONEST, base64.b64encode(bits).decode())


def commonest(home: Home) -> bytes:
    """Returns a packed bit per test example, nothing where an earlier version made the record."""
    return base64.b64decode(long_in(home.tags(), COMMONEST))


def keep_numerics(home: Home, rows: Sequence[Mapping[str, Any]], *, of: str) -> None:
    """Stores the numerics table by columns in tags of the parent run.

    Args:
        home: The study label.
        rows: The rows of the table; none if the study does not ask for it.
        of: Digest of the table's inputs; empty if the study does not ask for it.
    """
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    set_tags(home, in_parts(NUMERICS, json.dumps(columns)) | {f"{NUMERICS}.of": of})


def numerics_of(home: Home) -> str:
    """Returns what the numerics table was computed of; empty if there is no table."""
    return numerics_in(home.tags())


def numerics_in(tags: Mapping[str, str]) -> str:
    """Returns what the numerics table in a parent run's tags was computed of, or nothing."""
    return tags.get(f"{NUMERICS}.of", "")


def numerics(home: Home) -> dict[str, list[Any]] | None:
    """Returns the columns of the numerics table, or None if there is no table."""
    tags = home.tags()
    return json.loads(long_in(tags, NUMERICS)) if tags.get(f"{NUMERICS}.of") else None
