"""Records of a run: one per epoch, one at its end, and its outcome as it is stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

Ending = Literal["FINISHED", "FAILED"]
Reason = Literal["nan_loss", "nan_grad", "diverged", "collapsed", "oom", "nan_metric", "timeout"]
"""Why a run FAILED as an outcome; ``oom`` and ``timeout`` also where a declared limit was
exceeded."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class EpochRecord:
    """One pass over train, with the validation metrics and probes measured after it."""

    epoch: int
    """Counted from 1; the record of epoch 0 holds the probes of the untrained model."""
    seconds: float
    """Time since the run began."""
    metrics: dict[str, float]
    """``split/metric`` (train or validation) and ``probe/name`` to value."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """The end of a run. A FAILED run is an outcome too: it has a reason and no test metric."""

    status: Ending
    reason: Reason | None = None
    epoch: int
    """The epoch whose weights were kept, 0 if none was chosen; if the run failed, the last epoch
    that began."""
    seconds: float
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    """``split/metric`` to value, for validation and test, at the kept epoch."""
    weights_hash: str | None = None
    """SHA-256 over the kept weights."""
    logits_hash: str | None = None
    """SHA-256 over the test logits, in the split's order."""
    correct: bytes = b""
    """One packed bit per test text, set if it was classified correctly; in the split's order. Or
    scores by example of any kind, as :func:`ablation.records.examples.pack` packs them."""
    attention: bytes = b""
    """The weights that the pooling gave to the tokens of a few test texts, float16, one text after
    the other; empty where it has none."""
    parameters: int | None = None
    """Number of parameters of the model; None if unknown."""
    log: bytes = b""
    """The text that the run printed."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The recorded result of a finished trial."""

    run_id: str
    status: str
    """FINISHED or FAILED."""
    reason: str | None
    metrics: Mapping[str, float]
    """``split/metric`` to value at the kept epoch."""
    epoch: int
    seconds: float
    tags: Mapping[str, str]
    ended: int = 0
    """Milliseconds since the epoch, UTC; 0 if the outcome was read from the mirror."""
