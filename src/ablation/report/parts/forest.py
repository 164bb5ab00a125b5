"""The forest: the paired differences of all arms, with the interval that each verdict rests on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablation.analysis.words import p_text
from ablation.figures import (
    BAND,
    INK,
    MUTED,
    NARROW,
    VERDICTS,
    WIDTH,
    Axis,
    beside,
    figure_of,
    grid,
    name,
    styled,
)

if TYPE_CHECKING:
    from ablation.figures import Axes
    from ablation.figures import Figure as Drawing

INTERVAL = "interval of the verdict"
BELOW = 0.27
"""Rows between an arm's bar and its seeds' dots, which the bar would hide."""

VERDICT, ESTIMATE = ("verdict_low", "verdict_high"), ("estimate_low", "estimate_high")
"""Ends of the interval that the verdict rests on, drawn thick, and of the 95 % estimate."""

SQUEEZED = 2.0
"""Times as far from zero as all others reach: an arm beyond gets a panel of its own."""


def draw_forest(
    effects: pd.DataFrame, differences: pd.DataFrame, axis: Axis, *, narrow: bool = False
) -> Drawing:
    """Draws the paired differences; arms far from all others get a panel with a scale of its own.

    Args:
        effects: One row per arm, the baseline first; it has no row of its own. Where it has the
            column ``declared``, an arm's place in the declared order, the artists of each row are
            grouped, so that a page can put the rows in that order.
        differences: One row per arm and seed, of these arms alone.
        axis: How the metric is written.
        narrow: Whether names are above the bars, and the numbers are left to the table.
    """
    rows = effects.iloc[1:].reset_index(drop=True)
    spans = spans_of(rows, differences)
    far = far_from_the_rest(spans)
    with styled():
        height = 1.25 + (0.52 if narrow else 0.36) * len(rows)
        figure = figure_of(NARROW if narrow else WIDTH, height)
        panels = panels_for(figure, spans, far)
        number = "" if narrow else f"{{:+.{axis.digits}f}}"
        for axes, is_near in panels:
            draw_margin(axes, axis, len(rows) if narrow else 0)
            _draw_arms(axes, rows, with_failures=is_near)
            _draw_seeds(axes, rows, differences, number)
        first, last = panels[0][0], panels[-1][0]
        first.set_yticks([])
        first.spines["left"].set_visible(not narrow)
        if narrow:
            _write_narrow(first, last, rows)
        else:
            _write_beside(first, last, rows, axis)
        first.set_ylim(len(rows) - 0.4, -0.75 if narrow else -0.5)
        near = next(axes for axes, is_near in panels if is_near)
        near.set_xlabel(axis.unit if narrow else axis.differences)
        _legend(near, figure, narrow=narrow)
    return figure


def spans_of(rows: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    """Returns the lowest and the highest number that is drawn for each arm: low, high."""
    dots = differences.groupby("arm")["difference"]
    ends = rows[["effect", *VERDICT, *ESTIMATE]]
    seeds = rows["arm"].map(dots.min()), rows["arm"].map(dots.max())
    return pd.DataFrame({
        "low": np.fmin(ends.min(axis=1), seeds[0]), "high": np.fmax(ends.max(axis=1), seeds[1])
    })  # fmt: skip


def far_from_the_rest(spans: pd.DataFrame) -> list[int]:
    """Returns the places of arms that would squeeze all others, on one side of them.

    Their nearest ends are twice as far from zero as anything else reaches; they are fewer
    than the others.

    Args:
        spans: An arm's lowest and highest number a row: low, high.
    """
    least = spans.abs().min(axis=1).where(spans["low"] * spans["high"] > 0, 0.0)
    most = spans.abs().max(axis=1)
    order = least.sort_values(ascending=False).index.to_list()
    for size in range((len(order) - 1) // 2, 0, -1):
        far, rest = order[:size], order[size:]
        one_sided = len(set(np.sign(spans.loc[far, "low"]))) == 1
        if one_sided and least[far].min() > SQUEEZED * most[rest].max():
            return far
    return []


def panels_for(
    figure: Drawing, spans: pd.DataFrame, far: Sequence[int]
) -> list[tuple[Axes, bool]]:
    """Returns the panels from left to right, and whether each holds most of the arms."""
    near = spans.drop(index=list(far))
    if not far:
        return [(figure.subplots(), True)]
    is_left = spans.loc[list(far), "high"].max() < 0
    ratios = (1.0, 2.4) if is_left else (2.4, 1.0)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=ratios)
    panels = [(left, not is_left), (right, is_left)]
    for axes, is_near in panels:
        ends = near if is_near else spans.loc[list(far)]
        low, high = ends["low"].min(), ends["high"].max()
        low, high = (min(low, 0.0), max(high, 0.0)) if is_near else (low, high)
        room = 0.06 * (high - low)
        axes.set_xlim(low - room, high + room)
        if not is_near:
            axes.set_xlabel("another scale")
    for axes, edge in ((left, 1), (right, 0)):  # the break, as two strokes on the axis
        axes.plot(edge, 0, marker=[(-1, -1.5), (1, 1.5)], markersize=8, color=INK, clip_on=False,
                  transform=axes.transAxes)  # fmt: skip
    right.tick_params(axis="y", length=0)
    right.spines["left"].set_visible(False)
    return panels


def group_of(row: Any, place: Any) -> str | None:
    """Returns the name of a row's group: its place here, and in the declared order."""
    return f"row-{place}-{row['declared']}" if "declared" in row else None


