"""Writes lists as sentences have them."""

from __future__ import annotations

from collections.abc import Sequence


def joined(words: Sequence[str]) -> str:
    """Returns words with commas, and "and" before the last one.

    >>> joined(["a"]), joined(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
