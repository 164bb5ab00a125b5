"""In words: a sentence on each arm."""

from __future__ import annotations

from collections.abc import Iterator

from ablation.analysis.words import sentences
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Bullets

MOST_SENTENCES = 40
"""Arms up to which each is put in words; the table says the same."""


def section(basis: Basis) -> Iterator[Block]:
    """Yields the sentences, unless there are too many to be read."""
    lines = sentences(basis.shown, basis.declaration)
    if len(lines) <= MOST_SENTENCES:
        yield Bullets(lines)