def draw_margin(axes: Axes, axis: Axis, apart: int = 0) -> None:
    """Draws margin and zero into a panel.

    Args:
        axes: The panel.
        axis: How the metric is written.
        apart: Rows with a line of text above each, which zero leaves free; 0 for none.
    """
    if axis.margin is not None:
        axes.axvspan(-axis.margin, axis.margin, color=BAND, linewidth=0, zorder=0,
                     label=f"margin ±{axis.margin:g} {axis.unit}".strip())  # fmt: skip
    if apart:
        places = np.arange(apart)
        axes.vlines(
            [0.0] * apart, places - 0.18, places + 0.42, color=INK, linewidth=0.9, zorder=1
        )
    else:
        axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.set(ylabel="")
    grid(axes, "x")


def _alike(rows: pd.DataFrame) -> Iterator[tuple[str | None, pd.DataFrame]]:
    """Yields the rows drawn as one, those of a verdict, with the name of their group.

    Where a page can move the rows, each is drawn by itself.
    """
    for _, of in rows.groupby(rows.index if "declared" in rows else "verdict", sort=False):
        yield group_of(of.iloc[0], of.index[0]), of


def _draw_seeds(axes: Axes, rows: pd.DataFrame, differences: pd.DataFrame, number: str) -> None:
    """Draws the seeds that are in a panel's range; a page shows seed and value on hover.

    Args:
        axes: The panel.
        rows: One row per arm.
        differences: One row per arm and seed.
        number: Format of the values; empty for no hover.
    """
    if not axes.get_autoscalex_on():
        differences = differences[differences["difference"].between(*axes.get_xlim())]
    at = {arm: place for place, arm in enumerate(rows["arm"])}
    dots = differences[differences["arm"].isin(rows["arm"])]
    dots = dots.assign(place=dots["arm"].map(at).astype(int))
    for place, mine in dots.groupby(dots["place"] if "declared" in rows else 0 * dots["place"]):
        group = group_of(rows.loc[place], place)
        drawn = axes.scatter(mine["difference"], mine["place"] + BELOW, s=9, color=MUTED,
                             alpha=0.75, linewidth=0, zorder=2, clip_on=False,
                             gid=group)  # fmt: skip
        drawn.set_in_layout(False)  # they are within the panel; a thousand take long to measure
        if number:
            # Addresses, because matplotlib has no titles; a page makes titles of them.
            drawn.set_urls([
                f"seed {seed}: {number.format(value).replace('-', '−')}"
                for seed, value in zip(mine["seed"], mine["difference"], strict=True)
            ])  # fmt: skip


def _legend(axes: Axes, figure: Drawing, *, narrow: bool) -> None:
    axes.plot([], [], ".", color=MUTED, markersize=5, markeredgewidth=0, label="one seed")
    axes.plot([], [], "D", color=INK, markersize=5, label="effect")
    axes.plot([], [], color=INK, linewidth=3, label=INTERVAL)
    axes.plot([], [], color=INK, linewidth=0.9, marker="|", markersize=9, label="95 % estimate")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=2 if narrow else 5, fontsize=7.5
    )


