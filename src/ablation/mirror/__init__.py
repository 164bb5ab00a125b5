"""The plan and its state as an Optuna study: what optuna-dashboard, ``plan`` and ``status`` read.

MLflow decides what is done; the mirror is brought into line with it at every start, and rebuilt
if it says what MLflow does not.
"""

from ablation.mirror.read import DONE, Mirrored, labels_taken, planned_seeds, reading, trials
from ablation.mirror.write import Mirror, connect, failures, open_mirror

__all__ = [
    "DONE",
    "Mirror",
    "Mirrored",
    "connect",
    "failures",
    "labels_taken",
    "open_mirror",
    "planned_seeds",
    "reading",
    "trials",
]
