"""Tells which trials are done before a database library is loaded, by plain SQL."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ablation import mirror, tracking
from ablation.analysis.due import due_trials
from ablation.errors import Refused
from ablation.records import addresses
from ablation.records.outcome import Outcome
from ablation.tracking import tables

if TYPE_CHECKING:
    from ablation.records.places import Places
    from ablation.study.plan import Plan, Trial


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Glance:
    """A study as its record's tables show it; of a record on a server, as the mirror does."""

    label: str
    outcomes: Mapping[str, Outcome]
    """Key to outcome. Those of a mirror may lack some that the record has."""
    planned: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Arm to planned seeds, as the looks so far decided; the conductor keeps it in the mirror."""
    parent: tables.Row | None = None
    """The parent run; None if it is missing or if the mirror was read."""

    def outdated(self, plan: Plan) -> tracking.Outdated | None:
        """Returns the trials that only a change of sources makes due again; None if none."""
        if self.parent is None:
            return None
        return tracking.find_outdated(plan, self.parent.tags, self.outcomes)

    def keeping(self, hashes: Mapping[str, str]) -> Glance:
        """Returns what would be seen if results under earlier hashes were taken as they are."""
        return dataclasses.replace(self, outcomes=tracking.with_kept(self.outcomes, hashes))

    def due(self, plan: Plan) -> tuple[Trial, ...]:
        """Returns the trials that are due, in the plan's order."""
        return due_trials(plan, self.planned)

    def missing(self, plan: Plan) -> list[Trial]:
        """Returns the due trials that are not done, in the plan's order.

        Nothing is judged. Where the mirror is behind its record, some that are due are left out;
        whoever opens the record finds them.
        """
        return [trial for trial in self.due(plan) if trial.key not in self.outcomes]


def glance(plan: Plan, places: Places) -> Glance | None:
    """Returns what can be read of a study at once, None where that needs a library.

    What cannot be read is not refused here: whoever opens the record says why.

    Args:
        plan: The plan.
        places: Where it is recorded.

    Raises:
        Refused: If the label's experiment was deleted in the UI but not for good.
    """
    seen = _seen(plan, places)
    if seen is None:
        return None
    acknowledged = tracking.outbox_of(places, plan.study.name).outcomes(seen.label)
    return dataclasses.replace(seen, outcomes={**acknowledged, **seen.outcomes})


def _seen(plan: Plan, places: Places) -> Glance | None:
    if not places.record_exists:
        return Glance(label=plan.label({}), outcomes={})
    if addresses.file_of(places.tracking) is not None:
        try:
            return _of_record(plan, places)
        except sqlite3.Error:
            return None
    return _of_mirror(plan, places)


def _of_record(plan: Plan, places: Places) -> Glance:
    with tables.reading(places.tracking) as query:
        parents = tables.parents(query, plan.study.name)
        label = plan.label(tables.labels_taken(parents))
        ours = next((row for row in parents if row.tags[tracking.LABEL] == label), None)
        if ours is None:
            tables.refuse_deleted(query, label)
            return Glance(label=label, outcomes={})
        recorded = tables.outcomes(query, ours.experiment, label)
        done = tracking.with_kept(recorded, tracking.kept_in(ours.tags))
    planned = _planned(plan, places, label)
    return Glance(label=label, outcomes=done, planned=planned, parent=ours)


def _planned(plan: Plan, places: Places, label: str) -> Mapping[str, int]:
    if len(plan.declaration.looks) == 1 or not places.mirror_exists:
        return {}
    try:
        with mirror.reading(places.storage) as query:
            return mirror.planned_seeds(query, label, plan.declaration.hash)
    except Refused:
        return {}


def _of_mirror(plan: Plan, places: Places) -> Glance | None:
    if not places.mirror_exists:
        return None
    try:
        with mirror.reading(places.storage) as query:
            label = plan.label(mirror.labels_taken(query))
            found = mirror.trials(query, label, plan.declaration.metric)
            planned = mirror.planned_seeds(query, label, plan.declaration.hash)
    except Refused:
        return None
    done = {key: each.outcome for key, each in found.items() if each.outcome is not None}
    return Glance(label=label, outcomes=done, planned=planned)
