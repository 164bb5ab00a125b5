"""Runs to and from MLflow, which decides what is done."""

from ablation.tracking.entities import LOGITS, WEIGHTS
from ablation.tracking.frames import CURVES, HASHES, RUNS, curves_frame, hashes_frame, runs_frame
from ablation.tracking.parent import publish
from ablation.tracking.record import (
    Early,
    Finished,
    Outcome,
    Started,
    append,
    begin,
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
    describe_data,
    failures,
    find_home,
    labels_taken,
    open_home,
)

__all__ = [
    "CURVES",
    "HASHES",
    "LOGITS",
    "RUNS",
    "WEIGHTS",
    "Early",
    "Finished",
    "Home",
    "Outcome",
    "Started",
    "append",
    "begin",
    "close",
    "close_unfinished",
    "connect",
    "current_declaration",
    "curves_frame",
    "declarations",
    "declare",
    "describe_data",
    "failures",
    "find_home",
    "hashes_frame",
    "labels_taken",
    "open_home",
    "outcomes",
    "publish",
    "record",
    "runs_frame",
]
