"""Runs to effects: what each arm's runs say against the baseline's, seed by seed."""

from __future__ import annotations

from typing import Any

import pandas as pd

DIFFERENCES = ("arm", "seed", "difference")
"""One row per arm and complete block: the arm's metric minus the baseline's with that seed."""

EFFECTS = ("arm", "n", "mean", "effect", "wins", "ties", "losses", "failed")
"""One row per arm in declared order; n counts blocks, failed counts runs."""


def differences(runs: pd.DataFrame, *, metric: str, baseline: str) -> pd.DataFrame:
    """Returns the paired differences on test as the columns :data:`DIFFERENCES`.

    Args:
        runs: A runs frame of one study.
        metric: The study's metric.
        baseline: Name of the baseline.
    """
    table = _table(runs, metric)
    paired = table.sub(table[baseline], axis="index").drop(columns=baseline)
    return (
        paired.melt(ignore_index=False, value_name="difference")
        .dropna()
        .reset_index()[list(DIFFERENCES)]
    )


def effects(runs: pd.DataFrame, *, metric: str, baseline: str, direction: int) -> pd.DataFrame:
    """Returns one row per arm as the columns :data:`EFFECTS`.

    Args:
        runs: A runs frame of one study.
        metric: The study's metric.
        baseline: Name of the baseline.
        direction: 1 where a higher metric is better, -1 where a lower one is: what a win is.
    """
    table = _table(runs, metric)
    paired = differences(runs, metric=metric, baseline=baseline)
    failed = (
        _of(runs, metric).groupby("arm")["status"].agg(lambda status: (status == "FAILED").sum())
    )
    rows: list[dict[str, Any]] = []
    for arm in table.columns:
        gaps = paired.loc[paired["arm"] == arm, "difference"] * direction
        rows.append(
            {
                "arm": arm,
                "n": int(table[arm].count()),
                "mean": table[arm].mean(),
                "effect": 0.0 if arm == baseline else (gaps * direction).mean(),
                "wins": int((gaps > 0).sum()),
                "ties": int((gaps == 0).sum()),
                "losses": int((gaps < 0).sum()),
                "failed": int(failed.get(arm, 0)),
            }
        )
    return pd.DataFrame(rows, columns=list(EFFECTS))


def _of(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    return runs[(runs["split"] == "test") & (runs["metric"] == metric)]


def _table(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Returns seed x arm with the metric on test, arms in the order in which they first appear."""
    of = _of(runs, metric)
    table = of.pivot(index="seed", columns="arm", values="value")
    return table[list(dict.fromkeys(of["arm"]))]
