"""A page as Markdown, for a code host."""

from __future__ import annotations

import html
import re

from ablation.report.blocks import (
    Block,
    Bullets,
    Cell,
    Command,
    Figure,
    Heat,
    HeatRow,
    Page,
    Section,
    Table,
    Text,
)

LINKED = 1000
"""Cells of a table up to which their links are kept; beyond, no code host renders the file."""


HEAVIEST = 3
"""Words of a text that are named for each row of weights."""


def render(page: Page) -> str:
    """Returns the page as Markdown."""
    parts = [
        f"# {escape(page.title)}",
        escape(page.question),
        "**" + escape(" ".join(page.answer)) + "**",
    ]
    parts += [f"> **{escape(each)}**" for each in page.warnings]
    parts.append(" · ".join(f"{escape(name)}: {escape(value)}" for name, value in page.facts))
    for section in page.sections:
        parts += _section(section)
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: object) -> str:
    """Escapes text so that Markdown, and HTML inside it, shows it as it is."""
    return " ".join(_signs(str(text)).split())


def _signs(text: str) -> str:
    return re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", html.escape(text, quote=False))


def table(block: Table) -> str:
    """Returns a table; its rows have a line each."""
    few = len(block.rows) * len(block.columns) <= LINKED
    sides = ["--:" if i in block.numeric else ":--" for i in range(len(block.columns))]
    lines = [_row([escape(name) for name in block.columns]), _row(sides)]
    lines += [_row([_cell(cell, linked=few) for cell in row]) for row in block.rows]
    caption = f"\n\n{escape(block.caption)}" if block.caption else ""
    return "\n".join(lines) + caption


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell, *, linked: bool) -> str:
    text = escape(cell.text)
    return f"[{text}]({cell.href})" if cell.href and linked and text else text


def _section(section: Section) -> list[str]:
    heading = [f"## {escape(section.heading)}"] if section.heading else []
    return heading + [_block(block) for block in section.blocks]


def _block(block: Block) -> str:
    match block:
        case Text(text):
            # Backticks mark code, as on the page.
            parts = enumerate(re.split(r"`", text))
            said = (f"`{part}`" if place % 2 else _signs(part) for place, part in parts)
            return " ".join("".join(said).split())
        case Bullets(items):
            return "\n".join(f"- {escape(item)}" for item in items)
        case Command(text):
            return f"```\n{text}\n```"
        case Figure(name=name, alt=alt, caption=caption):
            image = f"![{escape(alt)}](figures/{name}.svg)"
            return f"{image}\n\n{escape(caption)}" if caption else image
        case Heat(label=label, rows=rows):
            lines = [f"- {escape(row.name)} ({row.note}): {_heaviest(block, row)}" for row in rows]
            return f"{escape(label)}: {escape(' '.join(block.words))}\n\n" + "\n".join(lines)
        case Table():
            return table(block)


def _heaviest(text: Heat, row: HeatRow) -> str:
    """Returns the words of a text that a row shades most, with what is said of them."""
    order = sorted(range(len(text.words)), key=lambda place: -row.shades[place])[:HEAVIEST]
    return ", ".join(f"{escape(text.words[place])} {row.tips[place]}" for place in order)
