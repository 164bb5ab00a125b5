"""The plan and its state as an Optuna study, for optuna-dashboard, ``plan`` and ``status``.

MLflow decides which trials are done. At every start the mirror is updated from MLflow, and
rebuilt if it contradicts MLflow.
"""

from ablation.mirror.foreign import foreign_trials
from ablation.mirror.lenient import Lenient
from ablation.mirror.note import keep_note
from ablation.mirror.read import (
    DEVIATION,
    DONE,
    Mirrored,
    example_deviation,
    labels_taken,
    planned_seeds,
    reading,
    trials,
)
from ablation.mirror.searched import mirror_search
from ablation.mirror.storage import close, connect, failures
from ablation.mirror.write import Mirror, finish_known, open_mirror

__all__ = [
    "DEVIATION",
    "DONE",
    "Lenient",
    "Mirror",
    "Mirrored",
    "close",
    "connect",
    "example_deviation",
    "failures",
    "finish_known",
    "foreign_trials",
    "keep_note",
    "labels_taken",
    "mirror_search",
    "open_mirror",
    "planned_seeds",
    "reading",
    "trials",
]
