"""The verdicts: the forest of paired differences and the table below it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd

from ablation.analysis.effects import differences
from ablation.analysis.imputed import without_imputed
from ablation.analysis.words import MARK, doubts
from ablation.records.metric import percent
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, table
from ablation.report.numbers import Scale, count, p_value
from ablation.report.parts.forest import ESTIMATE, INTERVAL, VERDICT, draw_forest


def section(basis: Basis) -> Iterator[Block]:
    """Yields the forest and the table of verdicts."""
    arms, scale = basis.drawn, basis.scale
    rest = len(basis.shown) - len(arms)
    note = f" The {len(arms) - 1} largest effects; {rest} more arms are in the table."
    bars = scale.frame(arms, "effect", *(end for ends in (VERDICT, ESTIMATE) for end in ends))
    declared = _declared(basis)
    if is_sorted := declared != sorted(declared):
        bars = bars.assign(declared=declared)
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
        has_two_orders=is_sorted,
    )
    yield verdict_table(basis.shown, scale, paired=basis.declaration.paired)


def numbers(basis: Basis) -> Iterator[Block]:
    """Yields the numbers beside each verdict that few readers look for."""
    paired = basis.declaration.paired
    whole = whole_table(basis.shown, basis.scale, paired=paired)
    over = " over all looks together" if len(basis.declaration.looks) > 1 else ""
    caption = (
        f"The 95 % estimate covers at least 95 %{over}; no verdict rests on it. The p values are "
        "adjusted by Holm, to be compared with alpha, the error rate that the arm's look spent."
    )
    numbers = whole.only(NUMBERS, caption + (_WINS if paired else ""))
    yield dataclasses.replace(numbers, rows=numbers.rows[1:])  # the baseline has none


def _declared(basis: Basis) -> list[int]:
    """Returns the place of each drawn arm in the declared order, -1 for the baseline.

    Levels of a numeric factor have one order, theirs.
    """
    arms = list(basis.drawn["arm"])
    if basis.levels:
        return list(range(-1, len(arms) - 1))
    order = [arm.name for arm in basis.declaration.arms if arm.name in set(arms[1:])]
    return [-1, *(order.index(arm) for arm in arms[1:])]


_DOTS = {
    True: "Each arm less the baseline on the same seeds: dots are seeds",
    False: "Each arm less the baseline: dots are runs less the mean of the baseline",
}
"""Caption of the forest, by whether arms are paired."""

_BESIDE = {
    True: "A difference is the mean of the arm less that of the baseline on the same seeds, which "
    "is beside it; the first row has the baseline's mean over all of its seeds",
    False: "A difference is the mean of the arm less that of the baseline; they are unpaired, "
    "compared by Welch's statistic with the degrees of freedom of the smaller side",
}
"""Which means a difference is of, by whether arms are paired."""

FRESH = ("on fresh seeds", "95 % interval")
"""Columns of the estimates that no selection has made larger, where there are some."""

COLUMNS = ("arm", "verdict", "difference", INTERVAL, *FRESH, "mean", "baseline", "seeds", "runs",
           "failed")  # fmt: skip
"""Columns of the table at the head of a page, those that a study has."""

NUMBERS = ("arm", "95 % estimate", "p differs", "p equivalent", "alpha", "w–t–l", "fresh seeds")
"""Those of the table of further numbers."""


def find(basis: Basis) -> pd.DataFrame:
    """Returns the paired differences: arm, seed, difference."""
    content = basis.content
    return differences(basis.runs, content.declaration, content.judged.seeds)


def verdict_table(effects: pd.DataFrame, scale: Scale, *, paired: bool = True) -> Table:
    """Returns the columns :data:`COLUMNS`, a row per arm, the baseline first.

    Args:
        effects: One row per arm, the baseline first.
        scale: How the metric is written.
        paired: Whether arms were compared seed by seed.
    """
    caption = (
        f"{scale.heading[0].upper()}{scale.heading[1:]}. {_BESIDE[paired]}. A verdict by "
        "difference rests on the interval, which is adjusted for the number of arms; one by "
        "failures rests on their numbers, and IDENTICAL on equal hashes. Failed: runs, and the "
        "rate up to which the arm may fail (one-sided 95 %)."
    )
    if effects["fresh_n"].notna().any():
        caption += (
            " Fresh seeds took no part in the verdict: theirs is the estimate that no selection "
            "has made larger."
        )
    if any(doubts(row) for row in effects.to_dict("records")):
        caption += f" {MARK} Something weakens this verdict: see In words."
    if (effects["verdict"] == "IDENTICAL").any():
        caption += " Beside IDENTICAL: the share of other seeds that may differ (one-sided 95 %)."
    return whole_table(effects, scale, paired=paired).only(COLUMNS, caption)


def whole_table(effects: pd.DataFrame, scale: Scale, *, paired: bool = True) -> Table:
    """Returns all columns about the verdicts, without a caption; arguments as above.

    Unpaired arms have no wins, and seeds of their own, which are called runs.
    """
    rows, is_fresh = [], bool(effects["fresh_n"].notna().any())
    for place, row in enumerate(without_imputed(effects, effects).to_dict("records")):
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
                    f"{row['failed']} of {row['n']}, ≤ {percent(row['failed_upper95'])}",
                    row["failed"],
                ),
                *(
                    [Cell("" if first else f"{row['wins']}–{row['ties']}–{row['losses']}")]
                    * paired
                ),
                Cell("") if first else scale.interval(*(row[end] for end in ESTIMATE)),
                p_value(row["p_difference"], row["alpha"]),
                p_value(row["p_equivalence"], row["alpha"]),
                Cell("" if first else f"{row['alpha']:g}", row["alpha"]),
                *(_fresh(row, scale) if is_fresh else []),
            ]
        )
    columns = ["arm", "verdict", "difference", INTERVAL, "mean", "baseline",
               "seeds" if paired else "runs", "failed", *["w–t–l"] * paired, "95 % estimate",
               "p differs", "p equivalent", "alpha",
               *(*FRESH, "fresh seeds") * is_fresh]  # fmt: skip
    return table(columns, rows, numeric="llr*")


def _fresh(row: Mapping[Any, Any], scale: Scale) -> list[Cell]:
    """Returns an arm's estimate on seeds that took no part in its verdict."""
    ends = scale.interval(row["fresh_low"], row["fresh_high"])
    return [scale.difference(row["fresh_effect"]), ends, count(row["fresh_n"])]


_WINS = (
    " w–\u2060t–\u2060l counts the seeds on which the arm is better than, level with and worse "
    "than the baseline."
)


def _verdict(row: Mapping[Any, Any]) -> Cell:
    """Returns a verdict; if identical, the share of seeds that may differ; missing runs."""
    word, said = row["verdict"], row["verdict"] or "baseline"
    if word == "IDENTICAL":
        said = f"{word} (≤ {percent(row['may_differ95'])} may differ)"
    if row["missing"]:
        said = f"{word} ({row['missing']} of {row['look']} runs missing)"
    return Cell(said + (f"\N{NO-BREAK SPACE}{MARK}" if doubts(row) else ""), word=word)
