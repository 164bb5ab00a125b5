"""One study over several data sets: the matrix of verdicts, the counts, a forest per arm."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from ablation import stats
from ablation.analysis.sets import CLAIMS, Sets
from ablation.figures import Axis
from ablation.records.metric import percent
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Figure, Table, Text, table, verdict_cell
from ablation.report.numbers import Scale, count
from ablation.report.parts.forest import ESTIMATE, VERDICT, draw_forest
from ablation.report.parts.verdicts import find as differences_of

BEGINNING = 2
"""Sentences that are told of a data set's own answer."""

MOST_DRAWN = 20
"""Arms with a figure, those with the largest effects."""


def matrix(names: Sequence[str], cells: pd.DataFrame, scale: Scale) -> Table:
    """Returns the verdicts, a row per arm and a column per data set, with their intervals.

    Args:
        names: Every data set.
        cells: One row per data set and arm: set, arm, and columns of an effects frame.
        scale: How the metric is written.
    """
    caption = (
        f"{scale.heading[0].upper()}{scale.heading[1:]}. Each verdict is that of one data set, "
        "with the difference to the baseline and the interval that the verdict rests on."
    )
    rows = _matrix_rows(names, cells, partial(_whole_cell, scale))
    return table(["arm", *names], rows, caption=caption, is_matrix=True)


def paper_tables(sets: Sets, scale: Scale) -> dict[str, Table]:
    """Returns two tables that fit a column: verdicts by arm and data set, and the counts."""
    rows = [
        [
            Cell(f"{row['arm']} on {row['set']}"),
            Cell(row["verdict"].lower()),
            scale.difference(row["effect"]),
        ]
        for arm in dict.fromkeys(sets.cells["arm"])
        for row in _records(sets.cells[sets.cells["arm"] == arm])
    ]
    claims = _claims(sets)
    counts = [[Cell(row["arm"]), *_counts(row, claims)] for row in _records(sets.over)]
    return {
        "table.tex": table(["arm and data", "verdict", "difference"], rows, numeric="llr"),
        "table-more.tex": table(["arm", *claims], counts, numeric="lr*"),
    }


def _matrix_rows(
    names: Sequence[str], cells: pd.DataFrame, cell: Callable[[Mapping[str, Any]], Cell]
) -> list[list[Cell]]:
    found = {(row["arm"], row["set"]): cell(row) for row in _records(cells)}
    return [
        [Cell(arm, float(place)), *(found.get((arm, name), Cell("")) for name in names)]
        for place, arm in enumerate(dict.fromkeys(cells["arm"]))
    ]


def _whole_cell(scale: Scale, row: Mapping[str, Any]) -> Cell:
    short = _short_cell(scale, row)
    ends = scale.interval(row["verdict_low"], row["verdict_high"]).text
    # Spaces that hold an interval together where the cell breaks.
    ends = f"({ends})".replace(" ", "\N{NO-BREAK SPACE}") if ends else ""
    return dataclasses.replace(short, text=f"{short.text} {ends}".strip())


def _short_cell(scale: Scale, row: Mapping[str, Any]) -> Cell:
    effect = scale.difference(row["effect"])
    word = verdict_cell(row["verdict"])
    return dataclasses.replace(effect, text=f"{word.text} {effect.text}".strip(), word=word.word)


def _claims(sets: Sets) -> list[str]:
    """Returns the claims that have a column: all that can be made, and what was seen."""
    over = sets.over
    asked = {
        "equivalent": sets.declaration.margin is not None,
        "identical": over["identical"].any(),
    }
    return [column for column, _ in CLAIMS if asked.get(column, True)]


def _headings(claims: Sequence[str]) -> list[str]:
    return [f"{claim} on" for claim in claims]


def _counts(row: Mapping[str, Any], claims: Sequence[str]) -> list[Cell]:
    return [Cell(f"{row[claim]:.0f}", float(row[claim])) for claim in claims]


def over_table(sets: Sets, scale: Scale) -> Table:
    """Returns in how many data sets each claim holds, and the mean over them from five on."""
    k = len(sets.names)
    caption = (
        f"On how many of the {k} data sets each claim holds, at least: with {_percent(sets)} "
        "confidence none of the counts of better and worse is too high. The same holds, taken by "
        "themselves, for the counts of equivalent. A count can be below the number of such "
        "verdicts above, because it corrects for the data sets as "
        "well as for the arms."
    )
    claims = _claims(sets)
    columns = ["arm", *_headings(claims)]
    rows = [
        [Cell(row["arm"], float(place)), *_counts(row, claims)]
        for place, row in enumerate(_records(sets.over))
    ]
    if sets.over["mean"].notna().any():
        columns += ["mean over sets", "95 % interval", "95 % of a new set"]
        rows = [[*row, *_mean_cells(scale, each)]
                for row, each in zip(rows, _records(sets.over), strict=True)]  # fmt: skip
        caption += (
            " The mean and its interval (Hartung and Knapp) take the data sets as a sample of "
            "others; the last column is the range of the effect in a new one. No verdict."
        )
    return table(columns, rows, numeric="lr*", caption=caption)


