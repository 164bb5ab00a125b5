"""Which trials are planned, given what the looks so far have decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ablation import tracking
from ablation.data import Encoded
from ablation.plan import Trial, declaration
from ablation.spec import Study
from ablation.tracking import Outcome


def declare(study: Study, encoded: Encoded) -> dict[str, Any]:
    """Returns the study's declaration on its data."""
    labels = encoded.split("test").labels
    counts = np.bincount(labels, minlength=len(encoded.labels)).tolist()
    return declaration(study, encoded.fingerprint, counts)


def planned(
    possible: Sequence[Trial],
    outcomes: Mapping[str, Outcome],
    label: str,
    declared: Mapping[str, Any],
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
    first = declared["looks"][0][0]
    opening = tuple(trial for trial in possible if trial.seed < first)
    last = len(declared["looks"]) == 1
    if last or any(trial.key not in outcomes for trial in opening):
        return opening
    from ablation.analysis import judge

    runs = tracking.runs_frame(label, declared, outcomes)
    seeds = judge(runs, tracking.hashes_frame(declared, outcomes), declared).seeds
    return tuple(trial for trial in possible if trial.seed < seeds[trial.arm.name])
