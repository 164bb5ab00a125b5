"""The verdicts: the forest of paired differences and the table below it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

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

NARROW = 3.9
"""Inches of the figure for a telephone, in which names stand above the bars."""


def section(basis: Basis) -> Iterator[Block]:
    """Yields the forest and the table of verdicts."""
    arms, scale = basis.drawn, basis.scale
    rest = len(basis.effects) - len(arms)
    note = f" The {len(arms) - 1} largest effects; {rest} more arms are in the table."
    bars = scale.frame(arms, "effect", *(end for ends in (VERDICT, ESTIMATE) for end in ends))
    dots = scale.frame(find(basis), "difference")
    dots = dots[dots["arm"].isin(arms["arm"])]
    yield Figure(
        "differences",
        "Difference of each arm to the baseline, with intervals and verdict",
        partial(draw_forest, bars, dots, basis.axis),
        "Each arm less the baseline on the same seeds: dots are seeds, the thick line is the "
        "interval that the verdict rests on, the thin one between two ticks the 95 % estimate."
        + (note if rest else ""),
        narrow=partial(draw_forest, bars, dots, basis.axis, narrow=True),
    )
    yield verdict_table(basis.effects, scale)


def find(basis: Basis) -> pd.DataFrame:
    """Returns the paired differences: arm, seed, difference."""
    content = basis.content
    return differences(basis.runs, content.declaration, content.judged.seeds)


def verdict_table(effects: pd.DataFrame, scale: Scale) -> Table:
    """Returns the verdicts, a row per arm, the baseline first."""
    rows = []
    for place, row in enumerate(effects.to_dict("records")):
        first = place == 0
        rows.append(
            [
                Cell(row["arm"], float(place)),
                _verdict(row),
                Cell("") if first else scale.difference(row["effect"]),
                *(
                    Cell("") if first else scale.interval(row[low], row[high])
                    for low, high in (VERDICT, ESTIMATE)
                ),
                p_value(row["p_difference"]),
                p_value(row["p_equivalence"]),
                Cell("" if first else f"{row['alpha']:g}", row["alpha"]),
                scale.value(row["mean"]),
                count(row["n"]),
                Cell(
                    f"{row['failed']} of {row['n']}, ≤ {row['failed_upper95']:.0%}", row["failed"]
                ),
                Cell("" if first else f"{row['wins']}–{row['ties']}–{row['losses']}"),
            ]
        )
    columns = ["arm", "verdict", "difference", INTERVAL, "95 % estimate", "p differs",
               "p equivalent", "alpha", "mean", "seeds", "failed", "w–t–l"]  # fmt: skip
    caption = (
        f"{scale.heading[0].upper()}{scale.heading[1:]}. {_about(effects)}Differences to the "
        "baseline compare runs that share a seed. The interval of the verdict is the one it rests "
        "on, like the p values, adjusted by Holm and to be compared with alpha, the error rate "
        "that the arm's look spent; the estimate covers 95 % over all looks together. "
        "Beside the failed runs stands the rate up to which they may fail (one-sided 95 %); w–t–l "
        "counts the seeds on which the arm is better than, level with and worse than the baseline."
    )
    if any(doubts(row) for row in effects.to_dict("records")):
        caption += f" {MARK} Something weakens this verdict: see In words."
    return table(columns, rows, numeric="llrrrrrrrrrr", caption=caption)


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
    """Draws the paired differences.

    Args:
        effects: One row per arm, the baseline first; it has no row of its own.
        differences: One row per arm and seed, of these arms alone.
        axis: How the metric is written.
        narrow: Whether names stand above the bars, and the numbers are left to the table.
    """
    from ablation.figures.library import seaborn

    rows = effects.iloc[1:].reset_index(drop=True)
    with styled():
        height = 1.25 + (0.52 if narrow else 0.36) * len(rows)
        figure = figure_of(NARROW if narrow else WIDTH, height)
        axes = figure.subplots()
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
            _write_narrow(axes, place, row) if narrow else _write_arm(axes, place, row, axis)
        if narrow:
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        else:
            axes.set_yticks(range(len(rows)), labels=[name(arm) for arm in rows["arm"]])
            axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.4, -0.75 if narrow else -0.5)
        axes.set(xlabel=axis.differences if not narrow else axis.unit, ylabel="")
        grid(axes, "x")
        _legend(axes, figure, narrow=narrow)
    return figure


def _legend(axes: Axes, figure: Drawing, *, narrow: bool) -> None:
    axes.plot([], [], "D", color=INK, markersize=5, label="effect")
    axes.plot([], [], color=INK, linewidth=3, label=INTERVAL)
    axes.plot([], [], color=INK, linewidth=0.9, marker="|", markersize=9, label="95 % estimate")
    figure.legend(loc="outside upper left", ncols=2 if narrow else 5, fontsize=7.5)


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


def _write_narrow(axes: Axes, place: int, row: Mapping[Any, Any]) -> None:
    """Writes name and verdict above one arm's bar."""
    edge = axes.get_yaxis_transform()
    failed = f", failed {row['failed']}" if row["failed"] else ""
    sides = (
        (0, name(row["arm"]), "left", INK),
        (1, row["verdict"] + failed, "right", VERDICTS[row["verdict"]]),
    )
    for x, text, side, colour in sides:
        axes.text(
            x, place - 0.36, text, ha=side, va="center", fontsize=8, color=colour, transform=edge
        )
