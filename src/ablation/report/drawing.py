"""The figures of a page: drawn side by side where there are workers, and kept in its folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
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

Saved = tuple[str, bytes]
"""A figure as SVG and as PNG; a narrow one has no PNG, which only files need."""


def begin_drawing(
    page: Page, mapping: Callable[..., Iterable[Saved]] = map
) -> Iterable[tuple[str, Saved]]:
    """Returns name and figure of all that a page shows; an executor's mapping begins at once."""
    wanted = _drawings(page)
    return zip(wanted, mapping(draw_and_save, wanted, wanted.values()), strict=True)


def draw_and_save(name: str, draw: partial[Any]) -> Saved:
    """Draws a figure; this is what an executor is given."""
    with warnings.catch_warnings():
        # A browser has a font for it; a PNG shows a box where no installed font has the sign.
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from")
        figure = draw()
        text = figures.svg(figure, name)
        return text, b"" if name.endswith(NARROW) else figures.png(figure)


def keep(drawn: Iterable[tuple[str, Saved]], folder: Path) -> dict[str, str]:
    """Writes figures into ``figures/`` of a folder; returns name to SVG for inside a page."""
    inlined = {}
    for name, (text, pixels) in drawn:
        inlined[name] = svg.inline(text, name)
        if pixels:
            (folder / "figures").mkdir(parents=True, exist_ok=True)
            (folder / f"figures/{name}.svg").write_text(svg.standalone(text), encoding="utf-8")
            (folder / f"figures/{name}.png").write_bytes(pixels)
    return inlined


def _drawings(page: Page) -> dict[str, partial[Any]]:
    """Returns name to drawing, the one with the most rows first, which takes the longest."""
    wanted = {figure.name: figure.draw for figure in page.figures}
    wanted |= {figure.name + NARROW: figure.narrow for figure in page.figures if figure.narrow}
    return dict(sorted(wanted.items(), key=lambda item: -_rows(item[1])))


def _rows(draw: partial[Any]) -> int:
    return sum(len(frame) for frame in draw.args if isinstance(frame, pd.DataFrame))
