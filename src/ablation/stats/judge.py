"""From complete blocks to a record: test, correct, decide."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.arrays import Bools, Floats
from ablation.stats.blocks import Blocks, check_runs
from ablation.stats.critical import Critical, difference_p, equivalence_p
from ablation.stats.failures import Failures, count_failures
from ablation.stats.families import Family, holm_late
from ablation.stats.paired import Paired, compare, error_of
from ablation.stats.record import Verdicts
from ablation.stats.rule import FEWEST_SEEDS, RuleInputs, decide

POOLED_BELOW: Final = 8
"""Seeds from which an arm's own spread is known well enough to leave the pool alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """The numbers of a study before anything is tested, ``[..., arm]``."""

    blocks: Blocks
    paired: Paired
    same: Bools
    """Arms identical to the baseline."""
    contradicted: Bools
    """Arms called identical whose values are not."""
    tested: Bools
    """Arms to test: neither the baseline, identical, contradicted, nor with a missing run."""
    undefined: Bools
    """Arms for which a failure without a floor leaves no effect."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pools:
    """Who shares alpha in each family, ``[..., arm]``; who is not tested counts as p = 1."""

    difference: Bools
    equivalence: Bools
    failures: Bools
    late: Bools
    """Arms whose runs came after the look was taken: each judged at alpha over the whole
    family, taking nothing from the others."""


def open_case(
    values: ArrayLike,
    status: ArrayLike | None = None,
    floor: ArrayLike | None = None,
    quantum: float = 0.0,
    identical: ArrayLike | None = None,
    *,
    scores: ArrayLike | None = None,
) -> Case:
    """Checks and reduces the runs of a study; the arguments are those of `verdicts`.

    Raises:
        ValueError: As `verdicts` does.
    """
    blocks = check_runs(values, status, floor, scores).blocks()
    shape = blocks.scores.shape[:-1]
    called = np.zeros(shape, np.bool_) if identical is None else np.asarray(identical, np.bool_)
    if called.shape != shape:
        raise ValueError(
            f"identical must be [..., arm] with shape {shape}; got {called.shape}. "
            "Pass one boolean per arm, the baseline's included."
        )
    return case_of(blocks, quantum, called)


def case_of(blocks: Blocks, quantum: float, identical: Bools, asked: Bools | None = None) -> Case:
    """Reduces complete blocks to what the tests need.

    Args:
        blocks: Complete blocks.
        quantum: Step of the metric.
        identical: Arms called identical to the baseline, ``[..., arm]``.
        asked: Arms to judge, ``[..., arm]``; all but the baseline where None.

    Raises:
        ValueError: On a quantum below 0.
    """
    if not (np.isfinite(quantum) and quantum >= 0):
        raise ValueError(f"quantum must be 0 or above; got {quantum}. Pass 0 if there is none.")
    paired = compare(blocks, quantum, asked)
    is_arm = np.arange(paired.effect.shape[-1]) > 0
    is_asked = is_arm if asked is None else asked & is_arm
    gap = np.nan_to_num(blocks.scores - blocks.scores[..., :1, :])
    differs = ((gap != 0) & blocks.kept).any(axis=-1)
    called = identical & is_asked & ~blocks.incomplete
    return Case(
        blocks=blocks,
        paired=paired,
        same=called & ~differs,
        contradicted=called & differs,
        tested=~called & is_asked & ~blocks.incomplete,
        undefined=(paired.n > 0) & np.isnan(paired.effect),
    )


def judge(
    case: Case,
    margin: float | None,
    alpha: float,
    *,
    pools: Pools | None = None,
    spread: Floats | None = None,
    failures: Failures | None = None,
) -> Verdicts:
    """Returns the verdicts of a case.

    Args:
        case: What is known of the study.
        margin: As in `verdicts`.
        alpha: Error rate of each family.
        pools: Who shares it; all arms that are not identical where None.
        spread: Standard deviations over seeds to go by in place of the case's own.
        failures: Failures to go by in place of those counted by block.

    Raises:
        ValueError: On a margin or an alpha out of range.
    """
    _check_levels(margin, alpha)
    paired, blocks = case.paired, case.blocks
    shared = everyone(case) if pools is None else pools
    tests = _test(case, shared, paired.spread if spread is None else spread, margin, alpha)
    if failures is None:
        failures = count_failures(blocks.failed, blocks.kept, shared.failures)
    shape = paired.n.shape
    return Verdicts(
        n=paired.n,
        runs=paired.n,
        missing=blocks.kept.shape[-1] - paired.n,
        alpha=np.full(shape, alpha),
        mean=paired.mean,
        effect=paired.effect,
        standard_error=tests.error,
        fixed=paired.fixed,
        df=tests.critical.df,
        weight=tests.critical.weight,
        example_df=paired.example_df,
        rho=paired.rho,
        raw_difference=tests.raw_difference,
        raw_equivalence=tests.raw_equivalence,
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
        ground=decide(_rule_inputs(case, tests, failures, alpha)),
        family=np.broadcast_to(shared.failures.sum(axis=-1, keepdims=True), shape).copy(),
        margin=margin,
        examples=None if blocks.examples is None else blocks.examples.size,
    )


def everyone(case: Case) -> Pools:
    """Returns the pools of a single look: every arm but the baseline and identical ones."""
    members = ~case.same & (np.arange(case.same.shape[-1]) > 0)
    return Pools(
        difference=members,
        equivalence=members,
        failures=members,
        late=np.zeros_like(members),
    )


def _check_levels(margin: float | None, alpha: float) -> None:
    if margin is not None and not (np.isfinite(margin) and margin > 0):
        raise ValueError(
            f"margin must be above 0; got {margin}. Declare the smallest effect worth acting "
            "on, or pass None, which leaves no EQUIVALENT."
        )
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1; got {alpha}. The usual one is 0.05.")


@dataclass(frozen=True, slots=True, eq=False)
class _Tests:
    """Standard errors and the two corrected families, ``[..., arm]``."""

    error: Floats
    critical: Critical
    raw_difference: Floats
    raw_equivalence: Floats
    difference: Family
    equivalence: Family


def _test(case: Case, pools: Pools, spread: Floats, margin: float | None, alpha: float) -> _Tests:
    """Tests each arm for a difference and for equivalence, and corrects either family."""
    paired = case.paired
    error, critical = error_of(spread, paired.n, paired.fixed, paired.example_df)
    is_arm = np.arange(error.shape[-1]) > 0
    error = np.where(case.same, 0.0, np.where(is_arm, error, np.nan))
    known = np.where(case.tested & (paired.n >= FEWEST_SEEDS), error, np.nan)
    apart = difference_p(paired.effect, known, critical)
    within = np.full(error.shape, np.nan)
    if margin is not None:
        within = equivalence_p(paired.effect, known, critical, margin)
    size = pools.failures.sum(axis=-1, keepdims=True)
    return _Tests(
        error=error,
        critical=critical,
        raw_difference=apart,
        raw_equivalence=within,
        difference=holm_late(apart, pools.difference, pools.late, size, alpha=alpha),
        equivalence=holm_late(within, pools.equivalence, pools.late, size, alpha=alpha),
    )


def _rule_inputs(case: Case, tests: _Tests, failures: Failures, alpha: float) -> RuleInputs:
    return RuleInputs(
        n=case.paired.n,
        incomplete=case.blocks.incomplete,
        copies=case.blocks.are_copies,
        undefined=case.undefined,
        identical=case.same,
        contradicted=case.contradicted,
        effect=case.paired.effect,
        error=tests.error,
        equal=case.paired.ties == case.paired.n,
        equivalence=tests.equivalence.rejected,
        difference=tests.difference.rejected,
        arm_alone=failures.arm_alone,
        baseline_alone=failures.baseline_alone,
        failures_differ=failures.p <= alpha,
    )


def pooled_spread(case: Case) -> Floats:
    """Returns max(own, root mean square over the family) below eight seeds."""
    own = case.paired.spread
    pool = case.tested & ~np.isnan(own)
    squares = np.sum(own**2, axis=-1, keepdims=True, where=pool)
    pooled = np.sqrt(squares / np.maximum(pool.sum(axis=-1, keepdims=True), 1))
    # np.maximum hands a NaN on: an arm without a spread of its own is not lent one.
    return np.where(case.paired.n < POOLED_BELOW, np.maximum(own, pooled), own)
