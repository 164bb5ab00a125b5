"""Seven checks that compare what killed starts left with an undisturbed study."""

from __future__ import annotations

import csv
from collections import Counter

from kills.place import Place

BAD = (
    "doubled", "missing", "running_left", "differing_metrics", "unusable_stores",
    "differing_reports", "processes_left", "stray_files", "unfinished_starts",
)  # fmt: skip
"""Counts of which each has to be 0."""


def keys_of(place: Place) -> list[object]:
    """Returns the keys of all finished trials, each with the label that it was run for."""
    return [
        f"{label} {key}"
        for key, label in place.query("mlflow.db", """
            SELECT t.value, s.value FROM runs r
            JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'ablation.key'
            JOIN tags s ON s.run_uuid = r.run_uuid AND s.key = 'ablation.study'
            WHERE r.status = 'FINISHED'
        """)
    ]  # fmt: skip


def metrics_of(place: Place) -> dict[tuple[object, ...], object]:
    """Returns label, key and metric to value, for all finished trials."""
    rows = place.query("mlflow.db", """
        SELECT s.value, t.value, m.key, m.value FROM runs r
        JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'ablation.key'
        JOIN tags s ON s.run_uuid = r.run_uuid AND s.key = 'ablation.study'
        JOIN latest_metrics m ON m.run_uuid = r.run_uuid WHERE r.status = 'FINISHED'
    """)  # fmt: skip
    return {tuple(names): value for *names, value in rows}


def report_of(place: Place) -> list[list[str]]:
    """Returns the rows of the report's effects."""
    path = place.folder / "reports" / place.study.stem / "effects.csv"
    return list(csv.reader(path.read_text().splitlines())) if path.exists() else []


def strays(place: Place) -> list[str]:
    """Returns the files that a complete start should not leave."""
    known = {"mlflow.db", "optuna.db", "mlartifacts", ".ablation"}
    left = [path.name for path in place.store.iterdir() if path.name not in known]
    left += [str(path.name) for path in (place.folder / "tmp").iterdir()]
    left += [path.name for path in (place.store / ".ablation").glob("creating-*[!k]")]
    return left + [path.name for path in (place.store / ".ablation/progress").glob("*/*")]


def check(place: Place, reference: Place) -> tuple[Counter[str], list[str]]:
    """Returns the counts of all that differs from an undisturbed study, and the stray files."""
    counts: Counter[str] = Counter()
    stray = strays(place)  # first, since reading a database makes files beside it
    keys = Counter(keys_of(place))
    mine, theirs = metrics_of(place), metrics_of(reference)
    whole = [
        place.query(each, "PRAGMA integrity_check", "rw") for each in ("mlflow.db", "optuna.db")
    ]
    counts.update(
        trials=len(keys),
        doubled=sum(keys.values()) - len(keys),
        missing=len(set(keys_of(reference)) - set(keys)),
        running_left=place.count("mlflow.db", "runs", "status = 'RUNNING'")
        + place.count("optuna.db", "trials", "state = 'RUNNING'"),
        differing_metrics=sum(mine.get(name) != value for name, value in theirs.items()),
        differing_reports=report_of(place) != report_of(reference),
        unusable_stores=whole != [[("ok",)]] * 2,
        stray_files=len(stray),
    )
    return counts, stray
