"""Runs to and from MLflow, which decides what is done."""

from ablation.tracking.frames import CURVES, HASHES, RUNS, curves_frame, hashes_frame, runs_frame
from ablation.tracking.record import (
    LOGITS,
    WEIGHTS,
    Finished,
    Outcome,
    close,
    close_unfinished,
    outcomes,
    record,
)
from ablation.tracking.store import (
    Home,
    connect,
    current_declaration,
    declarations,
    declare,
    failures,
    find_home,
    keep_numerics,
    labels_taken,
    numerics,
    open_home,
)

__all__ = [
    "CURVES",
    "HASHES",
    "LOGITS",
    "RUNS",
    "WEIGHTS",
    "Finished",
    "Home",
    "Outcome",
    "close",
    "close_unfinished",
    "connect",
    "current_declaration",
    "curves_frame",
    "declarations",
    "declare",
    "failures",
    "find_home",
    "hashes_frame",
    "keep_numerics",
    "labels_taken",
    "numerics",
    "open_home",
    "outcomes",
    "record",
    "runs_frame",
]