def _draw_arms(axes: Axes, rows: pd.DataFrame, *, with_failures: bool) -> None:
    """Draws the arms' effects and intervals, and in one panel their failures at the edge."""
    edge = axes.get_yaxis_transform()
    for group, of in _alike(rows):
        style: dict[str, Any] = {"color": VERDICTS[of["verdict"].iloc[0]], "gid": group}
        axes.plot(*bars(of, VERDICT, of.index), linewidth=3.0, zorder=3, solid_capstyle="butt",
                  **style)  # fmt: skip
        axes.plot(*bars(of, ESTIMATE, of.index), linewidth=0.9, zorder=3, marker="|",
                  markersize=9, solid_capstyle="butt", **style)  # fmt: skip
        axes.plot(of["effect"], of.index, "D", markersize=6.5, markeredgewidth=0, zorder=4,
                  **style)  # fmt: skip
        if with_failures and len(failed := of.index[of["failed"] > 0]):
            axes.plot([0.012] * len(failed), failed, "x", transform=edge, markersize=6,
                      clip_on=False, **style)  # fmt: skip


def bars(
    rows: pd.DataFrame, ends: tuple[str, str], places: pd.Index | pd.Series
) -> tuple[np.ndarray, np.ndarray]:
    """Returns x and y of a line that is a bar for each row, broken between them.

    Args:
        rows: One row per bar.
        ends: Columns of its ends.
        places: Its heights.
    """
    # One artist, because matplotlib takes 2 ms to make, measure and draw each.
    gap = np.full(len(rows), np.nan)
    x = np.column_stack([rows[ends[0]], rows[ends[1]], gap])
    return x.ravel(), np.column_stack([places, places, gap]).ravel()


def _write_beside(first: Axes, last: Axes, rows: pd.DataFrame, axis: Axis) -> None:
    """Writes each arm's name, verdict, effect, p value, seeds and failures beside its row."""
    columns = [beside(last, points) for points in (8, 86, 126, 176, 204)]
    names = beside(first, -3.5)
    for place, row in enumerate(rows.to_dict("records")):
        group, colour = group_of(row, place), VERDICTS[row["verdict"]]
        # Texts, not labels of ticks, which take ten times as long.
        first.text(0, place, name(row["arm"]), transform=names, ha="right", va="center_baseline",
                   fontsize=9, gid=group)  # fmt: skip
        for column, text in zip(columns, _words(row, axis), strict=True):
            if text:
                last.text(1, place, text, transform=column, va="center", fontsize=8, color=colour,
                          gid=group)  # fmt: skip


def _words(row: Mapping[Any, Any], axis: Axis) -> tuple[str, str, str, str, str]:
    """Returns an arm's verdict, effect, p value, seeds and failures, empty for what it lacks."""
    p = row["p_equivalence" if row["verdict"] == "EQUIVALENT" else "p_difference"]
    return (
        row["verdict"],
        "" if math.isnan(row["effect"]) else f"{row['effect']:+.{axis.digits}f}".replace("-", "−"),
        "" if math.isnan(p) else f"p {p_text(p, row.get('alpha', math.nan))}".replace("<0", "<"),
        f"n {row['n']}",
        f"failed {row['failed']}" if row["failed"] else "",
    )


def _write_narrow(first: Axes, last: Axes, rows: pd.DataFrame) -> None:
    """Writes name and verdict above each arm's bar, at the ends of the panels."""
    for place, row in enumerate(rows.to_dict("records")):
        failed = f", failed {row['failed']}" if row["failed"] else ""
        sides = (
            (first, 0, name(row["arm"]), "left", INK),
            (last, 1, row["verdict"] + failed, "right", VERDICTS[row["verdict"]]),
        )
        for axes, x, text, side, colour in sides:
            axes.text(
                x, place - 0.36, text, ha=side, va="center", fontsize=8, color=colour,
                transform=axes.get_yaxis_transform(), gid=group_of(row, place),
            )  # fmt: skip
