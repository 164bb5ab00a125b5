"""Writes lists as sentences have them."""

from __future__ import annotations

from collections.abc import Sequence


def joined(words: Sequence[str], conjunction: str = "and") -> str:
    """Returns words with commas, and a conjunction before the last one.

    >>> joined(["a"]), joined(["a", "b", "c"]), joined(["a", "b"], "or")
    ('a', 'a, b and c', 'a or b')
    """
    *head, last = words
    return f"{', '.join(head)} {conjunction} {last}" if head else last
