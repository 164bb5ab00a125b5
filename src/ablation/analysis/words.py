"""Writes every sentence about verdicts from the columns of an effects frame.

No code parses these sentences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ablation.records.declaration import Declaration
from ablation.records.metric import Metric, percent, telling_digits
from ablation.records.prose import joined

BY_FAILURES = ("FAILS_MORE", "FAILS_LESS")
"""Grounds of a verdict that is based on failures, not on a difference."""

SCOPES = {
    "new_examples": "new seeds and new test examples",
    "this_split": "new seeds on this test split",
}
"""Scope to its words in a sentence."""

REACHES = {
    "at_least": ", at least the margin",
    "open": ", perhaps less than the margin",
    "below": ", less than the margin",
    "": "",
}
"""Words after the size of an effect, by its reach: how it compares with the margin."""


def scope_note(effects: pd.DataFrame, declaration: Declaration) -> str:
    """Returns what the verdicts are about, and where that is this split alone, why."""
    scope = effects["scope"].iloc[0]
    said = f"Verdicts are about {SCOPES[scope]}"
    if scope == "new_examples":
        return f"{said}: the examples, too, are taken as a sample of others."
    if declaration.scope == "this_split":
        return f"{said}, as the study declares; they say nothing of other examples."
    metric = declaration.measure.title
    if declaration.measure.examples is None and declaration.described is not None:
        return f"{said}: no scores by example are declared for {metric}."
    if declaration.measure.examples is None:
        return f"{said}: {metric} is no share of examples that were classified correctly."
    return (
        f"{said}: scores by example are missing for a finished run or for what a failed one "
        "counts as, or runs have different numbers of them."
    )


def _interval(
    row: Mapping[Any, Any], metric: Metric, margin: float | None, *, of_size: bool = True
) -> str:
    """Returns the ends of the verdict's interval.

    Args:
        row: The arm's row of an effects frame.
        metric: The metric.
        margin: The margin, where there is one.
        of_size: Whether to give the interval of the effect's size, for sentences with "worse".
    """
    low, high = row["verdict_low"], row["verdict_high"]
    if of_size and row["effect"] < 0:
        low, high = -high, -low
    return between(low, high, metric, margin)


def sentences(effects: pd.DataFrame, declaration: Declaration) -> list[str]:
    """Returns verdict, effect, interval and reason of each arm except the baseline.

    Arms of which the same is to be said share a sentence, as identical ones do.
    """
    metric, arms = declaration.measure, dict[str, list[str]]()
    unpaired = "" if declaration.paired else "unpaired "
    for row in effects.iloc[1:].to_dict("records"):
        said = f"{unpaired}{row['verdict']}{_of_arm(row, metric, declaration.margin)}"
        arms.setdefault(said, []).append(str(row["arm"]))
    return [f"{joined(names)}: {said}" for said, names in arms.items()]


def _of_arm(row: Mapping[Any, Any], metric: Metric, margin: float | None) -> str:
    """Returns the rest of a sentence after the verdict's word."""
    remarks = [LATE, *doubts(row)] if row["late"] else doubts(row)
    if not math.isnan(row["fresh_n"]):
        ends = between(row["fresh_low"], row["fresh_high"], metric, margin)
        size = amount(row["fresh_effect"], metric)
        remarks = [f"on {row['fresh_n']:.0f} fresh seeds {size} ({ends})", *remarks]
    if 0 < row["failed"] < row["n"] and row["ground"] not in BY_FAILURES:
        remarks = [f"{row['failed']} of its {row['n']} runs failed", *remarks]
    doubt = "".join(f"; {each}" for each in remarks)
    if row["n"] and row["failed"] == row["n"]:
        return f": failed in all {row['n']} runs{doubt}."
    if math.isnan(row["effect"]) or not row["n"]:
        return f": {row['reason']}."
    decided = row["verdict"] in {"BETTER", "WORSE"}
    ends = _interval(row, metric, margin, of_size=decided)
    interval = "no interval" if math.isnan(row["verdict_low"]) else ends
    if row["ground"] in BY_FAILURES:
        return f": {row['reason']}, n = {row['n']}{doubt}."
    if row["verdict"] == "IDENTICAL":
        bound = percent(row["may_differ95"])
        return (
            f": bit for bit the same as the baseline on all {row['n']} seeds; up to {bound} of "
            "other seeds may differ."
        )
    if decided:
        size = amount(abs(row["effect"]), metric)
        p = p_text(row["p_difference"], row["alpha"])
        of = f"{interval}, adjusted p {p} at alpha {row['alpha']:g}, n = {row['n']}"
        return f" by {size}{REACHES[row['reach']]} ({of}){doubt}."
    effect = amount(row["effect"], metric)
    of = f"{interval}, n = {row['n']}"
    return f", difference {effect} ({of}): {row['reason']}{doubt}."


