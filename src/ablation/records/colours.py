"""Colours of arms, the same in figures and in MLflow's charts."""

from __future__ import annotations

import colorsys

ARMS = ("#0173b3", "#de8f05", "#029e73", "#cc78bc", "#ca9161", "#8c6bb1", "#b8a800", "#56b4e9")
"""For arms side by side: seaborn's colour-blind palette without its reds and greys."""

GOLDEN = 0.618034
"""Share of the colour circle between two neighbours, so that no two of many colours are close."""


def colour_of(place: int) -> str:
    """Returns the colour of an arm by its place among the declared arms, as ``#rrggbb``.

    >>> colour_of(0), colour_of(8) == colour_of(9)
    ('#0173b3', False)
    """
    if place < len(ARMS):
        return ARMS[place]
    red, green, blue = colorsys.hls_to_rgb(place * GOLDEN % 1, 0.45, 0.6)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
