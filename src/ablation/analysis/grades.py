"""Grades how much a study's factor matters, by the margin: the smallest effect to act on."""

from __future__ import annotations

import pandas as pd

from ablation.analysis.words import BY_FAILURES

GRADES = {
    "at_least": "It matters, by at least the margin of {margin}",
    "failures": "It matters: it changes how often runs fail",
    "open": "It makes a difference, which may be less than the margin of {margin}",
    "below": "It makes a difference, but less than the margin of {margin}",
    "no_margin": "It makes a difference",
}
"""Grade of a study with a BETTER or WORSE arm, the highest first, to how its answer begins."""


def grade_of(arms: pd.DataFrame) -> str:
    """Returns the key of :data:`GRADES` for a study; empty where no arm is BETTER or WORSE.

    Args:
        arms: The rows of an effects frame, without the baseline.
    """
    decided = arms[arms["verdict"].isin(["BETTER", "WORSE"])]
    failing = decided_by_failures(decided)
    found = {*decided.loc[~failing, "reach"].replace("", "no_margin")}
    found |= {"failures"} if failing.any() else set()
    return next((grade for grade in GRADES if grade in found), "")


def decided_by_failures(rows: pd.DataFrame) -> pd.Series[bool]:
    """Returns which arms were decided by failed runs: their effects hold an imputed value."""
    return rows["ground"].isin(BY_FAILURES) | (rows["failed"] == rows["n"])


def reach_of_all(arms: pd.DataFrame) -> str:
    """Returns the reach that all arms decided by a difference share; empty if they share none."""
    decided = arms[arms["verdict"].isin(["BETTER", "WORSE"])]
    reaches = set(decided.loc[~decided_by_failures(decided), "reach"])
    return reaches.pop() if len(reaches) == 1 else ""
