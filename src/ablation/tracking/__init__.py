"""Writes runs to MLflow and reads them back; MLflow decides which trials are done."""

from ablation.tracking.curves import CURVES, curves_frame
from ablation.tracking.entities import LOGITS, WEIGHTS
from ablation.tracking.examples import EXAMPLES, examples_frame
from ablation.tracking.frames import (
    HASHES,
    RUNS,
    hashes_frame,
    planned,
    runs_frame,
    test_evaluations,
)
from ablation.tracking.parent import publish
from ablation.tracking.record import (
    Early,
    Finished,
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
    keep_numerics,
    labels_taken,
    numerics,
    numerics_of,
    open_home,
)

__all__ = [
    "CURVES",
    "EXAMPLES",
    "HASHES",
    "LOGITS",
    "RUNS",
    "WEIGHTS",
    "Early",
    "Finished",
    "Home",
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
    "examples_frame",
    "failures",
    "find_home",
    "hashes_frame",
    "keep_numerics",
    "labels_taken",
    "numerics",
    "numerics_of",
    "open_home",
    "outcomes",
    "planned",
    "publish",
    "record",
    "runs_frame",
    "test_evaluations",
]
