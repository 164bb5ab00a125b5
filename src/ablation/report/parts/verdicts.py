"""The verdicts: the forest of paired differences and the table below it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablation.analysis import differences, doubts
from ablation.analysis.words import SCOPES
from ablation.figures import BAND, INK, MUTED, VERDICTS, WIDTH, Axis, figure_of, grid, name, styled
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, table
from ablation.report.numbers import Scale, count, p_value

if TYPE_CHECKING:
    from ablation.figures import Axes
    from ablation.figures import Figure as Drawing

INTERVAL = "interval of the verdict"
MARK = "†"
"""Beside a verdict that something weakens."""

BELOW = 0.27
"""Rows between an arm's bar and its seeds' dots, which the bar would hide."""

VERDICT, ESTIMATE = ("verdict_low", "verdict_high"), ("estimate_low", "estimate_high")
"""Ends of the interval that the verdict rests on, drawn thick, and of the 95 % estimate."""

SQUEEZED = 2.0
"""Times as far from zero as all others reach: an arm beyond gets a panel of its own."""

NARROW = 3.9
"""Inches of the figure for a telephone, in which names are above the bars."""


def section(basis: Basis) -> Iterator[Block]:
    """Yields the forest and the table of verdicts."""
    arms, scale = basis.drawn, basis.scale
    rest = len(basis.shown) - len(arms)
    note = f" The {len(arms) - 1} largest effects; {rest} more arms are in the table."
    bars = scale.frame(arms, "effect", *(end for ends in (VERDICT, ESTIMATE) for end in ends))
    dots = scale.frame(find(basis), "difference")
    dots = dots[dots["arm"].isin(arms["arm"])]
    yield Figure(
        "differences",
        "Difference of each arm to the baseline, with intervals and verdict",
        partial(draw_forest, bars, dots, basis.axis),
        f"{_DOTS[basis.declaration.paired]}, the thick line is the "
        "interval that the verdict rests on, the thin one between two ticks the 95 % estimate."
        + (note if rest else ""),
        narrow=partial(draw_forest, bars, dots, basis.axis, narrow=True),
    )
    yield verdict_table(basis.shown, scale, paired=basis.declaration.paired)


_DOTS = {
    True: "Each arm less the baseline on the same seeds: dots are seeds",
    False: "Each arm less the baseline: dots are runs less the mean of the baseline",
}
"""Caption of the forest, by whether arms are paired."""

_COMPARED = {
    True: "compare runs that share a seed",
    False: "are unpaired, by Welch's statistic with the degrees of freedom of the smaller side",
}


_BESIDE = {
    True: "the baseline's mean beside an arm's is over the same seeds",
    False: "the baseline's mean beside an arm's is over all of its runs",
}


def find(basis: Basis) -> pd.DataFrame:
    """Returns the paired differences: arm, seed, difference."""
    content = basis.content
    return differences(basis.runs, content.declaration, content.judged.seeds)


def verdict_table(effects: pd.DataFrame, scale: Scale, *, paired: bool = True) -> Table:
    """Returns the verdicts, a row per arm, the baseline first.

    Args:
        effects: One row per arm, the baseline first.
        scale: How the metric is written.
        paired: Whether arms were compared seed by seed; else no wins are counted.
    """
    rows, is_fresh = [], bool(effects["fresh_n"].notna().any())
    for place, row in enumerate(effects.to_dict("records")):
        first = place == 0
        rows.append(
            [
                Cell(row["arm"], float(place)),
                _verdict(row),
                Cell("") if first else scale.difference(row["effect"]),
                Cell("") if first else scale.interval(*(row[end] for end in VERDICT)),
                scale.value(row["mean"]),
                Cell("") if first else scale.value(row["mean"] - row["effect"]),
                count(row["n"]),
                Cell(
                    f"{row['failed']} of {row['n']}, ≤ {row['failed_upper95']:.0%}", row["failed"]
                ),
                *(
                    [Cell("" if first else f"{row['wins']}–{row['ties']}–{row['losses']}")]
                    * paired
                ),
                Cell("") if first else scale.interval(*(row[end] for end in ESTIMATE)),
                p_value(row["p_difference"]),
                p_value(row["p_equivalence"]),
                Cell("" if first else f"{row['alpha']:g}", row["alpha"]),
                *(_fresh(row, scale) if is_fresh else []),
            ]
        )
    columns = ["arm", "verdict", "difference", INTERVAL, "mean", "baseline",
               "seeds" if paired else "runs", "failed", *["w–t–l"] * paired, "95 % estimate",
               "p differs", "p equivalent", "alpha", *_FRESH * is_fresh]  # fmt: skip
    caption = (
        f"{scale.heading[0].upper()}{scale.heading[1:]}. {_about(effects)}Differences to the "
        f"baseline {_COMPARED[paired]}; {_BESIDE[paired]}. The interval of the verdict is the "
        "one it rests on. It and the p values are adjusted by Holm, for comparison with alpha, "
        "the error rate that the arm's look spent; the estimate covers 95 % over all looks "
        "together. Beside the failed runs is the rate up to which they may fail (one-sided 95 %)"
    )
    caption += _WINS if paired else "."
    if is_fresh:
        caption += (
            " Fresh seeds took no part in the verdict: theirs is the estimate that no selection "
            "has made larger."
        )
    if any(doubts(row) for row in effects.to_dict("records")):
        caption += f" {MARK} Something weakens this verdict: see In words."
    return table(columns, rows, numeric="llr*", caption=caption)


_FRESH = ["on fresh seeds", "95 % interval", "fresh seeds"]


def _fresh(row: Mapping[Any, Any], scale: Scale) -> list[Cell]:
    """Returns an arm's estimate on seeds that took no part in its verdict."""
    ends = scale.interval(row["fresh_low"], row["fresh_high"])
    return [scale.difference(row["fresh_effect"]), ends, count(row["fresh_n"])]


