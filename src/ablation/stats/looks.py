"""Looks: adding seeds to undecided arms, and what a plan with or without looks can show.

These walk over studies whose every value is already at hand, simulated ones above all. A study
that runs calls `verdicts` at each look with the arms still undecided.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.stats.blocks import Ints
from ablation.stats.judge import judge, open_case
from ablation.stats.rule import Verdict


@dataclass(frozen=True, slots=True, eq=False)
class LookVerdicts:
    """The final verdict of every arm and the look that gave it, ``[..., arm]``."""

    verdict: NDArray[np.str_]
    """BETTER, WORSE, EQUIVALENT or INCONCLUSIVE; empty for the baseline."""
    seeds: Ints
    """Seeds at the deciding look; those of the last look where undecided."""


def walk_looks(
    values: ArrayLike,
    *,
    looks: Sequence[int],
    spend: Sequence[float],
    margin: float | None,
    quantum: float = 0.0,
) -> LookVerdicts:
    """Walks the looks of many studies at once.

    At each look the rule runs at that look's alpha over the arms still undecided; any verdict
    but INCONCLUSIVE is final. What is spent may sum to the whole alpha for any stopping, which
    is Bonferroni over the looks (alpha spending as such: Slud & Wei 1982).

    Args:
        values: Metric ``[..., arm, seed]`` with the seeds of the last look.
        looks: Seeds at each look, rising.
        spend: alpha spent at each look.
        margin: As in `verdicts`.
        quantum: As in `verdicts`.

    Raises:
        ValueError: If looks and spend differ in length or the looks do not rise.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(looks) != len(spend) or list(looks) != sorted(set(looks)):
        raise ValueError(
            f"looks must rise and have one alpha each; got looks {tuple(looks)} and spend "
            f"{tuple(spend)}. Give as many of one as of the other."
        )
    verdict = np.full(values.shape[:-1], Verdict.INCONCLUSIVE, dtype="<U12")
    verdict[..., 0] = ""
    seeds = np.full(values.shape[:-1], looks[-1])
    for n, alpha in zip(looks, spend, strict=True):
        undecided = verdict == Verdict.INCONCLUSIVE
        case = open_case(values[..., :n], quantum=quantum)
        seen = judge(replace(case, remain=case.remain & undecided), margin, alpha).verdict
        decided = undecided & (seen != Verdict.INCONCLUSIVE)
        verdict, seeds = np.where(decided, seen, verdict), np.where(decided, n, seeds)
    return LookVerdicts(verdict=verdict, seeds=seeds)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PlanningRow:
    """What a number of seeds can and cannot show, before any run."""

    looks: tuple[int, ...]
    """Seeds at each look; a single number for a study without looks."""
    spend: tuple[float, ...]
    """alpha spent at each look."""
    comparisons: int
    """Arms besides the baseline."""
    margin: float | None
    """Smallest effect worth acting on, in units of the metric."""
    noise: float
    """Standard deviation of one paired difference, in units of the metric."""
    effects: tuple[float, ...]
    """True effects that BETTER is asked for, in units of the metric."""
    better: tuple[float, ...]
    """P(BETTER) by the last look when one arm has that effect and the others none. Where the
    effect is inside the margin, EQUIVALENT may win over it."""
    equivalent: float
    """P(EQUIVALENT) by the last look for an arm, when none has an effect; 0 without margin."""
    seeds: float
    """Mean seeds until an arm without effect is decided, or the looks end."""


def planning_row(
    looks: Sequence[int],
    *,
    margin: float | None,
    noise: float,
    comparisons: int,
    spend: Sequence[float] = (0.05,),
    effects: Sequence[float] | None = None,
    repetitions: int = 2000,
    generator: np.random.Generator | None = None,
) -> PlanningRow:
    """Returns the planning row of a study, simulated with the engine that will judge it.

    Closed forms (`power_better`, `power_equivalent`) know neither Holm's second step nor looks
    and are too low by up to a fifth where several arms are equivalent.

    Args:
        looks: Seeds at each look, or one number in a sequence.
        margin: Smallest effect worth acting on, in units of the metric.
        noise: Standard deviation of one paired difference; see `difference_noise`.
        comparisons: Arms besides the baseline.
        spend: alpha spent at each look.
        effects: True effects to ask BETTER for; 1, 1.5, 2 and 3 times the noise where None.
        repetitions: Simulated studies per effect; 2,000 are within 0.02 of the truth or so.
        generator: Source of the simulated noise; a fixed one where None, so that a plan printed
            twice reads the same.
    """
    draw = np.random.default_rng(20) if generator is None else generator
    asked = tuple(noise * r for r in (1.0, 1.5, 2.0, 3.0)) if effects is None else tuple(effects)
    shape = (repetitions, comparisons + 1, looks[-1])

    def walk(effect: float) -> LookVerdicts:
        values = draw.normal(scale=noise / np.sqrt(2), size=shape)
        values[:, 1] += effect
        return walk_looks(values, looks=looks, spend=spend, margin=margin)

    idle = walk(0.0)
    better = tuple(float(np.mean(walk(e).verdict[:, 1] == Verdict.BETTER)) for e in asked)
    return PlanningRow(
        looks=tuple(looks),
        spend=tuple(spend),
        comparisons=comparisons,
        margin=margin,
        noise=noise,
        effects=asked,
        better=better,
        equivalent=float(np.mean(idle.verdict[:, 1:] == Verdict.EQUIVALENT)),
        seeds=float(np.mean(idle.seeds[:, 1:])),
    )
