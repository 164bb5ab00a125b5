"""Judges what is recorded of a study."""

from __future__ import annotations

from ablation import tracking
from ablation.analysis.effects import Judged, judge
from ablation.records.declaration import Declaration
from ablation.tracking import Home


def judge_record(home: Home, declared: Declaration | None = None) -> Judged:
    """Returns the effects and verdicts of what is recorded of a study.

    Args:
        home: The study label.
        declared: Its declaration; the latest one that is recorded if None.

    Raises:
        Refused: If none is given or recorded.
    """
    if declared is None:
        _, stored = tracking.current_declaration(home)
        declared = Declaration.from_json(stored["declaration"])
    outcomes = tracking.outcomes(home)
    return judge(
        tracking.runs_frame(home.label, declared, outcomes),
        tracking.hashes_frame(declared, outcomes),
        declared,
        tracking.examples_frame(home, declared, outcomes),
        tracking.taken_of(home, declared.hash),
    )
