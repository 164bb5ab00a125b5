"""The rule: exactly one verdict per arm, the first condition that holds."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ablation.stats.blocks import Bools, Floats, Ints

FEWEST_SEEDS: Final = 3
"""Below this no verdict is given: two differences say next to nothing about their spread."""


class Verdict(StrEnum):
    """What is said of an arm; the baseline's is the empty string."""

    BETTER = "BETTER"
    WORSE = "WORSE"
    EQUIVALENT = "EQUIVALENT"
    INCONCLUSIVE = "INCONCLUSIVE"


class Ground(IntEnum):
    """What a verdict rests on, in the order in which the rule asks."""

    BASELINE = 0
    """No verdict: the arm is what the others are compared with."""
    TOO_FEW = 1
    """Fewer than three complete blocks."""
    COPIES = 2
    """Every arm gives one value on all seeds: copies, not replicates."""
    NO_FLOOR = 3
    """A run of the arm or of the baseline failed, and no floor says what that is worth."""
    IDENTICAL = 4
    """Same weights or predictions as the baseline on every seed."""
    WITHIN_MARGIN = 5
    """Equivalence is shown, and no failure tells the two apart."""
    ABOVE = 6
    """A difference upwards is shown, and the arm never failed alone."""
    BELOW = 7
    """A difference downwards is shown."""
    FAILS_MORE = 8
    """The arm fails more often, by the exact sign test."""
    FAILS_LESS = 9
    """The baseline fails more often, by the exact sign test."""
    NO_SPREAD = 10
    """One difference on all seeds, and no quantum to say how precise that is."""
    FAILURES_OBJECT = 11
    """The means would decide, and failures speak against it."""
    UNDECIDED = 12
    """Neither a difference nor equivalence is shown."""
    NOT_REACHED = 13
    """The runs are short of the first look: shown, and not judged."""


_VERDICTS: Final = {
    Ground.BASELINE: "",
    Ground.IDENTICAL: Verdict.EQUIVALENT,
    Ground.WITHIN_MARGIN: Verdict.EQUIVALENT,
    Ground.ABOVE: Verdict.BETTER,
    Ground.FAILS_LESS: Verdict.BETTER,
    Ground.BELOW: Verdict.WORSE,
    Ground.FAILS_MORE: Verdict.WORSE,
}
_VERDICT_OF_GROUND: Final = np.array([_VERDICTS.get(g, Verdict.INCONCLUSIVE) for g in Ground])


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that the rule looks at, each ``[..., arm]`` or broadcastable to it."""

    n: Ints
    copies: Bools
    undefined: Bools
    identical: Bools
    effect: Floats
    error: Floats
    equivalence: Bools
    difference: Bools
    arm_alone: Ints
    baseline_alone: Ints
    failures_differ: Bools


def decide(evidence: Evidence) -> NDArray[np.int64]:
    """Returns the `Ground` of each arm's verdict, ``[..., arm]``; arm 0 is the baseline.

    Equivalence is asked before better and worse, so that a gain which is certain but trivial
    is not sold as better.
    """
    e = evidence
    baseline = np.arange(e.effect.shape[-1]) == 0
    ordered = (
        (baseline, Ground.BASELINE),
        (e.n < FEWEST_SEEDS, Ground.TOO_FEW),
        (e.copies, Ground.COPIES),
        (e.undefined, Ground.NO_FLOOR),
        (e.identical, Ground.IDENTICAL),
        (e.equivalence & (e.arm_alone + e.baseline_alone == 0), Ground.WITHIN_MARGIN),
        (e.difference & (e.effect > 0) & (e.arm_alone == 0), Ground.ABOVE),
        (e.difference & (e.effect < 0), Ground.BELOW),
        (e.failures_differ & (e.arm_alone > e.baseline_alone), Ground.FAILS_MORE),
        (e.failures_differ & (e.arm_alone < e.baseline_alone), Ground.FAILS_LESS),
        (np.isnan(e.error), Ground.NO_SPREAD),
        (e.equivalence | e.difference, Ground.FAILURES_OBJECT),
    )
    conditions = [np.broadcast_to(condition, e.effect.shape) for condition, _ in ordered]
    grounds = [np.int64(ground) for _, ground in ordered]
    return np.select(conditions, grounds, default=np.int64(Ground.UNDECIDED))


def verdict_of(ground: NDArray[np.int64]) -> NDArray[np.str_]:
    """Returns the verdict that each ground carries."""
    return _VERDICT_OF_GROUND[ground]
