"""Frames to figures. Every number that is drawn stands in a frame; nothing is computed here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLACES = {"BETTER": 0, "WORSE": 3, "EQUIVALENT": 2, "INCONCLUSIVE": 10}
"""A verdict's place in seaborn's colour-blind palette, a dark grey added as its last; the word
always stands beside the colour."""

SEED, LINE, BAND = "#707070", "#444444", "#e8e8e8"
BELOW = 0.27
"""Rows by which a seed's dot lies below its arm's bar, which would hide it."""


def forest(
    effects: pd.DataFrame, differences: pd.DataFrame, declaration: Mapping[str, Any]
) -> Figure:
    """Draws the paired differences, a row per arm, with margin, intervals and verdict.

    Args:
        effects: One row per arm, the baseline first; it has no row of its own.
        differences: One row per arm and seed.
        declaration: What the study fixed: metric, baseline, margin.
    """
    import seaborn
    from matplotlib.figure import Figure

    palette = [*seaborn.color_palette("colorblind"), LINE]
    rows = effects.iloc[1:].reset_index(drop=True)
    figure = Figure(figsize=(10, 1.5 + 0.36 * len(rows)), layout="constrained")
    axes = figure.subplots()
    if declaration["margin"] is not None:
        margin = float(declaration["margin"])
        label = f"margin {declaration['margin']}"
        axes.axvspan(-margin, margin, color=BAND, linewidth=0, zorder=0, label=label)
    axes.axvline(0, color=LINE, linewidth=1, zorder=1)
    places = {arm: place for place, arm in enumerate(rows["arm"])}
    below = differences["arm"].map(places).astype(float) + BELOW
    axes.scatter(
        differences["difference"],
        below,
        s=11,
        color=SEED,
        linewidths=0,
        label="one seed",
        zorder=2,
    )
    for place, row in enumerate(rows.to_dict("records")):
        colour = palette[PLACES[row["verdict"]]]
        _draw_arm(axes, place, row, colour)
        _write_arm(axes, place, row, colour)
    axes.set_yticks(range(len(rows)), labels=[_plain(arm) for arm in rows["arm"]])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    baseline, metric = declaration["baseline"], declaration["metric"]
    axes.set_xlabel(_plain(f"{metric} on test: difference to {baseline}, same seed"))
    seaborn.despine(ax=axes)
    axes.grid(axis="x", alpha=0.25)
    axes.plot([], [], color=LINE, linewidth=3.2, label="95 %, pointwise")
    axes.plot([], [], color=LINE, linewidth=1, label="agrees with Holm")
    axes.plot([], [], "D", color=LINE, markersize=6, label="effect")
    figure.legend(loc="outside upper left", ncols=5, frameon=False, fontsize=8)
    return figure


def _draw_arm(axes: Axes, place: int, row: Mapping[Any, Any], colour: Any) -> None:
    """Draws one arm's intervals and effect, and its failures at the edge."""
    for low, high, width in (("low", "high", 3.2), ("adjusted_low", "adjusted_high", 1.0)):
        axes.plot([row[low], row[high]], [place, place], color=colour, linewidth=width, zorder=3)
    axes.plot(row["effect"], place, "D", color=colour, markersize=6, zorder=4)
    if row["failed"]:
        edge = axes.get_yaxis_transform()
        axes.plot(0.01, place, "x", transform=edge, color=colour, markersize=6, clip_on=False)


def _write_arm(axes: Axes, place: int, row: Mapping[Any, Any], colour: Any) -> None:
    """Writes one arm's verdict, effect, p value, seeds and failures beside its row."""
    p = row["p_equivalence" if row["verdict"] == "EQUIVALENT" else "p_difference"]
    words = (
        row["verdict"],
        "" if math.isnan(row["effect"]) else f"{row['effect']:+.4f}",
        "" if math.isnan(p) else f"p {p:.2g}",
        f"n {row['n']}",
        f"failed {row['failed']}" if row["failed"] else "",
    )
    edge = axes.get_yaxis_transform()
    for points, word in zip((10, 88, 134, 184, 214), words, strict=True):
        axes.annotate(
            word, (1, place), xycoords=edge, xytext=(points, 0), textcoords="offset points",
            va="center", fontsize=8, color=colour, annotation_clip=False,
        )  # fmt: skip


def save(figure: Figure, folder: Path, name: str) -> None:
    """Writes ``name.svg`` and ``name.png``; equal figures give equal bytes."""
    import matplotlib as mpl

    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
        figure.savefig(folder / f"{name}.png", dpi=160, metadata={"Software": None})


def _plain(text: str) -> str:
    """Keeps matplotlib from reading a name as mathematics."""
    return text.replace("$", r"\$")
