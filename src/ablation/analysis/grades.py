"""Grades how much a study's factor matters, by the margin: the smallest effect to act on."""

from __future__ import annotations

import math

import pandas as pd

from ablation.analysis.words import BY_FAILURES, amount, exactly
from ablation.records.declaration import Declaration
from ablation.records.metric import Metric

GRADES = {
    "at_least": "It matters, by at least the margin of {margin}",
    "failures": "It matters: it changes how often runs fail",
    "open": "It matters, perhaps by less than the margin of {margin}",
    "below": "It makes a difference, but less than the margin of {margin}",
    "no_margin": "It matters",
}
"""Grade of a study with a BETTER or WORSE arm, the highest first, to how its answer begins."""


ASKED_POWER = 0.8416
"""The standard normal's quantile at 80 %: by so many standard errors an effect must exceed what
is significant, to be found with that probability."""


def matters(arms: pd.DataFrame, declaration: Declaration) -> str:
    """Returns how much the factor matters; where nothing was found, what would have been."""
    where, margin = _condition(arms, declaration), declaration.margin
    if grade := grade_of(arms):
        told = "" if margin is None else exactly(margin, declaration.measure)
        return f"{GRADES[grade].format(margin=told)}{where}"
    if (arms["verdict"] == "IDENTICAL").all():
        return f"It changed nothing on these seeds{where}"
    if arms["verdict"].isin(["EQUIVALENT", "IDENTICAL"]).all():
        return f"It does not matter{where}"
    shown = _would_have_shown(arms, declaration.measure)
    return f"Not known yet whether it matters{where}{shown}"


def _condition(arms: pd.DataFrame, declaration: Declaration) -> str:
    """Returns what the answer is limited to."""
    where = ", on this test split" if arms["scope"].iloc[0] == "this_split" else ""
    where += "" if declaration.paired else ", unpaired"
    if declaration.searched is not None and declaration.searched.kind == "once":
        where += ", conditional on the tuned hyperparameters"
    return where


def _would_have_shown(arms: pd.DataFrame, metric: Metric) -> str:
    """Returns the difference that would have been found in every undecided arm, with 80 %."""
    rows = arms[arms["verdict"] == "INCONCLUSIVE"]
    half = (rows["verdict_high"] - rows["verdict_low"]) / 2
    least = (half + ASKED_POWER * rows["standard_error"]).max()
    if not math.isfinite(least):
        return ""
    return f": a difference of {amount(least, metric)} would have been found with 80 % probability"


def grade_of(arms: pd.DataFrame) -> str:
    """Returns the key of :data:`GRADES` for a study; empty where no arm is BETTER or WORSE.

    Args:
        arms: The rows of an effects frame, without the baseline.
    """
    decided = arms[arms["verdict"].isin(["BETTER", "WORSE"])]
    failing = decided_by_failures(decided)
    found = {*decided.loc[~failing, "reach"].replace("", "no_margin")}
    found |= {"failures"} if failing.any() else set()
    if found == {"below"} and (arms["verdict"] == "INCONCLUSIVE").any():
        return "open"  # an undecided arm may differ by more
    return next((grade for grade in GRADES if grade in found), "")


def decided_by_failures(rows: pd.DataFrame) -> pd.Series[bool]:
    """Returns which arms were decided by failed runs: their effects hold an imputed value."""
    return rows["ground"].isin(BY_FAILURES) | (rows["failed"] == rows["n"])


def reach_of_all(arms: pd.DataFrame) -> str:
    """Returns the reach that all arms decided by a difference share; empty if they share none."""
    decided = arms[arms["verdict"].isin(["BETTER", "WORSE"])]
    reaches = set(decided.loc[~decided_by_failures(decided), "reach"])
    return reaches.pop() if len(reaches) == 1 else ""
