"""Arms of which every run failed: their values are imputed, so what is read shows none."""

from __future__ import annotations

import pandas as pd

from ablation.records.prose import joined

NUMBERS = (
    "mean", "effect", "low", "high", "verdict_low", "verdict_high", "estimate_low",
    "estimate_high",
)  # fmt: skip
"""Columns of an effects frame that rest on the values of runs."""


def all_failed(effects: pd.DataFrame) -> set[str]:
    """Returns the arms of which every run failed."""
    return set(effects.loc[(effects["failed"] == effects["n"]) & (effects["n"] > 0), "arm"])


def without_failed(arms: pd.DataFrame) -> str:
    """Returns which arms are left out because all of their runs failed; empty if none is.

    Args:
        arms: One row per arm: arm, failed, n.
    """
    gone = all_failed(arms)
    names = [arm for arm in arms["arm"] if arm in gone]
    return f", without {joined(names)}, which failed in all runs" if names else ""


def without_imputed(frame: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """Returns a frame without the numbers of arms of which every run failed.

    A failed run counts as a constant, which decides a verdict but is no size of an effect.

    Args:
        frame: One row or more per arm, with some of the columns :data:`NUMBERS`.
        effects: One row per arm, the baseline first.
    """
    failed = frame["arm"].isin(all_failed(effects))
    if not failed.any():
        return frame
    columns = [name for name in NUMBERS if name in frame]
    return frame.assign(**{name: frame[name].mask(failed) for name in columns})
