"""Publishes a study's answer on its parent run: aggregates, a note, the report."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablation.records.taken import Taken, taken_from_json, taken_to_json
from ablation.tracking.notes import NOTE
from ablation.tracking.store import Home, long_in, set_long

AGGREGATES = ("mean", "effect", "verdict_low", "verdict_high", "n", "failed")
"""Columns of the effects frame that become metrics, each under the arm's slug."""
EARLIER = ("low", "high")
"""What earlier versions put there."""
REPORT = "report"
"""Folder of the report within the artifacts."""

REPORTED = "ablation.reported"
"""Tag of the parent run, in parts: what the last report was built from, and what was shown."""

TAKEN = "ablation.taken."
"""Prefix of a tag of the parent run, in parts: the looks that were taken under a declaration
although runs were missing."""

_BATCH = 1000
_LONGEST = 100


def publish(home: Home, rows: Sequence[Mapping[Any, Any]], note: str, folder: Path) -> None:
    """Publishes a study's answer on its parent run; replaces an earlier answer.

    Args:
        home: The study label.
        rows: The rows of an effects frame.
        note: Markdown.
        folder: Folder of the report.
    """
    from mlflow.entities import Metric
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    run = home.client.get_run(home.parent)
    now = round(time.time() * 1000)
    changed = changes(run.data.metrics, aggregates(rows))
    # MLflow deletes no points, but of several at step 0 it shows the newest.
    points = [Metric(name, value, now, 0) for name, value in changed.items()]
    for start in range(0, len(points), _BATCH):
        home.client.log_batch(home.parent, metrics=points[start : start + _BATCH])
    home.client.set_tag(home.parent, NOTE, note)
    repository = get_artifact_repository(
        run.info.artifact_uri, tracking_uri=home.client.tracking_uri
    )
    repository.delete_artifacts(REPORT)  # type: ignore[no-untyped-call]  # MLflow's own
    repository.log_artifacts(str(folder), REPORT)  # type: ignore[no-untyped-call]  # MLflow's own


def keep_reported(home: Home, kept: Mapping[str, Any]) -> None:
    """Keeps plain values about the report with the parent run."""
    set_long(home, REPORTED, json.dumps(kept))


def reported_in(tags: Mapping[str, str]) -> dict[str, Any] | None:
    """Returns what :func:`keep_reported` kept in a parent run's tags, None if nothing."""
    if REPORTED not in tags:
        return None
    kept: dict[str, Any] = json.loads(long_in(tags, REPORTED))
    return kept


def keep_taken(home: Home, declaration: str, taken: Taken) -> None:
    """Keeps the looks that were taken under a declaration, by its hash, with runs missing."""
    set_long(home, TAKEN + declaration, json.dumps(taken_to_json(taken)))


def taken_of(home: Home, declaration: str) -> Taken:
    """Returns what :func:`keep_taken` kept; nothing where no look was taken with runs missing."""
    tags = home.client.get_run(home.parent).data.tags
    name = TAKEN + declaration
    return taken_from_json(json.loads(long_in(tags, name))) if name in tags else {}


def aggregates(rows: Sequence[Mapping[Any, Any]]) -> dict[str, float]:
    """Returns metric name, such as ``effect/0.05``, to value; leaves out what is not finite."""
    slugs = slugs_of([str(row["arm"]) for row in rows])
    return {
        f"{column}/{slug}": float(row[column])
        for slug, row in zip(slugs, rows, strict=True)
        for column in AGGREGATES
        if math.isfinite(row[column])
    }


def changes(old: Mapping[str, float], new: Mapping[str, float]) -> dict[str, float]:
    """Returns the metrics to log: new and changed values, and NaN for obsolete aggregates.

    >>> changes({"n/a": 3.0, "n/b": 3.0}, {"n/a": 5.0})
    {'n/a': 5.0, 'n/b': nan}
    """
    gone = {
        name: math.nan
        for name, value in old.items()
        if name.partition("/")[0] in AGGREGATES + EARLIER
        and name not in new
        and not math.isnan(value)
    }
    return {name: value for name, value in new.items() if old.get(name) != value} | gone


def slugs_of(labels: Iterable[str]) -> list[str]:
    """Returns unique slugs of the labels, in characters that MLflow allows in metric names.

    >>> slugs_of(["0.5", "two words", "two/words"])
    ['0.5', 'two_words', 'two_words-2']
    """
    slugs: list[str] = []
    for label in labels:
        plain = re.sub(r"[^A-Za-z0-9.-]+", "_", label)[:_LONGEST]
        slug = plain if plain.strip("._") else "arm"  # "." and ".." are not allowed
        number = 1
        while slug in slugs:
            number += 1
            slug = f"{plain.strip('.') or 'arm'}-{number}"
        slugs.append(slug)
    return slugs
