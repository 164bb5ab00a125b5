"""Which factor matters most: the effects of all studies on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablation.figures import (
    FAINT,
    INK,
    MUTED,
    VERDICTS,
    WIDTH,
    figure_of,
    grid,
    name,
    plain,
    styled,
)
from ablation.report.numbers import Scale

if TYPE_CHECKING:
    from ablation.figures import Figure as Drawing

OVERVIEW = ("study", "arm", "effect", "verdict_low", "verdict_high", "verdict")
"""One row per study: the arm with the largest effect, in points; decided ones come first."""

DECIDED = ("BETTER", "WORSE")


def select_strongest(arms: pd.DataFrame) -> Mapping[Any, Any]:
    """Returns the arm with the largest effect, among the decided ones where there are any."""
    rows = arms.to_dict("records")
    decided = [row for row in rows if row["verdict"] in DECIDED]
    return max(decided or rows, key=lambda row: abs(row["effect"]))


def overview(studies: Sequence[Mapping[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the strongest arm of each study, strongest first, and all effects, in points.

    Studies of a metric that has no points, such as a loss, share no scale and are left out.
    """
    rows, every = [], []
    for study in studies:
        scale = Scale.of(study["declaration"])
        arms = study["effects"].iloc[1:].dropna(subset=["effect"])
        if not scale.unit or arms.empty:
            continue
        every += [(study["title"], scale.factor * effect) for effect in arms["effect"]]
        row = select_strongest(arms)
        ends = (scale.factor * row[end] for end in ("effect", "verdict_low", "verdict_high"))
        rows.append((study["title"], row["arm"], *ends, row["verdict"]))
    strongest = pd.DataFrame(rows, columns=list(OVERVIEW))
    size = strongest["effect"].abs()
    undecided = ~strongest["verdict"].isin(DECIDED)
    order = strongest.assign(size=-size, undecided=undecided).sort_values(
        ["undecided", "size"], kind="stable"
    )
    return strongest.loc[order.index].reset_index(drop=True), pd.DataFrame(
        every, columns=["study", "effect"]
    )


def draw_overview(strongest: pd.DataFrame, effects: pd.DataFrame, unit: str) -> Drawing:
    """Draws a row per study: all its effects as ticks, the strongest with its interval.

    Args:
        strongest: One row per study, in the order drawn: the columns :data:`OVERVIEW`.
        effects: One row per study and arm: study, effect.
        unit: What the effects are in.
    """
    from ablation.figures.library import seaborn

    with styled():
        figure = figure_of(WIDTH, 1.1 + 0.42 * len(strongest))
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
        at = {study: place for place, study in enumerate(strongest["study"])}
        seaborn.scatterplot(
            x=effects["effect"], y=effects["study"].map(at), marker="|", s=81, linewidth=1,
            color=MUTED, zorder=2, label="an arm's effect", legend=False, ax=axes,
        )  # fmt: skip
        seaborn.scatterplot(
            strongest, x="effect", y=strongest.index, hue="verdict", palette=VERDICTS,
            marker="D", s=42, linewidth=0, zorder=4, legend=False, ax=axes,
        )  # fmt: skip
        edge = axes.get_yaxis_transform()
        for place, row in enumerate(strongest.to_dict("records")):
            colour = VERDICTS[row["verdict"]]
            ends = [row["verdict_low"], row["verdict_high"]]
            axes.plot(ends, [place, place], color=colour, linewidth=3, zorder=3,
                      solid_capstyle="butt")  # fmt: skip
            axes.annotate(f"{name(row['arm'])}  {row['verdict']}", (1, place), xycoords=edge,
                          xytext=(8, 0), textcoords="offset points", va="center", fontsize=8,
                          color=colour, annotation_clip=False)  # fmt: skip
        axes.set_yticks(range(len(strongest)), labels=[name(study) for study in at])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(strongest) - 0.5, -0.5)
        axes.set(xlabel=plain(f"difference to the study's baseline, {unit}"), ylabel="")
        axes.plot([], [], "D-", color=INK, linewidth=3, markersize=5.5, label="strongest")
        grid(axes, "x")
        axes.spines["bottom"].set_color(FAINT)
        figure.legend(loc="outside upper left", ncols=2)
    return figure
