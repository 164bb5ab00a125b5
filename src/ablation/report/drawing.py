"""The figures of a page: drawn side by side where there are workers, and kept in its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ablation import figures
from ablation.report import parts  # noqa: F401 - so that a process that has loaded this can draw
from ablation.report.blocks import NARROW, Figure
from ablation.report.render import svg

PRINTED = frozenset({"differences"})
"""Figures that are kept as PDF, too. Making one takes longer than its PNG, most of it for fonts:
6 to 12 % of a report for this one; a report would take half as long again with all of them."""

Saved = tuple[str, Mapping[str, bytes]]
"""A figure as SVG, and by ending as the files beside it; a narrow one has none."""


def begin_drawing(
    wanted: Sequence[Figure], mapping: Callable[..., Iterable[Saved]] = map
) -> Iterable[tuple[str, Saved]]:
    """Returns name and figure of all forms of some figures; an executor's mapping begins at once.

    Args:
        wanted: The figures.
        mapping: Draws them: ``map``, or that of an executor.
    """
    forms = {name: draw for figure in wanted for name, draw in figure.forms.items()}
    return zip(forms, mapping(draw_and_save, forms, forms.values()), strict=True)


def draw_and_save(name: str, draw: partial[Any]) -> Saved:
    """Draws a figure; this is what an executor is given."""
    with figures.without_glyph_warnings():
        figure = draw()
        text = figures.svg(figure, name)
        if name.endswith(NARROW):
            return text, {}
        files = {"png": figures.png(figure)}
        return text, files | ({"pdf": figures.pdf(figure)} if name in PRINTED else {})


def keep(drawn: Iterable[tuple[str, Saved]], folder: Path) -> dict[str, str]:
    """Writes figures into ``figures/`` of a folder; returns name to SVG for inside a page."""
    inlined = {}
    for name, (text, files) in drawn:
        inlined[name] = svg.inline(text, name)
        if files:
            (folder / "figures").mkdir(parents=True, exist_ok=True)
            (folder / f"figures/{name}.svg").write_text(svg.standalone(text), encoding="utf-8")
        for ending, content in files.items():
            (folder / f"figures/{name}.{ending}").write_bytes(content)
    return inlined
