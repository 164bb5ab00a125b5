"""Tuning and search: budgets, what was found, and what it does to the verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablation import stats
from ablation.analysis.words import short
from ablation.figures import (
    ARMS,
    FAINT,
    NARROW,
    WIDTH,
    Axis,
    figure_of,
    grid,
    name,
    plain,
    styled,
)
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, Text, table
from ablation.report.numbers import Scale, count, significant
from ablation.report.parts.curves import note_on_grey
from ablation.report.parts.landscape import joint_blocks
from ablation.report.searches import values_of

if TYPE_CHECKING:
    from ablation.figures import Figure as Drawing

CONDITIONAL = (
    "Verdicts are conditional on the tuned hyperparameters: another tuning may find others."
)
REPEATED = "The tuning was repeated in every block, so verdicts are about tuning luck, too."
PROGRESS = ("arm", "number", "mean", "low", "high", "n")
"""One row per arm and trial: best value so far, with a t interval over blocks where there are."""

_BAND = "; a band is a pointwise 95 % t interval over blocks"

LINE = 0.16
"""Inches of a line of the legend."""

BUDGET = ("trials", "pruned", "seconds")


def section(basis: Basis) -> Iterator[Block]:
    """Yields what tunings or the search found, and what they cost."""
    declared, trials = basis.declaration.searched, basis.content.tables.get("searches")
    if declared is None or trials is None or not len(trials):
        return
    joint = declared.kind == "search"
    yield Text(_said(declared.kind, declared.trials, declared.pruner))
    if joint:
        pruned, seconds = (trials["state"] == "PRUNED").sum(), trials["seconds"].sum()
        yield Text(f"{pruned} of {len(trials)} trials were pruned; all took {seconds:.0f} s.")
    yield found_table(basis, trials, joint=joint)
    drawn = basis.scale.frame(progress(basis), "mean", "low", "high")
    if joint:
        drawn = drawn.assign(arm="the search")
    else:
        order = list(basis.effects["arm"])
        drawn = drawn.sort_values("arm", key=lambda arms: arms.map(order.index), kind="stable")
    has_band = bool(drawn["low"].notna().any())
    draw = partial(draw_progress, drawn, basis.axis, basis.coloured)
    yield Figure(
        "tuning",
        "The best value on validation so far, by trial",
        draw,
        "The best value on validation up to each trial"
        + (_BAND if has_band else "")
        + ("." if joint else f".{note_on_grey(basis)}"),
        narrow=partial(draw, narrow=True),
    )
    if joint:
        yield from joint_blocks(basis, trials)


def _said(kind: str, trials: int, pruner: str) -> str:
    budget = (
        f"{trials} trials each, equal for all arms" if kind != "search" else f"{trials} trials"
    )
    said = (
        f"Budget: {budget}, on seeds from 10,000 and on validation alone; pruned by "
        f"{pruner.replace('_', ' ')}. Test had no part in it."
    )
    if kind == "search":
        return f"{said} The best configurations then ran on fresh seeds like any arm."
    return f"{said} {REPEATED if kind == 'per_replicate' else CONDITIONAL}"


def best_rows(basis: Basis, trials: pd.DataFrame) -> list[tuple[str, dict[Any, Any]]]:
    """Returns each arm with the trial that it took its values from, of its first block."""
    done = trials[trials["state"] == "COMPLETE"]
    sign = basis.declaration.measure.direction
    order = done.assign(rank=-sign * done["value"]).sort_values(["rank", "number"], kind="stable")
    declared = basis.declaration.searched
    if declared is not None and declared.kind == "search":
        arms = [arm for arm in basis.effects["arm"] if arm != basis.declaration.baseline]
        places = range(1, len(arms) + 1)
        return [(f"best {place}", order.iloc[place - 1].to_dict()) for place in places]
    found = []
    for arm in dict.fromkeys(basis.effects["arm"]):
        rows = order[order["arm"] == arm]
        if len(rows):
            found.append((str(arm), rows[rows["block"] == rows["block"].min()].iloc[0].to_dict()))
    return found


def found_table(basis: Basis, trials: pd.DataFrame, *, joint: bool) -> Table:
    """Returns what was found for each arm: values, budget, values on validation, verdicts."""
    scale, tuned = basis.scale, basis.effects.set_index("arm")
    shared = basis.content.tables.get("shared")
    others = None if shared is None else shared.set_index("arm")
    fresh = fresh_validation(basis)
    rows = []
    for arm, best in best_rows(basis, trials):
        row = [
            Cell(arm), Cell(_values(best)),
            *([] if joint else _budget(trials[trials["arm"] == arm])),
            scale.value(float(best["value"])), scale.value(fresh.get(arm, np.nan)),
            *_verdict(tuned, arm, scale),
            *(_verdict(others, arm, scale) if others is not None else ()),
        ]  # fmt: skip
        rows.append(row)
    columns = ["arm", "values", *([] if joint else BUDGET), "best on validation",
               "fresh on validation", "verdict" if joint else "tuned", "difference"]  # fmt: skip
    columns += [] if others is None else ["shared", "difference at shared"]
    caption = (
        "The best value of a search is chosen for being high; on fresh seeds the same "
        "configuration has the value beside it."
    )
    if not joint:
        caption += " Shared: the same arms, every hyperparameter as it is in the configuration."
    return table(
        columns, rows, numeric=f"ll{'' if joint else 'rrr'}rrlrlr"[: len(columns)], caption=caption
    )


def _budget(trials: pd.DataFrame) -> list[Cell]:
    """Returns the columns :data:`BUDGET` of some trials."""
    pruned = float((trials["state"] == "PRUNED").sum())
    return [count(float(len(trials))), count(pruned), significant(float(trials["seconds"].sum()))]


def _verdict(effects: pd.DataFrame, arm: str, scale: Scale) -> tuple[Cell, Cell]:
    if arm not in effects.index:
        return Cell(""), Cell("")
    row = effects.loc[[arm]].to_dict("records")[0]
    word = str(row["verdict"])
    effect = float(row["effect"]) if word else np.nan
    return Cell(word or "baseline", word=word), scale.difference(effect)


def _values(row: Mapping[str, Any]) -> str:
    values = values_of(row)
    edges = set(str(row["edges"]).split(", "))
    return ", ".join(
        f"{path.rpartition('.')[2]} {short(value)}{' (at the edge)' if path in edges else ''}"
        for path, value in values.items()
    )


def fresh_validation(basis: Basis) -> dict[str, float]:
    """Returns arm to the mean of the metric on validation over its runs."""
    runs = basis.content.runs
    of = runs[(runs["split"] == "validation") & (runs["metric"] == basis.declaration.metric)]
    means = of.groupby("arm", sort=False)["value"].mean()
    return {str(arm): float(value) for arm, value in means.items()}


def at_edges(basis: Basis) -> list[str]:
    """Returns arm and hyperparameters for those whose tuned value is at the edge of its range."""
    trials = basis.content.tables.get("searches")
    if trials is None or basis.declaration.searched is None:
        return []
    return [f"{arm} ({row['edges']})" for arm, row in best_rows(basis, trials) if row["edges"]]


def progress(basis: Basis) -> pd.DataFrame:
    """Returns the columns :data:`PROGRESS`."""
    trials, sign = basis.content.tables["searches"], basis.declaration.measure.direction
    signed = trials.assign(signed=(sign * trials["value"]).where(trials["state"] == "COMPLETE"))
    best = signed.groupby(["arm", "block"], sort=False)["signed"].cummax()
    filled = best.groupby([signed["arm"], signed["block"]]).ffill()
    grouped = signed.assign(best=sign * filled).groupby(["arm", "number"], sort=False)["best"]
    frame = grouped.agg(["count", "mean", "std"]).reset_index().dropna(subset=["mean"])
    n = frame["count"].to_numpy(np.float64)
    error = frame["std"].to_numpy(np.float64) / np.sqrt(n)
    low, high = stats.interval(frame["mean"], error, np.maximum(n - 1, 1), 0.025)
    return frame.assign(n=frame["count"], low=low, high=high)[list(PROGRESS)]


def draw_progress(
    rows: pd.DataFrame, axis: Axis, colours: Mapping[str, str], *, narrow: bool = False
) -> Drawing:
    """Draws the best value so far by trial, a line per arm.

    Args:
        rows: The columns :data:`PROGRESS`.
        axis: How the metric is written.
        colours: Arm to colour; all other arms are grey, a single line has the first colour.
        narrow: Whether it is as wide as a telephone.
    """
    from ablation.figures.library import seaborn

    arms = list(rows["arm"].unique())
    own = {arm: colours[arm] for arm in arms if arm in colours} if arms[1:] else {arms[0]: ARMS[0]}
    columns = 2 if narrow else 4
    with styled():
        figure = figure_of(NARROW if narrow else WIDTH, 2.8 + LINE * math.ceil(len(own) / columns))
        axes = figure.subplots()
        for arm, of in rows.groupby("arm", sort=False):
            style: dict[str, Any] = {"color": own.get(str(arm), FAINT)}
            label = name(str(arm)) if arm in own else None
            seaborn.lineplot(of, x="number", y="mean", drawstyle="steps-post", errorbar=None,
                             label=label, legend=False, zorder=2 + (arm in own), ax=axes,
                             **style)  # fmt: skip
            axes.fill_between(of["number"], of["low"], of["high"], step="post", alpha=0.15,
                              linewidth=0, **style)  # fmt: skip
        unit = f", {axis.unit}" if axis.unit else ""
        axes.locator_params(axis="x", integer=True)
        axes.set(xlabel="trial", ylabel=plain(f"best {axis.metric} on validation{unit}"))
        grid(axes, "y")
        figure.legend(loc="outside upper left", ncols=columns, fontsize=7.5)
    return figure
