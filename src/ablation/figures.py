"""Frames to figures. Every number that is drawn stands in a frame; nothing is computed here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED, EFFECT, LINE = "#7f7f7f", "#0b5394", "#444444"


def forest(
    effects: pd.DataFrame, differences: pd.DataFrame, *, metric: str, baseline: str
) -> Figure:
    """Draws the paired differences: a row per arm, a dot per seed, a diamond for the effect.

    Args:
        effects: As the analysis returns it; its order is the figure's, from the top.
        differences: One row per arm and block.
        metric: Named on the axis.
        baseline: Named on the axis; it has no row of its own.
    """
    from matplotlib.figure import Figure

    rows = effects[effects["arm"] != baseline].reset_index(drop=True)
    figure = Figure(figsize=(7.2, 1.1 + 0.36 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = {arm: place for place, arm in enumerate(rows["arm"])}
    axes.axvline(0, color=LINE, linewidth=1)
    axes.scatter(
        differences["difference"], differences["arm"].map(places), s=14, color=SEED, alpha=0.7,
        linewidths=0, label="one seed", zorder=2,
    )  # fmt: skip
    axes.scatter(
        rows["effect"], rows.index, s=52, marker="D", color=EFFECT, label="mean", zorder=3
    )
    labels = [_plain(arm) for arm in rows["arm"]]
    axes.set_yticks(range(len(rows)), labels=labels)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(_plain(f"{metric} on test: difference to {baseline}, same seed"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.25)
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return figure


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
