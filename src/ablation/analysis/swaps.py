"""Finds test examples that most seeds of one arm get right and most of the baseline wrong."""

from __future__ import annotations

import functools
import math

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from ablation import stats
from ablation.analysis.evidence import Evidence

CHANGES = ("arm", "n", "gained", "lost", "swapped")
"""A row per arm: seeds on which both finished, examples gained and lost, and how many of either
swapping arm and baseline within seeds gives on average."""

Right = Bool[np.ndarray, "seeds examples"]


def pair_of(evidence: Evidence, arm: int, seeds: int) -> tuple[Right, Right] | None:
    """Returns the examples that an arm and the baseline get right, on seeds that both finished.

    Args:
        evidence: The runs, collapsed ones FAILED.
        arm: The arm's place; the baseline's is 0.
        seeds: Seeds that the arm was judged on.

    Returns:
        None where runs have no score of right or wrong by example, or share fewer than two seeds.
    """
    examples = evidence.examples
    if examples is None or examples.scores.dtype != np.bool_:
        return None
    finished = evidence.status[[arm, 0], :seeds] == stats.Status.FINISHED
    shared = np.flatnonzero(finished.all(axis=0))
    if len(shared) < 2:  # noqa: PLR2004 - one seed is no majority
        return None
    scores = examples.scores
    return scores[arm, shared].astype(np.bool_), scores[0, shared].astype(np.bool_)


def moves(arm: Right, baseline: Right) -> Int[np.ndarray, " examples"]:
    """Returns 1 for each example gained, -1 for each lost, and 0 for all others.

    Gained is what more than half of the arm's seeds get right and more than half of the
    baseline's get wrong; lost is the reverse.
    """
    ours, theirs = (np.sign(2 * each.sum(axis=0) - len(each)) for each in (arm, baseline))
    return np.where(ours * theirs < 0, ours, 0)


def swapped(arm: Right, baseline: Right) -> float:
    """Returns how many examples are gained on average over all swaps within seeds.

    As many are lost: each pattern of swaps has an opposite one. The average is exact: with ``b``
    seeds on which both are right and ``d`` on which one is, swapping leaves the arm right on
    ``b + K``, the baseline on ``b + d - K``, where K is binomial with d draws at one half.
    """
    both, one = (arm & baseline).sum(axis=0), (arm ^ baseline).sum(axis=0)
    kinds, counts = np.unique(np.stack([both, one], axis=1), axis=0, return_counts=True)
    chances = [_gaining(b, d, len(arm)) for b, d in kinds.tolist()]
    return float(counts @ np.array(chances))


@functools.cache
def _gaining(both: int, one: int, seeds: int) -> float:
    """Returns the share of swaps by which an example is gained."""
    ways = [
        math.comb(one, k) for k in range(one + 1) if 2 * (both + k) > seeds > 2 * (both + one - k)
    ]
    return float(sum(ways) / 2**one)


def by_class(
    arm: Right, baseline: Right, classes: Int[np.ndarray, " examples"]
) -> tuple[Float[np.ndarray, " classes"], Float[np.ndarray, " classes"]]:
    """Returns the arm's accuracy less the baseline's in each class: mean and deviation over seeds.

    Args:
        arm: Whether each seed of the arm is right.
        baseline: The same of the baseline.
        classes: The class number of each example; every number up to the highest one occurs.
    """
    counts = np.bincount(classes)
    apart = arm.astype(np.float64) - baseline
    sums = np.stack([np.bincount(classes, weights=row) for row in apart])
    return (sums / counts).mean(axis=0), (sums / counts).std(axis=0, ddof=1)


def changes(evidence: Evidence, seeds: dict[str, int]) -> pd.DataFrame:
    """Returns the columns :data:`CHANGES` of every arm that has pairs.

    Args:
        evidence: The runs, collapsed ones FAILED.
        seeds: Arm to the seeds that it was judged on, for the arms that are asked for.
    """
    rows = []
    for place, arm in enumerate(evidence.arms):
        pair = pair_of(evidence, place, seeds[arm]) if place and arm in seeds else None
        if pair is not None:
            moved = moves(*pair)
            rows.append((arm, len(pair[0]), (moved > 0).sum(), (moved < 0).sum(), swapped(*pair)))
    return pd.DataFrame(rows, columns=list(CHANGES))
