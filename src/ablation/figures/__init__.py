"""Frames to figures. Every number that is drawn stands in a frame; nothing is computed here."""

from ablation.figures.across import across_seeds, decisions, variance
from ablation.figures.curves import Panel, curves
from ablation.figures.forest import forest
from ablation.figures.overview import overview
from ablation.figures.response import interactions, response
from ablation.figures.style import COLOURS, Axis, png, short, svg

__all__ = [
    "COLOURS",
    "Axis",
    "Panel",
    "across_seeds",
    "curves",
    "decisions",
    "forest",
    "interactions",
    "overview",
    "png",
    "response",
    "short",
    "svg",
    "variance",
]