def _mean_cells(scale: Scale, row: Mapping[str, Any]) -> list[Cell]:
    ends = (("low", "high"), ("new_low", "new_high"))
    return [scale.difference(row["mean"]), *(scale.interval(row[a], row[b]) for a, b in ends)]


def _percent(sets: Sets) -> str:
    return percent(1 - sum(look.alpha for look in sets.declaration.looks))


def sets_table(bases: Mapping[str, Basis]) -> Table:
    """Returns a row per data set with its report, its baseline and its own answer."""
    rows = []
    for name, basis in bases.items():
        base, declaration = basis.effects.iloc[0], basis.declaration
        chance = declaration.chance
        rows.append(
            [
                Cell(name, href=f"../{basis.content.label}/index.html"),
                basis.scale.value(base["mean"]),
                Cell("") if chance is None else basis.scale.value(chance),
                count(base["n"]),
                Cell(" ".join(basis.content.answer[:BEGINNING])),
            ]
        )
    columns = ["data set", "baseline", "chance", "seeds", "its answer begins"]
    return table(columns, rows, numeric="lrrrl")


def forests(sets: Sets, bases: Mapping[str, Basis]) -> Iterator[Block]:
    """Yields a forest per arm, a row per data set."""
    largest = sets.cells.groupby("arm")["effect"].apply(lambda effects: effects.abs().max())
    kept = set(largest.nlargest(MOST_DRAWN).index)
    dots = [differences_of(each).assign(set=name) for name, each in bases.items()]
    first = next(iter(bases.values()))
    for place, row in enumerate(_records(sets.over)):
        if row["arm"] in kept:
            bars, seeds = _rows_of(sets, row), _of_arm(pd.concat(dots), row["arm"])
            bars = first.scale.frame(bars, "effect", *VERDICT, *ESTIMATE)
            seeds = first.scale.frame(seeds, "difference")
            yield _forest(f"arm-{place}", row, (bars, seeds, first.axis))


def _forest(
    name: str, row: Mapping[str, Any], drawn: tuple[pd.DataFrame, pd.DataFrame, Axis]
) -> Figure:
    arm, baseline = row["arm"], drawn[-1].baseline
    mean = (
        f" The last row is the mean over {row['sets']} data sets, taken as a sample of others; "
        "its thin line is the range for a new one."
    )
    return Figure(
        name,
        f"Difference of {arm} to the baseline on each data set",
        partial(draw_forest, *drawn),
        f"{arm} less {baseline}, a row per data set.{'' if pd.isna(row['mean']) else mean}",
        narrow=partial(draw_forest, *drawn, narrow=True),
    )


def _rows_of(sets: Sets, row: Mapping[str, Any]) -> pd.DataFrame:
    """Returns one arm's effects as a forest takes them, in which a data set is an arm."""
    mine = _of_arm(sets.cells, row["arm"])
    rows = [mine] if pd.isna(row["mean"]) else [mine, _mean_row(row)]
    return pd.concat([mine.iloc[:1], *rows], ignore_index=True)  # the first is passed over


def _of_arm(frame: pd.DataFrame, arm: str) -> pd.DataFrame:
    mine = frame[frame["arm"] == arm]
    return mine.assign(arm=mine["set"]).reset_index(drop=True)


def _mean_row(row: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the mean over data sets as a row of a forest, which has no verdict."""
    ends = dict(zip((*VERDICT, *ESTIMATE), ("low", "high", "new_low", "new_high"), strict=True))
    given = {name: row[of] for name, of in ends.items()}
    return pd.DataFrame(
        [{"arm": f"mean of {row['sets']} sets", "verdict": "", "effect": row["mean"], "failed": 0,
          "n": row["sets"], **given}]
    )  # fmt: skip


def method(sets: Sets) -> Iterator[Text]:
    """Yields how counts and means over data sets are computed."""
    arms = len(sets.over)
    yield Text(
        "Every data set is judged by itself, as its own report says. A count is a partial "
        "conjunction (Benjamini and Heller, 2008; Dror et al., 2017): with the one-sided p values "
        "of k sets in ascending order, at least u sets hold where (k - j + 1) p(j) is within "
        f"alpha over {2 * arms} (two directions, {arms} arms) for every j up to u; for "
        f"equivalence, within alpha over {arms}. The sets may depend on each other. Where a study "
        "has looks, p is the least over the looks times the whole alpha over the look's."
    )
    yield Text(
        "The seeds of all sets are never pooled: where nothing differs in the mean over sets, "
        "and something in each, pooling makes a false claim in 24 % of simulated studies."
    )
    if len(sets.names) < stats.FEWEST_SETS:
        yield Text(
            f"From {stats.FEWEST_SETS} data sets on, the page also has the mean effect over "
            "data sets and the range for a new one."
        )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
