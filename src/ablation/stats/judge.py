"""From complete blocks to a record: test, correct, decide."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.blocks import Blocks, Bools, Floats, complete_blocks
from ablation.stats.failures import Failures, count_failures
from ablation.stats.families import Family, holm_family
from ablation.stats.paired import Paired, compare, interval, paired_t, tost
from ablation.stats.record import Verdicts
from ablation.stats.rule import FEWEST_SEEDS, Evidence, Ground, decide

_POINTWISE_TAIL: Final = 0.025


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """All that is known of a study before anything is tested."""

    blocks: Blocks
    paired: Paired
    spread: Floats
    """Standard deviation of the differences ``[..., arm]``; NaN where none can be claimed."""
    same: Bools
    """Arms identical to the baseline, ``[..., arm]``."""
    remain: Bools
    """Arms in the two families, ``[..., arm]``: neither the baseline nor identical."""
    undefined: Bools
    """Arms for which a failure without a floor leaves no effect, ``[..., arm]``."""


def open_case(
    values: ArrayLike,
    status: ArrayLike | None = None,
    floor: float | None = None,
    quantum: float = 0.0,
    identical: ArrayLike | None = None,
) -> Case:
    """Checks and reduces the runs of a study; the arguments are those of `verdicts`.

    Raises:
        ValueError: As `verdicts` does.
    """
    if not (np.isfinite(quantum) and quantum >= 0):
        raise ValueError(f"quantum must be 0 or above; got {quantum}. Pass 0 if there is none.")
    blocks = complete_blocks(values, status, floor)
    paired = compare(blocks, quantum)
    is_arm = np.arange(paired.effect.shape[-1]) > 0
    same = _identity(blocks, identical) & is_arm
    return Case(
        blocks=blocks,
        paired=paired,
        spread=np.where(blocks.are_copies, np.nan, paired.spread),
        same=same,
        remain=~same & is_arm,
        undefined=(paired.n > 0) & np.isnan(paired.effect),
    )


def _identity(blocks: Blocks, identical: ArrayLike | None) -> Bools:
    """Returns the arms called identical, ``[..., arm]``, once their values bear it out."""
    shape = blocks.scores.shape[:-1]
    called = np.zeros(shape, np.bool_) if identical is None else np.asarray(identical, np.bool_)
    if called.shape != shape:
        raise ValueError(
            f"identical must be [..., arm] with shape {shape}; got {called.shape}. "
            "Pass one boolean per arm, the baseline's included."
        )
    gap = np.nan_to_num(blocks.scores - blocks.scores[..., :1, :])
    contradicted = called & (gap != 0).any(axis=-1)
    if contradicted.any():
        at = [int(i) for i in np.argwhere(contradicted)[0]]
        raise ValueError(
            "an arm identical to the baseline must have its values on every seed; arm "
            f"{at} has others. Compare the hashes again, or pass identical=False for it."
        )
    return called


def judge(
    case: Case, margin: float | None, alpha: float, *, spread: Floats | None = None
) -> Verdicts:
    """Returns the verdicts of a case; `spread` stands in for its own where it is given.

    Raises:
        ValueError: On a margin or an alpha out of range.
    """
    _check_levels(margin, alpha)
    paired, blocks = case.paired, case.blocks
    tests = _test(case, case.spread if spread is None else spread, margin, alpha)
    failures = count_failures(blocks.failed, blocks.n, case.remain)
    ground = decide(_evidence(case, tests, failures, alpha))
    low, high = interval(paired.effect, tests.error, tests.df, _POINTWISE_TAIL)
    adjusted_low, adjusted_high = _adjusted(case, tests, alpha)
    beyond = np.inf if margin is None else margin
    upwards = (ground == Ground.ABOVE) & (adjusted_low > beyond)
    downwards = (ground == Ground.BELOW) & (adjusted_high < -beyond)
    return Verdicts(
        n=paired.n,
        missing=np.broadcast_to(blocks.kept.shape[-1] - blocks.n, paired.n.shape).copy(),
        mean=paired.mean,
        effect=paired.effect,
        standard_error=tests.error,
        rho=paired.rho,
        p_difference=tests.difference.adjusted,
        p_equivalence=tests.equivalence.adjusted,
        low=low,
        high=high,
        adjusted_low=adjusted_low,
        adjusted_high=adjusted_high,
        wins=paired.wins,
        ties=paired.ties,
        losses=paired.losses,
        failed=failures.failed,
        failed_upper95=failures.upper95,
        failed_alone=failures.arm_alone,
        baseline_failed_alone=failures.baseline_alone,
        p_failures=failures.p,
        ground=ground,
        by_margin=upwards | downwards,
        family=case.remain.sum(axis=-1, keepdims=True),
        margin=margin,
        alpha=alpha,
    )


def _check_levels(margin: float | None, alpha: float) -> None:
    if margin is not None and not (np.isfinite(margin) and margin > 0):
        raise ValueError(
            f"margin must be above 0; got {margin}. Declare the smallest effect worth acting "
            "on, or pass None, which leaves no EQUIVALENT but by identity."
        )
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1; got {alpha}. The usual one is 0.05.")


@dataclass(frozen=True, slots=True, eq=False)
class _Tests:
    """Standard errors and the two corrected families, ``[..., arm]``."""

    error: Floats
    df: Floats
    difference: Family
    equivalence: Family


def _test(case: Case, spread: Floats, margin: float | None, alpha: float) -> _Tests:
    """Tests each arm for a difference and for equivalence, and corrects either family."""
    paired = case.paired
    df = np.maximum(paired.n - 1.0, 1.0)
    error = np.where(case.remain, spread / np.sqrt(df + 1), np.where(case.same, 0.0, np.nan))
    known = np.where(case.remain & (paired.n >= FEWEST_SEEDS), error, np.nan)
    delta = np.nan if margin is None else margin
    apart = paired_t(paired.effect, known, df)
    within = tost(paired.effect, known, df, delta)
    return _Tests(
        error=error,
        df=df,
        difference=holm_family(apart, case.remain, alpha=alpha),
        equivalence=holm_family(within, case.remain, alpha=alpha),
    )


def _adjusted(case: Case, tests: _Tests, alpha: float) -> tuple[Floats, Floats]:
    """Returns the intervals that exclude 0 exactly where Holm rejects a difference."""
    tail = alpha / (2 * tests.difference.divisor)
    low, high = interval(case.paired.effect, tests.error, tests.df, tail)
    stated = case.same | ~np.isnan(tests.difference.adjusted)
    return np.where(stated, low, np.nan), np.where(stated, high, np.nan)


def _evidence(case: Case, tests: _Tests, failures: Failures, alpha: float) -> Evidence:
    return Evidence(
        n=case.paired.n,
        copies=case.blocks.are_copies,
        undefined=case.undefined,
        identical=case.same,
        effect=case.paired.effect,
        error=tests.error,
        equivalence=tests.equivalence.rejected,
        difference=tests.difference.rejected,
        arm_alone=failures.arm_alone,
        baseline_alone=failures.baseline_alone,
        failures_differ=failures.p <= alpha,
    )
