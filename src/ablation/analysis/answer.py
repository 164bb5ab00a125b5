"""Verdicts as sentences: what a reader takes away."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ablation import stats
from ablation.records.declaration import Declaration
from ablation.records.metric import Metric

MOST_NAMED = 6
"""Arms of one verdict that a sentence names; of more it says how many, and the largest effect."""


FAILED_ALONE = "failed alone"
"""How the reason of a verdict begins that failures decided, and no difference."""


def by_failures(effects: pd.DataFrame) -> pd.Series[bool]:
    """Returns which verdicts rest on how often runs failed, and not on a difference."""
    decided = effects["verdict"].isin(["BETTER", "WORSE"])
    return decided & effects["reason"].str.startswith(FAILED_ALONE)


def answer(effects: pd.DataFrame, declaration: Declaration) -> str:
    """Returns the study's answer as one sentence.

    Args:
        effects: One row per arm, the baseline first.
        declaration: What the study fixed.
    """
    arms, metric, baseline = effects.iloc[1:], declaration.measure, declaration.baseline
    parts, failing = [], by_failures(arms)
    for verdict, word in (("WORSE", "worse"), ("BETTER", "better")):
        rows = arms[(arms["verdict"] == verdict) & ~failing]
        if len(rows):
            parts.append(
                f"{_named(rows)} {_are(rows)} {word} than {baseline} by {_by(rows, metric)}"
            )
        for row in arms[(arms["verdict"] == verdict) & failing].to_dict("records"):
            parts.append(f"{row['arm']} is {word} than {baseline} since it {row['reason']}")
    equal = arms[arms["verdict"] == "EQUIVALENT"]
    same = equal["reason"].str.startswith("identical")
    if same.any():
        rows = equal[same]
        parts.append(f"{_named(rows)} {_are(rows)} identical to {baseline}, bit for bit")
    if (~same).any():
        rows = equal[~same]
        assert declaration.margin is not None  # or no arm would be equivalent but by identity
        margin = exactly(declaration.margin, metric)
        parts.append(f"{_named(rows)} {_are(rows)} equivalent to {baseline} within {margin}")
    parts += _inconclusive(arms[arms["verdict"] == "INCONCLUSIVE"])
    return f"{_of(len(arms), declaration)}{'; '.join(parts)}."


def _of(arms: int, declaration: Declaration) -> str:
    """Returns how the sentence begins: ``Of 6 other levels of init_std,``."""
    if arms < 3:  # noqa: PLR2004 - one or two are named at once
        return ""
    if declaration.factor is None:
        return f"Of {arms} other arms, "
    return f"Of {arms} other levels of {declaration.factor.rpartition('.')[2]}, "


def _named(rows: pd.DataFrame) -> str:
    return _join(rows["arm"]) if len(rows) <= MOST_NAMED else str(len(rows))


def _by(rows: pd.DataFrame, metric: Metric) -> str:
    """Returns how large some effects are, each with its interval; of many, the range."""
    sizes = rows["effect"].abs()
    if len(rows) > MOST_NAMED:
        ends = " to ".join(amount(end, metric, unit=False) for end in (sizes.min(), sizes.max()))
        return f"{ends}{_unit(metric)} ({rows['arm'].iloc[int(sizes.argmax())]} the most)"
    said = _join([amount(size, metric, unit=False) for size in sizes]) + _unit(metric)
    intervals = [_interval(row, metric) for row in rows.to_dict("records")]
    known = rows[["low", "high"]].notna().all(axis=None)
    return f"{said} (95 % {_join(intervals)})" if known else said


def _interval(row: Mapping[Any, Any], metric: Metric, *, of_size: bool = True) -> str:
    """Returns the ends of an effect's interval, of its size where the sign is in the words."""
    low, high = row["low"], row["high"]
    if of_size and row["effect"] < 0:
        low, high = -high, -low
    return " to ".join(amount(end, metric, unit=False) for end in (low, high))


def sentences(effects: pd.DataFrame, declaration: Declaration) -> list[str]:
    """Returns a sentence per arm but the baseline: verdict, effect, interval, reason."""
    metric = declaration.measure
    return [_sentence(row, metric) for row in effects.iloc[1:].to_dict("records")]


def _sentence(row: Mapping[Any, Any], metric: Metric) -> str:
    said = f"{row['arm']}: {row['verdict']}"
    if math.isnan(row["effect"]) or not row["n"]:
        return f"{said}: {row['reason']}."
    decided = row["verdict"] in {"BETTER", "WORSE"}
    ends = _interval(row, metric, of_size=decided)
    interval = "no interval" if math.isnan(row["low"]) else f"95 % {ends}"
    if decided and row["reason"].startswith(FAILED_ALONE):
        return f"{said}: {row['reason']}, n = {row['n']}."
    if decided:
        size = amount(abs(row["effect"]), metric)
        least = ", at least the margin" if row["by_margin"] else ""
        p = f"adjusted p {row['p_difference']:.2g}"
        return f"{said} by {size}{least} ({interval}, {p}, n = {row['n']})."
    effect = amount(row["effect"], metric)
    return f"{said}, difference {effect} ({interval}, n = {row['n']}): {row['reason']}."


def amount(value: float, metric: Metric, *, unit: bool = True) -> str:
    """Returns a value in points of a hundred, or in the metric's own units."""
    if math.isnan(value):
        return "unknown"
    text = f"{metric.factor * value:.{metric.digits - 1}f}"
    # The sign that is as wide as a plus, here and not in whole sentences, whose names stay.
    return text.replace("-", "−") + (_unit(metric) if unit else "")


def exactly(value: float, metric: Metric) -> str:
    """Returns a declared value with its unit, all of its digits."""
    return f"{metric.factor * value:.6g}{_unit(metric)}"


def _unit(metric: Metric) -> str:
    return f" {metric.unit}" if metric.unit else ""


def _inconclusive(rows: pd.DataFrame) -> list[str]:
    waiting = rows["reason"].str.contains("next look|exploratory")
    planned = rows[~waiting & np.isfinite(rows["seeds_likely"])]
    parts = []
    if len(planned) == 1:
        more = stats.follow_up_sentence(float(planned["seeds_likely"].iloc[0]))
        parts.append(f"{planned['arm'].iloc[0]} is inconclusive: {more}")
    elif len(planned) > MOST_NAMED:
        sizes = planned["seeds_likely"]
        parts.append(
            f"{len(planned)} are inconclusive: follow-ups of {sizes.min():.0f} to "
            f"{sizes.max():.0f} seeds would decide them with 80 %"
        )
    elif len(planned):
        sizes = _join([f"{seeds:.0f}" for seeds in planned["seeds_likely"]])
        parts.append(
            f"{_join(planned['arm'])} are inconclusive: follow-ups of {sizes} seeds would decide "
            "them with 80 %"
        )
    others = rows[~waiting & ~np.isfinite(rows["seeds_likely"])]
    for reason, group in others.groupby("reason", sort=False):
        parts.append(f"{_named(group)} {_are(group)} inconclusive: {reason}")
    if waiting.any():
        undecided = rows[waiting]
        parts.append(f"{_named(undecided)} {_are(undecided)} not decided yet")
    return parts


def _join(words: Sequence[str] | pd.Series[str]) -> str:
    *head, last = [str(word) for word in words]
    return f"{', '.join(head)} and {last}" if head else last


def _are(rows: pd.DataFrame) -> str:
    return "is" if len(rows) == 1 else "are"
