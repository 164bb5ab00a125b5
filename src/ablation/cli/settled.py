"""Tells whether a start leaves the record as it is, and whether the report is up to date.

Nothing heavy is loaded for it.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation import mirror, tracking
from ablation.errors import Refused
from ablation.execute.glance import Glance
from ablation.execute.session import wording_of
from ablation.records.digest import digest

if TYPE_CHECKING:
    from ablation.records.places import Places
    from ablation.study.plan import Plan
    from ablation.tracking import Home

DRAWN_WITH = ("matplotlib", "seaborn", "pandas", "numpy", "scipy", "jinja2")
"""Libraries that have a hand in a report's bytes."""


def is_settled(plan: Plan, places: Places, seen: Glance) -> bool:
    """Returns whether a start would leave record and mirror as they are: nothing is to train.

    That is: the last session ended complete, under this very declaration and wording; record and
    mirror are as it left them; and it was one of this version of the harness.

    Args:
        plan: The plan.
        places: Where it is recorded.
        seen: The record's tables.
    """
    if seen.parent is None or seen.parent.status != "FINISHED":
        return False
    tags, study = seen.parent.tags, plan.study
    numerics, _ = study.task.table([arm.config for arm in study.complete_arms])
    known = tracking.declared_in(tags)
    kept = tracking.reported_in(tags)
    return (
        known is not None
        and kept is not None
        and known[0] == plan.declaration.hash
        and known[1]["wording"] == wording_of(plan)
        and tracking.numerics_in(tags) == (numerics if study.numerics else "")
        and kept.get("by") == digest(version())
        and not seen.missing(plan)
        and _is_mirrored(plan, places, seen)
        and not tracking.outbox_of(places, study.name).files()
    )


def shown_of(seen: Glance, reports: Path) -> Any:
    """Returns what was shown of a settled study's report, None if the report is to be written.

    Args:
        seen: The record's tables.
        reports: Folder of the reports.
    """
    kept = None if seen.parent is None else tracking.reported_in(seen.parent.tags)
    if kept is None or kept["of"] != _state(seen.outcomes, reports, seen.label):
        return None
    return kept["shown"]


def keep(home: Home, reports: Path, shown: Mapping[str, Any]) -> None:
    """Keeps with the parent run what a report was built from and what was shown of it.

    On a server nothing is kept, since :func:`is_settled` asks SQLite files alone.

    Args:
        home: The study label.
        reports: Folder of the reports.
        shown: Plain values.
    """
    if not home.shared:
        state = _state(tracking.outcomes(home), reports, home.label)
        by = digest(version())
        tracking.keep_reported(home, {"of": state, "by": by, "shown": shown})


def _state(outcomes: Mapping[str, Any], reports: Path, label: str) -> str:
    """Returns a digest of the runs and of the report's files."""
    runs = sorted((key, each.run_id, each.ended) for key, each in outcomes.items())
    return digest(runs, _files(reports / label), (reports / "index.html").exists())


def version() -> list[object]:
    """Returns what decides how a report is written: our files and the versions of libraries."""
    package = Path(__file__).parents[1]
    ours = sorted(path for path in package.rglob("*") if path.suffix not in {".pyc", ""})
    texts = [(str(path.relative_to(package)), path.read_text(encoding="utf-8")) for path in ours]
    return [texts, [importlib.metadata.version(name) for name in DRAWN_WITH]]


def _files(folder: Path) -> list[tuple[str, int, int]]:
    """Returns name, size and time of change of every file below a folder."""
    found = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return sorted(
        (path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns)
        for path, stat in found
    )


def _is_mirrored(plan: Plan, places: Places, seen: Glance) -> bool:
    """Returns whether the mirror shows every finished trial with its run, and none as running."""
    if not places.mirror_exists:
        return False
    try:
        with mirror.reading(places.storage) as query:
            found = mirror.trials(query, seen.label, plan.declaration.metric)
    except Refused:
        return False
    shown = {key: each.outcome.run_id for key, each in found.items() if each.outcome is not None}
    planned = {trial.key for trial in plan.trials} & seen.outcomes.keys()
    return all(shown.get(key) == seen.outcomes[key].run_id for key in planned) and not any(
        each.state == "RUNNING" for each in found.values()
    )
