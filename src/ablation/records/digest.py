"""Hashes that identify a value by its content."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(*parts: Any) -> str:
    """Returns 12 hex digits that identify the parts; the order of a mapping's keys is ignored.

    >>> digest({"a": 1, "b": 0.1}) == digest({"b": 0.1, "a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
