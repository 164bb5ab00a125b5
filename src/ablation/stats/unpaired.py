"""Arms that share no seeds: Welch's statistic with degrees of freedom that are never liberal."""

import dataclasses

import numpy as np

from ablation.stats.arrays import Bools, Floats, Ints
from ablation.stats.blocks import Blocks, Runs, Status
from ablation.stats.failures import Failures
from ablation.stats.judge import Case, judge
from ablation.stats.paired import Paired, moments
from ablation.stats.record import Verdicts


def unpaired_case(blocks: Blocks, quantum: float) -> Case:
    """Reduces runs that share no seeds to what the tests need."""
    paired = _compare(blocks, quantum)
    arms = np.broadcast_to(np.arange(paired.effect.shape[-1]) > 0, paired.effect.shape)
    nobody = np.zeros(arms.shape, np.bool_)
    return Case(
        blocks=blocks,
        paired=paired,
        same=nobody,
        contradicted=nobody,
        tested=arms,
        undefined=(paired.n > 0) & np.isnan(paired.effect),
    )


def judge_unpaired(case: Case, margin: float | None, alpha: float) -> Verdicts:
    """Returns the verdicts of a case of :func:`unpaired_case`.

    Raises:
        ValueError: On a margin or an alpha out of range.
    """
    found = judge(case, margin, alpha, failures=_by_arm(case.blocks.failed))
    return dataclasses.replace(found, paired=False, runs=case.blocks.n)


def all_runs(runs: Runs) -> Blocks:
    """Returns every run that is there, whatever its seed."""
    kept = runs.states != Status.MISSING
    return Blocks(
        scores=np.where(kept, runs.scores, 0.0),
        kept=kept,
        failed=runs.states == Status.FAILED,
        incomplete=np.zeros(kept.shape[:-1], np.bool_),
    )


def _compare(blocks: Blocks, quantum: float) -> Paired:
    """Returns the differences of means, with the spread that n runs of a pair would have.

    A rounded value is off by a variance of q^2/12, so no arm's is taken to be below it.
    """
    mean, seen = moments(blocks.scores, blocks.kept)
    seen = np.where(seen <= blocks.rounding, 0.0, seen)
    own = blocks.n
    variance = np.maximum(seen**2, quantum**2 / 12) / np.maximum(own, 1)
    n = np.minimum(own, own[..., :1])
    spread = np.sqrt((variance + variance[..., :1]) * n)
    known = (spread > 0) & ~blocks.are_copies
    nothing = np.zeros(n.shape, np.int64)
    return Paired(
        n=n,
        mean=mean,
        effect=mean - mean[..., :1],
        spread=np.where(known, spread, np.nan),
        fixed=np.zeros(n.shape),
        example_df=np.ones(n.shape),
        rho=np.full(n.shape, np.nan),
        wins=nothing,
        ties=nothing,
        losses=nothing,
    )


def _by_arm(failed: Bools) -> Failures:
    """Returns failures of each arm beside the baseline's, which no test compares."""
    counts: Ints = failed.sum(axis=-1)
    untested: Floats = np.full(counts.shape, np.nan)
    baseline = np.broadcast_to(counts[..., :1], counts.shape)
    return Failures(failed=counts, arm_alone=counts, baseline_alone=baseline.copy(), p=untested)
