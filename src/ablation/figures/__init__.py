"""Shared by the figures of a report: style, curves over epochs, and the plotting libraries."""

from typing import TYPE_CHECKING

from ablation.figures.curves import Panel, draw_curves
from ablation.figures.style import (
    BAND,
    COLOURS,
    FAINT,
    INK,
    LEVELS,
    MUTED,
    NARROW,
    VERDICTS,
    WIDTH,
    Axis,
    beside,
    draw_lines,
    figure_of,
    gradient,
    grid,
    name,
    pdf,
    plain,
    png,
    short,
    styled,
    svg,
    without_glyph_warnings,
    wrapped,
)
from ablation.records.colours import ARMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ARMS",
    "BAND",
    "COLOURS",
    "FAINT",
    "INK",
    "LEVELS",
    "MUTED",
    "NARROW",
    "VERDICTS",
    "WIDTH",
    "Axes",
    "Axis",
    "Figure",
    "Panel",
    "beside",
    "draw_curves",
    "draw_lines",
    "figure_of",
    "gradient",
    "grid",
    "name",
    "pdf",
    "plain",
    "png",
    "short",
    "styled",
    "svg",
    "without_glyph_warnings",
    "wrapped",
]
