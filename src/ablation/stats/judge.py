"""From complete blocks to a record: test, correct, decide."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.blocks import Blocks, Bools, Floats, check_runs
from ablation.stats.failures import Failures, count_failures
from ablation.stats.families import Family, holm_family
from ablation.stats.paired import Paired, compare, paired_t, tost
from ablation.stats.record import Verdicts
from ablation.stats.rule import FEWEST_SEEDS, Evidence, decide


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
    blocks = check_runs(values, status, floor).blocks()
    called = np.zeros(blocks.scores.shape[:-1], np.bool_) if identical is None else identical
    return case_of(blocks, quantum, np.asarray(called, np.bool_))


def case_of(blocks: Blocks, quantum: float, identical: Bools, asked: Bools | None = None) -> Case:
    """Reduces complete blocks to what the tests need.

    Args:
        blocks: Complete blocks.
        quantum: Step of the metric.
        identical: Arms called identical to the baseline, ``[..., arm]``.
        asked: Arms to judge, ``[..., arm]``; all but the baseline where None.

    Raises:
        ValueError: On a quantum below 0, or an arm called identical whose values are not.
    """
    if not (np.isfinite(quantum) and quantum >= 0):
        raise ValueError(f"quantum must be 0 or above; got {quantum}. Pass 0 if there is none.")
    paired = compare(blocks, quantum)
    is_arm = np.arange(paired.effect.shape[-1]) > 0
    is_asked = is_arm if asked is None else asked & is_arm
    _check_identity(blocks, identical)
    same = identical & is_asked
    return Case(
        blocks=blocks,
        paired=paired,
        spread=np.where(blocks.are_copies, np.nan, paired.spread),
        same=same,
        remain=~same & is_asked,
        undefined=(paired.n > 0) & np.isnan(paired.effect),
    )


def _check_identity(blocks: Blocks, called: Bools) -> None:
    """Refuses arms that are called identical and whose values are not."""
    shape = blocks.scores.shape[:-1]
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
    failures = count_failures(blocks.failed, case.remain)
    shape = paired.n.shape
    return Verdicts(
        n=paired.n,
        missing=np.broadcast_to(blocks.kept.shape[-1] - blocks.n, shape).copy(),
        alpha=np.full(shape, alpha),
        mean=paired.mean,
        effect=paired.effect,
        standard_error=tests.error,
        df=tests.df,
        rho=paired.rho,
        p_difference=tests.difference.adjusted,
        p_equivalence=tests.equivalence.adjusted,
        divisor_difference=tests.difference.divisor,
        divisor_equivalence=tests.equivalence.divisor,
        wins=paired.wins,
        ties=paired.ties,
        losses=paired.losses,
        failed=failures.failed,
        failed_alone=failures.arm_alone,
        baseline_failed_alone=failures.baseline_alone,
        p_failures=failures.p,
        ground=decide(_evidence(case, tests, failures, alpha)),
        family=np.broadcast_to(case.remain.sum(axis=-1, keepdims=True), shape).copy(),
        margin=margin,
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
