"""Learning curves and probes over the seeds of an arm, with bands of Student's t."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ablation import stats

BANDS = ("arm", "split", "metric", "epoch", "n", "mean", "low", "high")
"""One row per arm, metric and epoch: mean over the finished runs, pointwise 95 % t interval;
without ends where fewer than two runs are there."""

CUT_SHORT = ("arm", "seed", "split", "metric", "epoch", "value", "last")
"""One row per FAILED run, metric and epoch with a finite value; whether it is the last one."""


CHOSEN = ("arm", "n", "last", "share")
"""One row per arm: finished runs, those whose chosen epoch was the last one, and their share."""


def chosen_last(curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the columns :data:`CHOSEN`: how often training ended before its best epoch may have.

    Args:
        curves: A curves frame, which says what the last epoch of each run was.
        runs: A runs frame, which has the epoch that validation chose; 0 if none was chosen.
    """
    ended = curves[curves["epoch"] > 0].groupby(["arm", "seed"])["epoch"].max().rename("end")
    keys = ["arm", "seed", "epoch"]
    chose = (runs["status"] == "FINISHED") & (runs["epoch"] > 0)
    kept = runs.loc[chose, keys].drop_duplicates()
    table = kept.merge(ended.reset_index(), on=["arm", "seed"])
    table = table.assign(last=table["epoch"] >= table["end"])
    found = table.groupby("arm", sort=False)["last"].agg(["size", "sum", "mean"]).reset_index()
    return found.set_axis(list(CHOSEN), axis="columns")


def bands(curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the columns :data:`BANDS`, arms in the order of the runs.

    Args:
        curves: A curves frame.
        runs: A runs frame; only its FINISHED runs enter a band.
    """
    kept = _with_status(curves, runs, "FINISHED")
    keys = ["arm", "split", "metric", "epoch"]
    table = kept.groupby(keys, sort=True)["value"].agg(["size", "mean", "std"]).reset_index()
    n = table["size"].to_numpy(np.float64)
    error = table["std"].to_numpy(np.float64) / np.sqrt(n)
    low, high = stats.interval(table["mean"], error, np.maximum(n - 1, 1), 0.025)
    found = table.assign(low=low, high=high, n=table["size"])
    return pd.DataFrame(_in_order(found, list(dict.fromkeys(runs["arm"])))[list(BANDS)])


def cut_short(curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the columns :data:`CUT_SHORT`: how far the FAILED runs came."""
    kept = _with_status(curves, runs, "FAILED")
    of = kept.groupby(["arm", "seed", "split", "metric"], sort=False)["epoch"]
    last = kept["epoch"] == of.transform("max")
    return pd.DataFrame(kept.assign(last=last)[list(CUT_SHORT)])


def _with_status(curves: pd.DataFrame, runs: pd.DataFrame, status: str) -> pd.DataFrame:
    of = runs.loc[runs["status"] == status, ["arm", "seed"]].drop_duplicates()
    finite: pd.DataFrame = curves[np.isfinite(curves["value"])]
    return finite.merge(of, on=["arm", "seed"])


def _in_order(frame: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    place = frame["arm"].map({arm: i for i, arm in enumerate(arms)})
    keys = ["_place", "split", "metric", "epoch"]
    ordered = pd.DataFrame(frame.assign(_place=place)).sort_values(keys, kind="stable")
    return ordered.reset_index(drop=True)