_WINS = (
    "; w–t–l counts the seeds on which the arm is better than, level with and worse than the "
    "baseline."
)


def _about(effects: pd.DataFrame) -> str:
    return f"Verdicts are about {SCOPES[effects['scope'].iloc[0]]}. "


def _verdict(row: Mapping[Any, Any]) -> Cell:
    """Returns a verdict; where identical, the share of seeds that may differ; missing runs."""
    word, said = row["verdict"], row["verdict"] or "baseline"
    if word == "IDENTICAL":
        said = f"{word} on {row['n']} seeds (may differ on ≤ {row['may_differ95']:.0%})"
    if row["missing"]:
        said = f"{word} ({row['missing']} of {row['look']} runs missing)"
    return Cell(said + (f" {MARK}" if doubts(row) else ""), word=word)


def draw_forest(
    effects: pd.DataFrame, differences: pd.DataFrame, axis: Axis, *, narrow: bool = False
) -> Drawing:
    """Draws the paired differences; arms far from all others get a panel with a scale of its own.

    Args:
        effects: One row per arm, the baseline first; it has no row of its own.
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
        panels = _panels(figure, spans, far)
        for axes, _ in panels:
            _draw_bars(axes, rows, differences, axis)
        first, last = panels[0][0], panels[-1][0]
        for place, row in enumerate(rows.to_dict("records")):
            if narrow:
                _write_narrow(first, last, place, row)
            else:
                _write_arm(last, place, row, axis)
        if narrow:
            first.set_yticks([])
            first.spines["left"].set_visible(False)
        else:
            first.set_yticks(range(len(rows)), labels=[name(arm) for arm in rows["arm"]])
            first.tick_params(axis="y", length=0)
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


def _panels(figure: Drawing, spans: pd.DataFrame, far: Sequence[int]) -> list[tuple[Axes, bool]]:
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


def _draw_bars(axes: Axes, rows: pd.DataFrame, differences: pd.DataFrame, axis: Axis) -> None:
    """Draws margin, zero, dots and intervals into a panel, which shows those in its range."""
    from ablation.figures.library import seaborn

    if axis.margin is not None:
        axes.axvspan(-axis.margin, axis.margin, color=BAND, linewidth=0, zorder=0,
                     label=f"margin ±{axis.margin:g} {axis.unit}".strip())  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    places = {arm: place for place, arm in enumerate(rows["arm"])}
    below = differences["arm"].map(places).astype(float) + BELOW
    seaborn.scatterplot(x=differences["difference"], y=below, s=9, color=MUTED, alpha=0.75,
                        linewidth=0, label="one seed", zorder=2, legend=False,
                        ax=axes)  # fmt: skip
    seaborn.scatterplot(rows, x="effect", y=rows.index, hue="verdict", palette=VERDICTS,
                        marker="D", s=42, linewidth=0, zorder=4, legend=False,
                        ax=axes)  # fmt: skip
    for place, row in enumerate(rows.to_dict("records")):
        _draw_arm(axes, place, row)
    axes.set(xlabel=axes.get_xlabel(), ylabel="")
    grid(axes, "x")


def _legend(axes: Axes, figure: Drawing, *, narrow: bool) -> None:
    axes.plot([], [], "D", color=INK, markersize=5, label="effect")
    axes.plot([], [], color=INK, linewidth=3, label=INTERVAL)
    axes.plot([], [], color=INK, linewidth=0.9, marker="|", markersize=9, label="95 % estimate")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=2 if narrow else 5, fontsize=7.5
    )


def _draw_arm(axes: Axes, place: int, row: Mapping[Any, Any]) -> None:
    """Draws one arm's intervals, and its failures at the edge."""
    colour = VERDICTS[row["verdict"]]
    low, high = (row[end] for end in VERDICT)
    axes.plot([low, high], [place, place], color=colour, linewidth=3.0, zorder=3,
              solid_capstyle="butt")  # fmt: skip
    low, high = (row[end] for end in ESTIMATE)
    axes.plot([low, high], [place, place], color=colour, linewidth=0.9, zorder=3, marker="|",
              markersize=9, solid_capstyle="butt")  # fmt: skip
    if row["failed"]:
        edge = axes.get_yaxis_transform()
        axes.plot(0.012, place, "x", transform=edge, color=colour, markersize=6, clip_on=False)


