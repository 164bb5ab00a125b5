"""Arm or seed: what choosing the one and choosing the other move."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ablation.analysis.imputed import all_failed, without_failed
from ablation.analysis.robustness import variance
from ablation.figures import MUTED, NARROW, VERDICTS, WIDTH, Axis, figure_of, grid, plain, styled
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Figure, Text

if TYPE_CHECKING:
    from ablation.figures import Figure as Drawing


def find(basis: Basis) -> pd.DataFrame:
    """Returns one row each for arm and seed: its deviation, and the seeds that all arms share."""
    return variance(basis.outcomes, basis.shared_seeds, all_failed(basis.effects))


def section(basis: Basis) -> Iterator[Block]:
    """Yields both deviations in a sentence and as bars."""
    sources, scale = find(basis), basis.scale
    if sources.empty:
        return
    moved = dict(zip(sources["source"], sources["deviation"], strict=True))
    unit = f" {scale.unit}" if scale.unit else ""
    yield Text(
        f"Choosing the seed moves {scale.metric.title} by "
        f"{scale.value(moved['seed']).text}{unit}, choosing the arm by "
        f"{scale.value(moved['arm']).text}{unit} (standard deviations, "
        f"{sources['n'].iloc[0]} seeds that all arms share{without_failed(basis.effects)})."
    )
    draw = partial(draw_variance, scale.frame(sources, "deviation"), basis.axis)
    yield Figure(
        "variance",
        "Standard deviation over arms and over seeds",
        draw,
        narrow=partial(draw, width=NARROW),
    )


def draw_variance(sources: pd.DataFrame, axis: Axis, *, width: float = WIDTH) -> Drawing:
    """Draws what choosing the arm and choosing the seed move.

    Args:
        sources: One row per source: its deviation.
        axis: How the metric is written.
        width: Inches.
    """
    with styled():
        figure = figure_of(width, 1.35)
        axes = figure.subplots()
        rows = sources.assign(source=[f"choosing the {source}" for source in sources["source"]])
        axes.barh(rows["source"], rows["deviation"], 0.55, color=[VERDICTS["BETTER"], MUTED])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        for place, value in enumerate(sources["deviation"]):
            axes.annotate(f"{value:.{axis.digits}f}", (value, place), xytext=(5, 0),
                          textcoords="offset points", va="center", fontsize=8.5)  # fmt: skip
        axes.margins(x=0.12)
        unit = f", {axis.unit}" if axis.unit else ""
        label = f"standard deviation{unit}"
        label = label if width < WIDTH else f"moves {axis.metric} by ({label})"
        axes.set(xlabel=plain(label), ylabel="")
        axes.tick_params(axis="y", length=0)
        grid(axes, "x")
    return figure
