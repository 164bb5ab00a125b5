"""Recorded runs as tidy frames; their columns are the contract with all that reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pandas as pd

from ablation.config import Metric
from ablation.tracking.record import Outcome
from ablation.tracking.store import Home

RUNS = (
    "study", "config", "arm", "seed", "split", "metric", "value", "status", "reason", "epoch",
    "seconds", "run_id",
)  # fmt: skip
"""One row per run and metric; a FAILED run has one row per metric, its value empty."""

CURVES = ("study", "config", "arm", "seed", "split", "metric", "epoch", "value")
"""One row per run, metric and epoch."""

SPLITS = ("validation", "test")


def runs_frame(
    home: Home, declaration: Mapping[str, Any], outcomes: Mapping[str, Outcome]
) -> pd.DataFrame:
    """Returns the declaration's runs as the columns :data:`RUNS`, in the plan's order."""
    rows = [
        {
            "study": home.label,
            "config": key.split("/")[1],
            "arm": arm,
            "seed": seed,
            "split": split,
            "metric": metric,
            "value": outcome.metrics.get(f"{split}/{metric}"),
            "status": outcome.status,
            "reason": outcome.reason,
            "epoch": outcome.epoch,
            "seconds": outcome.seconds,
            "run_id": outcome.run_id,
        }
        for arm, seed, key, outcome in _planned(declaration, outcomes)
        for split in SPLITS
        for metric in get_args(Metric)
    ]
    frame = pd.DataFrame(rows, columns=list(RUNS))
    return frame.astype({"value": float, "seconds": float})


def curves_frame(
    home: Home, declaration: Mapping[str, Any], outcomes: Mapping[str, Outcome]
) -> pd.DataFrame:
    """Returns the declaration's metrics per epoch as the columns :data:`CURVES`."""
    names = ["train/loss", *(f"validation/{metric}" for metric in get_args(Metric))]
    rows = [
        (home.label, key.split("/")[1], arm, seed, *name.split("/"), point.step, point.value)
        for arm, seed, key, outcome in _planned(declaration, outcomes)
        for name in names
        for point in home.client.get_metric_history(outcome.run_id, name)
    ]
    return pd.DataFrame(rows, columns=list(CURVES)).astype({"value": float})


def _planned(
    declaration: Mapping[str, Any], outcomes: Mapping[str, Outcome]
) -> Iterator[tuple[str, int, str, Outcome]]:
    """Yields arm, seed, key and outcome of every planned trial that is done."""
    for seed in range(declaration["seeds"]):
        for arm in declaration["arms"]:
            key = f"{declaration['name']}/{arm['config']}/{seed}"
            if key in outcomes:
                yield arm["name"], seed, key, outcomes[key]