def _write_arm(axes: Axes, place: int, row: Mapping[Any, Any], axis: Axis) -> None:
    """Writes one arm's verdict, effect, p value, seeds and failures beside its row."""
    p = row["p_equivalence" if row["verdict"] == "EQUIVALENT" else "p_difference"]
    words = (
        row["verdict"],
        "" if math.isnan(row["effect"]) else f"{row['effect']:+.{axis.digits}f}".replace("-", "−"),
        "" if math.isnan(p) else "p <.0001" if p < 1e-4 else f"p {p:.2g}",  # noqa: PLR2004 - shown to four places
        f"n {row['n']}",
        f"failed {row['failed']}" if row["failed"] else "",
    )
    edge = axes.get_yaxis_transform()
    for points, text in zip((8, 86, 126, 176, 204), words, strict=True):
        axes.annotate(
            text, (1, place), xycoords=edge, xytext=(points, 0), textcoords="offset points",
            va="center", fontsize=8, color=VERDICTS[row["verdict"]], annotation_clip=False,
        )  # fmt: skip


def _write_narrow(first: Axes, last: Axes, place: int, row: Mapping[Any, Any]) -> None:
    """Writes name and verdict above one arm's bar, at the ends of the panels."""
    failed = f", failed {row['failed']}" if row["failed"] else ""
    sides = (
        (first, 0, name(row["arm"]), "left", INK),
        (last, 1, row["verdict"] + failed, "right", VERDICTS[row["verdict"]]),
    )
    for axes, x, text, side, colour in sides:
        axes.text(
            x, place - 0.36, text, ha=side, va="center", fontsize=8, color=colour,
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip
