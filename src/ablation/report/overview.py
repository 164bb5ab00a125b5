"""The best setting of every study, and what a poor one costs, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablation.figures import (
    FAINT,
    INK,
    MUTED,
    NARROW,
    VERDICTS,
    WIDTH,
    figure_of,
    grid,
    name,
    styled,
    wrapped,
)
from ablation.report.numbers import Scale, minus
from ablation.report.standing import working

if TYPE_CHECKING:
    from ablation.figures import Axes
    from ablation.figures import Figure as Drawing

OVERVIEW = ("study", "arm", "effect", "verdict_low", "verdict_high", "verdict")
"""One row per study and arm, in points: the best arm, and the costliest of those that work."""

ABOVE = 0.17
"""Rows from the middle of a study's row to its gain, and to its loss."""


def overview(studies: Sequence[Mapping[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns gains and losses, the study with the largest gain first, and all effects, in points.

    Studies of a metric that has no points, such as a loss, share no scale and are left out, and so
    are effects of arms that keep less than half of the baseline's gain over chance.

    Args:
        studies: ``title``, ``declaration``, ``effects`` and ``standing`` of each.
    """
    rows, every = [], []
    for study in _ordered(studies):
        scale, effects = Scale.of(study["declaration"]), study["effects"]
        works = working(effects, study["declaration"])
        arms = effects[works].drop(index=effects.index[0], errors="ignore")
        every += [(study["title"], scale.factor * each) for each in arms["effect"].dropna()]
        standing = study["standing"]
        for row in (row for row in (standing.gain, standing.loss) if row is not None):
            ends = (scale.factor * row[end] for end in OVERVIEW[2:5])
            rows.append((study["title"], row["arm"], *ends, row["verdict"]))
    extremes = pd.DataFrame(rows, columns=list(OVERVIEW)).dropna(subset=["effect"])
    return extremes, pd.DataFrame(every, columns=["study", "effect"])


def _ordered(studies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the studies that share a scale, the largest gain first, then the largest loss."""

    def sizes(study: Mapping[str, Any]) -> tuple[float, float]:
        standing, factor = study["standing"], Scale.of(study["declaration"]).factor
        gain, loss = (
            0.0 if row is None or pd.isna(row["effect"]) else factor * abs(row["effect"])
            for row in (standing.gain, standing.loss)
        )
        return -gain, -loss

    shared = [study for study in studies if Scale.of(study["declaration"]).unit]
    return sorted(shared, key=sizes)


def draw_overview(
    extremes: pd.DataFrame, effects: pd.DataFrame, unit: str, *, narrow: bool = False
) -> Drawing:
    """Draws a row per study: all its effects as ticks, gain and loss with their intervals.

    Args:
        extremes: The columns :data:`OVERVIEW`.
        effects: One row per study and arm, in the order drawn: study, effect.
        unit: What the effects are in.
        narrow: Whether names are above the rows, and those of the arms with their effects below.
    """
    at = {study: place for place, study in enumerate(dict.fromkeys(effects["study"]))}
    with styled():
        figure = figure_of(NARROW if narrow else WIDTH, 1.1 + (0.85 if narrow else 0.5) * len(at))
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
        axes.scatter(effects["effect"], effects["study"].map(at), marker="|", s=81, linewidth=1,
                     color=MUTED, zorder=2, label="an arm's effect")  # fmt: skip
        for row in extremes.to_dict("records"):
            _draw_extreme(axes, at[row["study"]], row, narrow=narrow)
        axes.set_yticks(range(len(at)), labels=["" if narrow else wrapped(study) for study in at])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(at) - 0.5, -0.75 if narrow else -0.5)
        for study, place in at.items() if narrow else ():
            axes.text(0, place - 0.38, name(study), fontsize=8, va="center",
                      transform=axes.get_yaxis_transform())  # fmt: skip
        axes.set(
            xlabel=unit if narrow else f"difference to the study's baseline, {unit}", ylabel=""
        )
        for verdict, label in (
            ("BETTER", "the best setting"),
            ("WORSE", "the costliest that works"),
        ):
            axes.plot([], [], "D-", color=VERDICTS[verdict], linewidth=3, markersize=5.5,
                      label=label)  # fmt: skip
        grid(axes, "x")
        axes.spines["bottom"].set_color(FAINT)
        figure.legend(loc="outside upper left", ncols=1 if narrow else 3)
    return figure


def _draw_extreme(axes: Axes, place: int, row: Mapping[Any, Any], *, narrow: bool) -> None:
    """Draws one arm with its interval; its name and effect are beside the row, or below it."""
    colour, up = VERDICTS[row["verdict"]], row["verdict"] == "BETTER"
    y = place - ABOVE if up else place + ABOVE
    axes.plot([row["verdict_low"], row["verdict_high"]], [y, y], color=colour, linewidth=3,
              zorder=3, solid_capstyle="butt")  # fmt: skip
    axes.plot(row["effect"], y, "D", color=colour, markersize=5.5, zorder=4)
    said = f"{name(row['arm'])}  {minus(format(row['effect'], '+.1f'))}"
    if narrow:
        axes.text(0 if up else 1, place + 0.36, said, ha="left" if up else "right", va="center",
                  fontsize=7.5, color=colour, transform=axes.get_yaxis_transform())  # fmt: skip
        return
    axes.annotate(said, (1, y), xycoords=axes.get_yaxis_transform(), xytext=(8, 0),
                  textcoords="offset points", va="center", fontsize=8, color=colour,
                  annotation_clip=False)  # fmt: skip
