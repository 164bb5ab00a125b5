"""The rule: exactly one verdict per arm, the first condition that holds."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ablation.stats.arrays import Bools, Floats, Ints

FEWEST_SEEDS: Final = 3
"""Below this no verdict is given: two differences say next to nothing about their spread."""


class Verdict(StrEnum):
    """The word for an arm; the baseline's is the empty string."""

    BETTER = "BETTER"
    WORSE = "WORSE"
    EQUIVALENT = "EQUIVALENT"
    INCONCLUSIVE = "INCONCLUSIVE"
    IDENTICAL = "IDENTICAL"
    """Seen, not claimed: bit for bit the baseline on every seed so far."""


class Ground(IntEnum):
    """The condition a verdict rests on, in the order in which the rule asks."""

    BASELINE = 0
    """No verdict: the arm is the one the others are compared with."""
    NOT_REACHED = 1
    """The runs are short of the first look: shown, and not judged."""
    INCOMPLETE = 2
    """A run of the arm is missing at a look that was taken without it."""
    TOO_FEW = 3
    """Fewer than three complete blocks."""
    COPIES = 4
    """Every arm gives one value on all seeds: copies, not replicates."""
    NO_FLOOR = 5
    """A run of the arm or of the baseline failed, and no floor gives it a value."""
    CONTRADICTED = 6
    """Weights or predictions are the baseline's on every seed, and the values are not."""
    IDENTICAL = 7
    """Same weights or predictions as the baseline on every seed."""
    WITHIN_MARGIN = 8
    """Equivalence is shown, and no failure tells the two apart."""
    ABOVE = 9
    """A difference upwards is shown, and the arm never failed alone."""
    BELOW = 10
    """A difference downwards is shown."""
    FAILS_MORE = 11
    """The arm fails more often, by the exact sign test."""
    FAILS_LESS = 12
    """The baseline fails more often, by the exact sign test."""
    UNCONFIRMED = 13
    """The baseline's value on all seeds, which no hash confirms, and no quantum to judge by."""
    NO_SPREAD = 14
    """One difference on all seeds, and no quantum to say how precise that is."""
    FAILURES_OBJECT = 15
    """The means would decide, and failures speak against it."""
    UNDECIDED = 16
    """Neither a difference nor equivalence is shown."""


class Scope(StrEnum):
    """The population that a verdict is about."""

    NEW_EXAMPLES = "new_examples"
    """New seeds and new test examples."""
    THIS_SPLIT = "this_split"
    """New seeds on this very test split."""


class Reach(IntEnum):
    """The size of a difference that is shown, against the margin."""

    NONE = 0
    """No difference is shown by the means, or no margin is declared."""
    AT_LEAST_MARGIN = 1
    """The whole adjusted interval is beyond the margin."""
    OPEN = 2
    """The adjusted interval holds the margin."""
    BELOW_MARGIN = 3
    """The whole adjusted interval is short of the margin."""


_VERDICTS: Final = {
    Ground.BASELINE: "",
    Ground.IDENTICAL: Verdict.IDENTICAL,
    Ground.WITHIN_MARGIN: Verdict.EQUIVALENT,
    Ground.ABOVE: Verdict.BETTER,
    Ground.FAILS_LESS: Verdict.BETTER,
    Ground.BELOW: Verdict.WORSE,
    Ground.FAILS_MORE: Verdict.WORSE,
}
_VERDICT_OF_GROUND: Final = np.array([_VERDICTS.get(g, Verdict.INCONCLUSIVE) for g in Ground])


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The inputs of the rule, each ``[..., arm]`` or broadcastable to it."""

    n: Ints
    incomplete: Bools
    copies: Bools
    undefined: Bools
    contradicted: Bools
    identical: Bools
    effect: Floats
    error: Floats
    equal: Bools
    """Whether every value is the baseline's."""
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
        (e.incomplete, Ground.INCOMPLETE),
        (e.n < FEWEST_SEEDS, Ground.TOO_FEW),
        (e.copies, Ground.COPIES),
        (e.undefined, Ground.NO_FLOOR),
        (e.contradicted, Ground.CONTRADICTED),
        (e.identical, Ground.IDENTICAL),
        (e.equivalence & (e.arm_alone + e.baseline_alone == 0), Ground.WITHIN_MARGIN),
        (e.difference & (e.effect > 0) & (e.arm_alone == 0), Ground.ABOVE),
        (e.difference & (e.effect < 0), Ground.BELOW),
        (e.failures_differ & (e.arm_alone > e.baseline_alone), Ground.FAILS_MORE),
        (e.failures_differ & (e.arm_alone < e.baseline_alone), Ground.FAILS_LESS),
        (np.isnan(e.error) & e.equal, Ground.UNCONFIRMED),
        (np.isnan(e.error), Ground.NO_SPREAD),
        (e.equivalence | e.difference, Ground.FAILURES_OBJECT),
    )
    conditions = [np.broadcast_to(condition, e.effect.shape) for condition, _ in ordered]
    grounds = [np.int64(ground) for _, ground in ordered]
    return np.select(conditions, grounds, default=np.int64(Ground.UNDECIDED))


def verdict_of(ground: NDArray[np.int64]) -> NDArray[np.str_]:
    """Returns the verdict that each ground carries."""
    return _VERDICT_OF_GROUND[ground]
