"""Which trials are planned, given what the looks so far have decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ablation import plan, tracking
from ablation.data import Encoded
from ablation.plan import Trial
from ablation.records.declaration import Declaration
from ablation.records.outcome import Outcome
from ablation.spec import Study


def declare(study: Study, encoded: Encoded) -> Declaration:
    """Returns the study's declaration on its data."""
    labels = encoded.split("test").labels
    counts = np.bincount(labels, minlength=len(encoded.labels)).tolist()
    return plan.declare(study, encoded.fingerprint, counts)


def planned(
    possible: Sequence[Trial],
    outcomes: Mapping[str, Outcome],
    label: str,
    declared: Declaration,
) -> tuple[Trial, ...]:
    """Returns the trials that the outcomes so far ask for: a decided arm gets no more seeds.

    Until the first look is reached nothing can be decided, so nothing is judged, and what judges
    is not loaded.

    Args:
        possible: Every trial that may come to be planned, up to the last look.
        outcomes: Key to outcome of the trials that are done.
        label: Study label.
        declared: The declaration.
    """
    first = declared.looks[0].seeds
    opening = tuple(trial for trial in possible if trial.seed < first)
    last = len(declared.looks) == 1
    if last or any(trial.key not in outcomes for trial in opening):
        return opening
    from ablation.analysis import judge

    runs = tracking.runs_frame(label, declared, outcomes)
    seeds = judge(runs, tracking.hashes_frame(declared, outcomes), declared).seeds
    return tuple(trial for trial in possible if trial.seed < seeds[trial.arm.name])
