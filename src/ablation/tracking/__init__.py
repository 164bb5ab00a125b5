"""Writes runs to MLflow and reads them back; MLflow decides which trials are done."""

from ablation.tracking.curves import CURVES, curves_frame, validation_curves
from ablation.tracking.declared import (
    current_declaration,
    declarations,
    declare,
    declared_in,
    describe_data,
)
from ablation.tracking.entities import LOGITS, PARAMETERS, WEIGHTS
from ablation.tracking.examples import COMMONEST, EXAMPLES, attention_frame, examples_frame
from ablation.tracking.facts import (
    about_of,
    keep_about,
    keep_commonest,
    keep_numerics,
    numerics,
    numerics_in,
    numerics_of,
)
from ablation.tracking.foreign import foreign_runs
from ablation.tracking.frames import (
    HASHES,
    RUNS,
    hashes_frame,
    planned,
    runs_frame,
    test_evaluations,
)
from ablation.tracking.home import Home, find_home, labels_taken, open_experiment, open_home
from ablation.tracking.kept import (
    Outdated,
    find_outdated,
    keep,
    kept_in,
    outdated_of,
    with_kept,
)
from ablation.tracking.lease import Lease, LeaseLost, leased
from ablation.tracking.owner import this_process
from ablation.tracking.parent import keep_reported, keep_taken, publish, reported_in, taken_of
from ablation.tracking.reach import reach
from ablation.tracking.record import (
    Early,
    Finished,
    Started,
    Unfinished,
    append,
    begin,
    close,
    close_unfinished,
    outcomes,
    record,
    record_failure,
    recorded,
)
from ablation.tracking.searched import (
    Ended,
    importances_are_of,
    importances_of,
    keep_importances,
    record_told,
    told_at,
    told_of,
)
from ablation.tracking.store import connect, failures, settled
from ablation.tracking.tags import LABEL
from ablation.tracking.tested import keep_tests, tests_of
from ablation.tracking.unfinished import endings

__all__ = [
    "COMMONEST",
    "CURVES",
    "EXAMPLES",
    "HASHES",
    "LABEL",
    "LOGITS",
    "PARAMETERS",
    "RUNS",
    "WEIGHTS",
    "Early",
    "Ended",
    "Finished",
    "Home",
    "Lease",
    "LeaseLost",
    "Outdated",
    "Started",
    "Unfinished",
    "about_of",
    "append",
    "attention_frame",
    "begin",
    "close",
    "close_unfinished",
    "connect",
    "current_declaration",
    "curves_frame",
    "declarations",
    "declare",
    "declared_in",
    "describe_data",
    "endings",
    "examples_frame",
    "failures",
    "find_home",
    "find_outdated",
    "foreign_runs",
    "hashes_frame",
    "importances_are_of",
    "importances_of",
    "keep",
    "keep_about",
    "keep_commonest",
    "keep_importances",
    "keep_numerics",
    "keep_reported",
    "keep_taken",
    "keep_tests",
    "kept_in",
    "labels_taken",
    "leased",
    "numerics",
    "numerics_in",
    "numerics_of",
    "open_experiment",
    "open_home",
    "outcomes",
    "outdated_of",
    "planned",
    "publish",
    "reach",
    "record",
    "record_failure",
    "record_told",
    "recorded",
    "reported_in",
    "runs_frame",
    "settled",
    "taken_of",
    "test_evaluations",
    "tests_of",
    "this_process",
    "told_at",
    "told_of",
    "validation_curves",
    "with_kept",
]
