"""Frames to the tables of a report; each table is tested in place of the figure above it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ablation.records.declaration import Declaration
from ablation.report.blocks import Cell, Table, table
from ablation.report.content import Content
from ablation.report.numbers import Scale, count, minus, p_value

LINKED = 2000
"""Runs up to which each links to its own page; beyond, a page is too heavy to mail."""


def word(verdict: str) -> Cell:
    """Returns a verdict as a cell; the baseline has none."""
    return Cell(verdict or "baseline", word=verdict)


def verdict_table(effects: pd.DataFrame, scale: Scale) -> Table:
    """Returns the verdicts, a row per arm, the baseline first."""
    rows = []
    for place, row in enumerate(effects.to_dict("records")):
        first = place == 0
        rows.append(
            [
                Cell(row["arm"], float(place)),
                word(row["verdict"]),
                Cell("") if first else scale.difference(row["effect"]),
                Cell("") if first else scale.interval(row["low"], row["high"]),
                p_value(row["p_difference"]),
                p_value(row["p_equivalence"]),
                scale.value(row["mean"]),
                count(row["n"]),
                Cell(
                    f"{row['failed']} of {row['n']}, ≤ {row['failed_upper95']:.0%}", row["failed"]
                ),
                Cell("" if first else f"{row['wins']}–{row['ties']}–{row['losses']}"),
            ]
        )
    columns = ["arm", "verdict", "difference", "95 % interval", "p differs", "p equivalent",
               "mean", "seeds", "failed", "w–t–l"]  # fmt: skip
    caption = (
        f"{scale.heading[0].upper()}{scale.heading[1:]}. Differences to the baseline compare runs "
        "that share a seed; intervals are pointwise, p values adjusted by Holm; beside the failed "
        "runs stands the rate up to which they may fail (one-sided 95 %); w–t–l counts the seeds "
        "on which the arm is better than, level with and worse than the baseline."
    )
    return table(columns, rows, numeric="llrrrrrrrr", caption=caption)


def response_table(response: pd.DataFrame, scale: Scale) -> Table:
    """Returns the response to an ordered factor."""
    rows = [
        [Cell(row["arm"], row["level"]), scale.value(row["mean"]),
         _plain_interval(row["low"], row["high"], scale), word(row["verdict"]),
         Cell(f"{row['failed']} of {row['n']}", row["failed"]),
         Cell(f"{row['failed_low']:.0%} to {row['failed_high']:.0%}", row["failed_low"])]
        for row in response.to_dict("records")
    ]  # fmt: skip
    columns = ["level", "mean", "95 % around the effect", "verdict", "failed", "95 %"]
    return table(columns, rows, numeric="rrrlrr")


def looks_table(looks: pd.DataFrame, scale: Scale) -> Table:
    """Returns what each look said, an arm to a row."""
    seeds = sorted(set(looks["look"]))
    said = looks.set_index(["arm", "look"]).to_dict("index")
    rows = []
    for arm in dict.fromkeys(looks["arm"]):
        cells = [Cell(arm)]
        for look in seeds:
            found = said.get((arm, look))
            text = "" if found is None else (
                f"{found['verdict']} {scale.difference(found['effect']).text}"
            )  # fmt: skip
            cells.append(Cell(text, word="" if found is None else found["verdict"]))
        rows.append(cells)
    return table(["arm", *(f"{look} seeds" for look in seeds)], rows, numeric="l")


def curve_table(bands: pd.DataFrame, split: str, epochs: Sequence[int]) -> Table:
    """Returns means of the curves of a split at some epochs, an arm to a row."""
    of = bands[(bands["split"] == split) & bands["epoch"].isin(epochs)]
    names = list(dict.fromkeys(of["metric"]))
    columns = [(name, epoch) for name in names for epoch in epochs
               if ((of["metric"] == name) & (of["epoch"] == epoch)).any()]  # fmt: skip
    values = of.set_index(["arm", "metric", "epoch"])["mean"].to_dict()
    rows = [
        [Cell(arm), *(_short(values.get((arm, *column))) for column in columns)]
        for arm in dict.fromkeys(of["arm"])
    ]
    headings = [f"{name.replace('_', ' ')}, epoch {epoch}" for name, epoch in columns]
    return table(["arm", *headings], rows, numeric="lr*")


def failure_table(effects: pd.DataFrame, scores: pd.DataFrame) -> Table:
    """Returns the arms of which runs failed: how many, why, and how often that may be."""
    failed = scores[scores["status"] == "FAILED"]
    rows = []
    for row in effects[effects["failed"] > 0].to_dict("records"):
        of = failed[failed["arm"] == row["arm"]]
        reasons = of["reason"].value_counts(sort=False)
        said = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
        seeds = ", ".join(str(seed) for seed in sorted(of["seed"]))
        bound = Cell(f"{row['failed_upper95']:.0%}", row["failed_upper95"])
        rows.append([Cell(row["arm"]), Cell(f"{row['failed']} of {row['n']}", row["failed"]),
                     Cell(said), Cell(seeds), bound])  # fmt: skip
    return table(["arm", "failed", "reasons", "seeds", "rate up to (95 %)"], rows, numeric="lrllr")


def interaction_table(interactions: pd.DataFrame, scale: Scale) -> Table:
    """Returns the differences of differences."""
    rows = [
        [Cell(row["first"]), Cell(row["second"]), scale.difference(row["effect"]),
         scale.interval(row["low"], row["high"]),
         scale.interval(row["adjusted_low"], row["adjusted_high"]), p_value(row["p"])]
        for row in interactions.to_dict("records")
    ]  # fmt: skip
    factors = interactions[["first_factor", "second_factor"]].iloc[0]
    columns = [*factors, "together beyond each", "95 %", "agrees with Holm", "p"]
    return table(columns, rows, numeric="llrrrr")


def sensitivity_table(sensitivity: pd.DataFrame) -> Table:
    """Returns the verdicts beside those that other choices would give."""
    rows = [[Cell(row["arm"]), *(word(row[name]) for name in list(sensitivity)[1:])]
            for row in sensitivity.to_dict("records")]  # fmt: skip
    return table(["arm", "verdict", "pooled spread", "half the margin", "double the margin"], rows)


def generalisation_table(generalisation: pd.DataFrame, scale: Scale) -> Table:
    """Returns the effects for new seeds and new test examples."""
    rows = [
        [Cell(row["arm"]), scale.difference(row["effect"]),
         scale.interval(row["low"], row["high"]), count(row["n"]), count(row["examples"])]
        for row in generalisation.to_dict("records")
    ]  # fmt: skip
    return table(["arm", "difference", "95 %", "seeds", "examples"], rows, numeric="lrrrr")


def frame_table(frame: pd.DataFrame) -> Table:
    """Returns any frame as it is: numbers short, truth as yes and no."""
    rows = [[_any(value) for value in row] for row in frame.itertuples(index=False)]
    numeric = "".join("r" if pd.api.types.is_numeric_dtype(frame[name])
                      and not pd.api.types.is_bool_dtype(frame[name]) else "l"
                      for name in frame)  # fmt: skip
    return table([str(name).replace("_", " ") for name in frame], rows, numeric=numeric)


def run_table(content: Content, scores: pd.DataFrame, scale: Scale) -> Table:
    """Returns the metric of every run, an arm to a row, each linked to the run's page."""
    base = f"{content.record['address']}/#/experiments/{content.record['experiment']}/runs"
    linked = len(scores) <= LINKED
    cells = {
        (row["arm"], row["seed"]): Cell(
            row["reason"] or "failed" if row["status"] == "FAILED"
            else scale.value(row["value"]).text,
            row["value"],
            f"{base}/{row['run_id']}" if linked else "",
            "WORSE" if row["status"] == "FAILED" else "",
        )
        for row in scores.to_dict("records")
    }  # fmt: skip
    seeds = range(1 + int(scores["seed"].max())) if len(scores) else range(0)
    arms = list(content.judged.effects["arm"])
    rows = [[Cell(arm), *(cells.get((arm, seed), Cell("")) for seed in seeds)] for arm in arms]
    return table(["arm", *(str(seed) for seed in seeds)], rows, numeric="lr*", is_matrix=True)


def fixed_table(declaration: Declaration) -> Table:
    """Returns the hyperparameters that are equal in all arms."""
    values = [arm.values for arm in declaration.arms]
    fixed = [(path, value) for path, value in values[0].items()
             if all(of.get(path) == value for of in values)]  # fmt: skip
    rows = [[Cell(path), Cell(value)] for path, value in fixed]
    return table(["held fixed", "value"], rows)


def _plain_interval(low: float, high: float, scale: Scale) -> Cell:
    ends = (scale.value(low), scale.value(high))
    return Cell(" to ".join(end.text for end in ends) if not math.isnan(low) else "", low)


def _short(value: float | None) -> Cell:
    return Cell("") if value is None else Cell(minus(f"{value:.4g}"), value)


def _any(value: Any) -> Cell:
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return Cell("yes" if value else "no")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell("") if math.isnan(value) else Cell(minus(f"{value:.4g}"), float(value))
    return Cell("" if value is None else str(value))
