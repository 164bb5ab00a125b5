"""Publishes a study's answer on its parent run: aggregates, a note, the report."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablation.records.taken import Taken, taken_from_json, taken_to_json
from ablation.tracking import files, landing
from ablation.tracking.entities import milliseconds
from ablation.tracking.home import Home
from ablation.tracking.late import log, published_in
from ablation.tracking.notes import NOTE
from ablation.tracking.tags import long_in, set_long

EARLIER = ("mean", "effect", "low", "high", "verdict_low", "verdict_high", "n", "failed")
"""First part of the metrics that earlier versions put there, six per arm."""
REPORT = "report"
"""Folder of the report within the artifacts."""

REPORTED = "ablation.reported"
"""Tag of the parent run, in parts: what the last report was built from, and what was shown."""

TAKEN = "ablation.taken."
"""Prefix of a tag of the parent run, in parts: the looks that were taken under a declaration
although runs were missing."""


def publish(home: Home, rows: Sequence[Mapping[Any, Any]], note: str, folder: Path) -> None:
    """Publishes a study's answer on its parent run and its experiment; replaces an earlier one.

    Args:
        home: The study label.
        rows: The rows of an effects frame.
        note: Markdown: paragraphs, of which the second is the answer.
        folder: Folder of the report.
    """
    metrics, address = published_in(home.client, home.parent)
    now = milliseconds(time.time())
    changed = changes(metrics, aggregates(rows))
    # MLflow deletes no points, but of several at step 0 it shows the newest.
    points = [(name, value, now, 0) for name, value in changed.items()]
    log(home.client, home.parent, points=points, tags={NOTE: note})
    landing.tell(home, note)
    _replace_artifacts(home, address, folder)


def _replace_artifacts(home: Home, address: str, folder: Path) -> None:
    """Makes the report at an address of artifacts a copy of a folder."""
    if (near := files.folder_of(address)) is not None:
        shutil.rmtree(near / REPORT, ignore_errors=True)
        # The folder may be there again: another process may publish at the same time.
        shutil.copytree(folder, near / REPORT, copy_function=shutil.copy, dirs_exist_ok=True)
        return
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(address, tracking_uri=home.client.tracking_uri)
    repository.delete_artifacts(REPORT)  # type: ignore[no-untyped-call]  # MLflow's own
    repository.log_artifacts(str(folder), REPORT)  # type: ignore[no-untyped-call]  # MLflow's own


def keep_reported(home: Home, kept: Mapping[str, Any]) -> None:
    """Keeps plain values about the report with the parent run."""
    set_long(home, REPORTED, json.dumps(kept))


def reported_in(tags: Mapping[str, str]) -> dict[str, Any] | None:
    """Returns what :func:`keep_reported` kept in a parent run's tags, None if nothing."""
    kept = long_in(tags, REPORTED)
    return json.loads(kept) if kept else None


def keep_taken(home: Home, declaration: str, taken: Taken) -> None:
    """Keeps the looks that were taken under a declaration, by its hash, with runs missing."""
    set_long(home, TAKEN + declaration, json.dumps(taken_to_json(taken)))


def taken_of(home: Home, declaration: str) -> Taken:
    """Returns what :func:`keep_taken` kept; nothing where no look was taken with runs missing."""
    return taken_from_json(json.loads(long_in(home.tags(), TAKEN + declaration) or "{}"))


def aggregates(rows: Sequence[Mapping[Any, Any]]) -> dict[str, float]:
    """Returns a few metrics about all arms; an arm's own are in the note and in the report."""
    effects = [float(row["effect"]) for row in rows if math.isfinite(row["effect"])]
    told = {
        "study/arms": len(rows),
        "study/undecided": sum(row["verdict"] == "INCONCLUSIVE" for row in rows),
        "study/failed_runs": sum(row["failed"] for row in rows),
    }
    if effects:
        told |= {"study/highest_effect": max(effects), "study/lowest_effect": min(effects)}
    return {name: float(value) for name, value in told.items()}


def changes(old: Mapping[str, float], new: Mapping[str, float]) -> dict[str, float]:
    """Returns the metrics to log: new and changed values, and NaN for obsolete ones.

    >>> changes({"study/arms": 3.0, "n/b": 3.0}, {"study/arms": 5.0})
    {'study/arms': 5.0, 'n/b': nan}
    """
    gone = {
        name: math.nan
        for name, value in old.items()
        if name.partition("/")[0] in (*EARLIER, "study")
        and name not in new
        and not math.isnan(value)
    }
    return {name: value for name, value in new.items() if old.get(name) != value} | gone
