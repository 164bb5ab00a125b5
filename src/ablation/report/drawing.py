"""The figures of a page: drawn side by side where there are workers, and kept in its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ablation import figures
from ablation.report import parts  # noqa: F401 - so that a process that has loaded this can draw
from ablation.report.blocks import Page
from ablation.report.render import svg

NARROW = "-narrow"
"""Ending of the name of a figure for a telephone."""

PRINTED = frozenset({"differences"})
"""Figures that are kept as PDF, too. Making one takes longer than its PNG, most of it for fonts:
6 to 12 % of a report for this one; a report would take half as long again with all of them."""

Saved = tuple[str, Mapping[str, bytes]]
"""A figure as SVG, and by ending as the files beside it; a narrow one has none."""


def begin_drawing(
    page: Page, mapping: Callable[..., Iterable[Saved]] = map
) -> Iterable[tuple[str, Saved]]:
    """Returns name and figure of all that a page shows; an executor's mapping begins at once."""
    wanted = _drawings(page)
    return zip(wanted, mapping(draw_and_save, wanted, wanted.values()), strict=True)


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


def _drawings(page: Page) -> dict[str, partial[Any]]:
    """Returns name to drawing, the one with the most rows first, which takes the longest."""
    wanted = {figure.name: figure.draw for figure in page.figures}
    wanted |= {figure.name + NARROW: figure.narrow for figure in page.figures if figure.narrow}
    return dict(sorted(wanted.items(), key=lambda item: -_rows(item[1])))


def _rows(draw: partial[Any]) -> int:
    return sum(len(frame) for frame in draw.args if isinstance(frame, pd.DataFrame))
