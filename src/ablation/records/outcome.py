"""Records of a run: one per epoch, one at its end, and what the store keeps of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

Ending = Literal["FINISHED", "FAILED"]
Reason = Literal["nan_loss", "nan_grad", "diverged", "collapsed", "oom"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class EpochRecord:
    """One pass over train, and what validation and the probes say after it."""

    epoch: int
    """Counted from 1; the record of 0 holds the probes of the model as it was drawn."""
    seconds: float
    """Since the run began."""
    metrics: dict[str, float]
    """``split/metric`` to value, test not among the splits; and ``probe/name`` to value."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """How a run ended. A FAILED one is an outcome too; it has a reason and no test metric."""

    status: Ending
    reason: Reason | None = None
    epoch: int
    """The epoch whose weights were kept; the last one begun where the run failed."""
    seconds: float
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    """``split/metric`` to value, for validation and test, at the kept epoch."""
    weights_hash: str | None = None
    """SHA-256 over the kept weights."""
    logits_hash: str | None = None
    """SHA-256 over the logits of test, in the split's order."""
    correct: bytes = b""
    """Which texts of test were classified correctly: a bit each, in the split's order."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A trial that is done, as it was recorded."""

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
    """Milliseconds since the epoch, UTC; 0 if it was read from the mirror."""
