"""Seeds across arms: whether a seed is good or bad for all arms alike, so that pairing works."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ablation.analysis.imputed import all_failed
from ablation.figures import (
    INK,
    MUTED,
    NARROW,
    VERDICTS,
    WIDTH,
    Axis,
    draw_lines,
    figure_of,
    grid,
    plain,
    short,
    styled,
)
from ablation.records.declaration import Declaration
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Figure, Text
from ablation.report.numbers import minus

if TYPE_CHECKING:
    from ablation.figures import Figure as Drawing

ROOM = 80
"""Most characters of names side by side under an axis."""

CLOSE = 24
"""Most names that are written at a slant."""

AROUND, HIGH = 60, 11
"""Points of a figure's width beside its panel, and of a name's height."""


def section(basis: Basis) -> Iterator[Block]:
    """Yields the seeds as lines, and what pairing gains; nothing where arms share no seeds."""
    if not basis.declaration.paired:
        return
    arms = order_as_declared(basis.drawn, basis.declaration)
    values = basis.scores.loc[basis.scores["arm"].isin(arms["arm"]), SHOWN]
    draw = partial(
        draw_seeds,
        basis.scale.frame(values, "value"),
        basis.scale.frame(arms[["arm", "mean"]], "mean"),
        basis.axis,
    )
    yield Figure(
        "seeds",
        "Each seed as a line across the arms",
        draw,
        "One line per seed. Where the lines run in parallel, a seed is good or bad for all arms "
        "alike, and comparing within a seed removes that.",
        narrow=partial(draw, width=NARROW),
    )
    gone = basis.effects["arm"].isin(all_failed(basis.effects))
    gains = basis.effects.loc[~gone, "rho"].iloc[1:].dropna()
    if len(gains):
        low, middle, high = (
            minus(f"{gain:.2f}") for gain in (gains.min(), gains.median(), gains.max())
        )
        yield Text(
            "Pairing gain, the share of a difference's variance that sharing seeds removes: "
            f"{low} to {high} over the arms, median {middle}. Below 0, pairing costs precision."
        )


SHOWN = ["arm", "seed", "value", "status"]


def order_as_declared(effects: pd.DataFrame, declaration: Declaration) -> pd.DataFrame:
    """Returns the arms in the order of their levels, with the baseline among them."""
    declared = {arm.name: place for place, arm in enumerate(declaration.arms)}
    return effects.sort_values("arm", key=lambda arms: arms.map(declared), kind="stable")


def stretches(scores: pd.DataFrame, at: Mapping[str, int]) -> pd.DataFrame:
    """Returns the runs with a value along each seed's line, which a failed run breaks.

    Args:
        scores: One row per run: arm, seed, value, status.
        at: Arm to its place on the axis.
    """
    rows = scores.assign(at=scores["arm"].map(at)).sort_values(["seed", "at"])
    breaks = rows["value"].isna().groupby(rows["seed"]).cumsum()
    return rows.assign(stretch=rows.groupby([rows["seed"], breaks]).ngroup()).dropna(
        subset=["value"]
    )


def draw_seeds(
    scores: pd.DataFrame, effects: pd.DataFrame, axis: Axis, *, width: float = WIDTH
) -> Drawing:
    """Draws each seed as a line across the arms: parallel lines say that pairing works.

    Args:
        scores: One row per run of these arms: arm, seed, value, status.
        effects: One row per arm, in the order in which they are drawn.
        axis: How the metric is written.
        width: Inches.
    """
    arms = list(effects["arm"])
    at = {arm: place for place, arm in enumerate(arms)}
    with styled():
        figure = figure_of(width, 3.3)
        axes = figure.subplots()
        lines = stretches(scores, at)
        points = [of.to_numpy(float) for _, of in lines.groupby("stretch")[["at", "value"]]]
        draw_lines(axes, points, colors=MUTED, linewidths=0.7, alpha=0.6, zorder=2)
        axes.plot(lines["at"], lines["value"], "o", color=MUTED, alpha=0.6, zorder=2,
                  markersize=3, markeredgewidth=0)  # fmt: skip
        each = (72 * width - AROUND) / len(arms)  # points of width that an arm has
        axes.plot(range(len(arms)), effects["mean"], "_", color=INK, markersize=min(18, each),
                  markeredgewidth=1.6, zorder=3, label="mean of the arm")  # fmt: skip
        failed = scores[scores["status"] == "FAILED"]
        edge = axes.get_xaxis_transform()
        axes.plot(failed["arm"].map(at), [0.02] * len(failed), "x", color=VERDICTS["WORSE"],
                  transform=edge, markersize=6,
                  label="failed" if len(failed) else None)  # fmt: skip
        axes.set(xlabel="", ylabel=axis.values)
        steep = sum(len(short(arm, 22)) for arm in arms) > ROOM * width / WIDTH
        labels = [plain(short(arm, 22)) for arm in arms]
        close = len(arms) > CLOSE * width / WIDTH
        step = math.ceil(HIGH / each)
        axes.set_xticks(range(0, len(arms), step), labels=labels[::step],
                        rotation=(90 if close else 40) * steep, rotation_mode="anchor",
                        ha="right" if steep else "center",
                        va="center" if close and steep else "top")  # fmt: skip
        axes.set_xlim(-0.4, len(arms) - 0.6)
        grid(axes, "y")
        axes.plot([], [], color=MUTED, linewidth=0.8, marker="o", markersize=3,
                  markeredgewidth=0, label="one seed")  # fmt: skip
        figure.legend(loc="outside upper left", ncols=3)
    return figure
