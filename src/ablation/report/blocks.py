"""The blocks of a report, before they are HTML, Markdown or LaTeX: every text is plain."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table."""

    text: str
    sort: float | None = None
    """Number to sort by; None sorts by the text."""
    href: str = ""
    """Target of the cell's link; empty for none."""
    word: str = ""
    """A verdict whose colour the cell takes; the word itself is in the text."""
    shade: float = 0.0
    """How strongly the cell is shaded, from -1 (less) to 1 (more); 0 for not at all."""


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table; a row has a cell per column."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numeric: frozenset[int] = frozenset()
    """Places of the columns that are set flush right."""
    caption: str = ""
    is_matrix: bool = False
    """Set small, in a box of its own height: cells to look up, not to read."""

    def only(self, names: Iterable[str], caption: str) -> Table:
        """Returns the columns of some names, in the order of these, those that it has."""
        places = [list(self.columns).index(name) for name in names if name in self.columns]
        return Table(
            [self.columns[place] for place in places],
            [[row[place] for place in places] for row in self.rows],
            frozenset(new for new, place in enumerate(places) if place in self.numeric),
            caption,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """A figure by its name in ``figures/``."""

    name: str
    alt: str
    """Describes it to those who do not see it."""
    draw: partial[Any]
    """Returns it drawn. Holds only the frames that are drawn, because it is sent to workers."""
    caption: str = ""
    narrow: partial[Any] | None = None
    """Returns it drawn for a telephone, where that differs."""
    has_two_orders: bool = False
    """Whether a page can put its rows in the declared order: they are grouped, see ``svg``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """A command to type."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class HeatRow:
    """One shading of a text's words."""

    name: str
    note: str
    shades: Sequence[float]
    """A number in [0, 1] for each word."""
    tips: Sequence[str]
    """Text shown when the pointer is on a word, for each word."""


@dataclasses.dataclass(frozen=True, slots=True)
class Heat:
    """The words of a text, shaded once for every row."""

    label: str
    words: Sequence[str]
    rows: Sequence[HeatRow]


Block = Table | Figure | Text | Bullets | Command | Heat


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """A part of a report with a heading; the first one of a page has none."""

    heading: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The target of links inside the page."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.heading.lower()).split())


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page."""

    title: str
    question: str
    answer: tuple[str, ...]
    """The answer, sentence by sentence."""
    facts: Sequence[tuple[str, str]]
    """Name and value of everything that was fixed."""
    warnings: Sequence[str]
    """Sentences to read before believing the answer."""
    sections: Sequence[Section]

    @property
    def figures(self) -> Iterator[Figure]:
        """The figures of all sections."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Figure))


def verdict_cell(verdict: str) -> Cell:
    """Returns a verdict as a cell; the baseline has none."""
    return Cell(verdict or "baseline", word=verdict)


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell | str]], *, numeric: str = "",
          caption: str = "", is_matrix: bool = False) -> Table:  # fmt: skip
    """Returns a table.

    Args:
        columns: Headings.
        rows: Cells; a string is a cell of nothing but its text.
        numeric: A letter per column, ``r`` where it is set flush right; a last letter of ``*``
            applies to all columns that follow.
        caption: The text under it.
        is_matrix: As in :class:`Table`.
    """
    letters = numeric
    if letters.endswith("*"):
        letters = letters[:-1] + letters[-2] * (len(columns) - len(letters) + 1)
    return Table(
        columns,
        [[Cell(each) if isinstance(each, str) else each for each in row] for row in rows],
        frozenset(place for place, letter in enumerate(letters) if letter == "r"),
        caption,
        is_matrix,
    )