MARK = "†"
"""Beside a verdict that something weakens."""

LATE = "runs of it came after the look was taken, so it was judged at alpha over all arms"
"""A remark on an arm's verdict."""


def doubts(row: Mapping[Any, Any]) -> list[str]:
    """Returns what weakens one arm's verdict: the shape of its differences, a single seed.

    Where every run of an arm failed, no single seed decides that.
    """
    said = []
    if has_odd_shape(row):
        said.append(f"the differences {ODD_SHAPE}")
    if rests_on_one_seed(row):
        said.append(f"it rests {ON_ONE_SEED}")
    return said


ODD_SHAPE = "are too skewed, or too far apart, for a t test on so few seeds"
"""Said of an arm's differences."""

ON_ONE_SEED = "on one seed: without it, the verdict would differ"
"""Said of what a verdict rests on."""


def has_odd_shape(row: Mapping[Any, Any]) -> bool:
    """Returns whether an arm's differences are too skewed or far apart for the test."""
    return bool(row["odd_shape"])


def rests_on_one_seed(row: Mapping[Any, Any]) -> bool:
    """Returns whether an arm's verdict would differ without one of its seeds."""
    return bool(row["one_seed"] and row["failed"] < row["n"])


def short(value: str) -> str:
    """Returns a configured value from its repr: a number with three digits, a text bare.

    >>> short("0.0064912"), short("'logsumexp'")
    ('0.00649', 'logsumexp')
    """
    try:
        return f"{float(value):.3g}"
    except ValueError:
        return value.strip("'")


def amount(value: float, metric: Metric, *, unit: bool = True) -> str:
    """Returns a value as it is shown: scaled, rounded and with its unit.

    >>> from ablation.records.metric import METRICS
    >>> amount(-0.0123, METRICS["accuracy"])
    '−1.2 points'
    """
    said = _number(value, metric, metric.digits - 1)
    return said + _unit(metric) if unit and not math.isnan(value) else said


def _number(value: float, metric: Metric, digits: int) -> str:
    if math.isnan(value):
        return "unknown"
    # A real minus sign; in whole sentences, a replacement would also change names of arms.
    return f"{metric.factor * value:z.{digits}f}".replace("-", "−")


def between(low: float, high: float, metric: Metric, margin: float | None) -> str:
    """Returns the ends of an interval, with so many digits that neither is shown on 0 or on the
    margin unless it is.

    >>> from ablation.records.metric import METRICS
    >>> between(0.0004, 0.0267, METRICS["accuracy"], 0.02)
    '0.04 to 2.67'
    """
    edges = (0.0,) if margin is None else (0.0, margin, -margin)
    digits = telling_digits((low, high), edges, metric, metric.digits - 1)
    return " to ".join(_number(end, metric, digits) for end in (low, high))


SMALLEST_P = 1e-4
"""Below it, a p value is only said to be smaller, unless alpha is below it, too."""


def p_text(p: float, alpha: float = math.nan) -> str:
    """Returns a p value to two digits, or to as many as leave it on its side of alpha.

    >>> p_text(0.0203), p_text(0.0203, alpha=0.02), p_text(4e-9), p_text(4e-9, alpha=1e-5)
    ('0.02', '0.0203', '<0.0001', '4e-09')
    """
    if p < SMALLEST_P and not alpha < SMALLEST_P:
        return "<0.0001"
    shown = (f"{p:.{digits}g}" for digits in range(2, 17))
    return next((text for text in shown if (float(text) <= alpha) == (p <= alpha)), f"{p:.2g}")


def exactly(value: float, metric: Metric) -> str:
    """Returns a declared value with all of its digits and its unit.

    >>> from ablation.records.metric import METRICS
    >>> exactly(0.0125, METRICS["accuracy"])
    '1.25 points'
    >>> exactly(0.01, METRICS["accuracy"])
    '1 point'
    """
    said = f"{metric.factor * value:.6g}{_unit(metric)}"
    return "1 point" if said == "1 points" else said


def _unit(metric: Metric) -> str:
    return f" {metric.unit}" if metric.unit else ""


def unit_of_levels(metric: Metric) -> str:
    """Returns the unit of a value that is no difference: a share is in per cent, not in points."""
    return " %" if metric.unit == "points" else _unit(metric)


def failed_alone(row: Mapping[Any, Any], *, paired: bool = True) -> str:
    """Returns how often an arm failed and the baseline did not, and the reverse."""
    if not paired:
        return (
            f"failed on {row['failed_alone']} of {row['n']} runs, "
            f"the baseline on {row['baseline_failed_alone']}"
        )
    return (
        f"failed alone on {row['failed_alone']} of {row['n']} seeds, "
        f"the baseline alone on {row['baseline_failed_alone']}"
    )
