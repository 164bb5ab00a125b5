"""Planning rows: what a plan with or without looks can show, before any run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ablation.stats.blocks import check_runs
from ablation.stats.crossed import Known
from ablation.stats.rule import Verdict
from ablation.stats.walk import walk_runs
from ablation.stats.walked import Walk


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PlanningRow:
    """Probabilities of verdicts at a number of seeds, before any run."""

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
    examples: int | None
    """Size of the test split; None where the verdict is about this split alone."""
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
    examples: int | None = None,
    deviation: float = 0.0,
    effects: Sequence[float] | None = None,
    repetitions: int = 2000,
    generator: np.random.Generator | None = None,
) -> PlanningRow:
    """Returns the planning row of a study, simulated with the engine that will judge it.

    A closed form, such as `power_better`, knows neither Holm's second step nor looks.

    Args:
        looks: Seeds at each look, or one number in a sequence.
        margin: Smallest effect worth acting on, in units of the metric.
        noise: Standard deviation of one paired difference; see `difference_noise`.
        comparisons: Arms besides the baseline.
        spend: alpha spent at each look.
        examples: Size of the test split where the verdict is about new examples, else None.
        deviation: Standard deviation over examples of the mean difference.
        effects: True effects to ask BETTER for; 1, 1.5, 2 and 3 times the noise where None.
        repetitions: Simulated studies per effect; 2,000 are within 0.02 of the truth or so.
        generator: Source of the simulated noise; a fixed one where None, so that a plan printed
            twice reads the same.
    """
    draw = np.random.default_rng(20) if generator is None else generator
    asked = tuple(noise * r for r in (1.0, 1.5, 2.0, 3.0)) if effects is None else tuple(effects)
    shape = (repetitions, comparisons + 1, looks[-1])
    sample = None if examples is None else Known(size=examples, deviation=deviation)

    def walk(effect: float) -> Walk:
        values = draw.normal(scale=noise / np.sqrt(2), size=shape)
        values[:, 1] += effect
        if examples is not None:  # one draw of examples for all seeds of a study
            values += draw.normal(scale=deviation / np.sqrt(2 * examples), size=(*shape[:2], 1))
        runs = replace(check_runs(values), examples=sample)
        return walk_runs(runs, looks=looks, spend=spend, margin=margin)

    idle = walk(0.0)
    better = tuple(float(np.mean(walk(e).verdict[:, 1] == Verdict.BETTER)) for e in asked)
    return PlanningRow(
        looks=tuple(looks),
        spend=tuple(spend),
        comparisons=comparisons,
        margin=margin,
        noise=noise,
        examples=examples,
        effects=asked,
        better=better,
        equivalent=float(np.mean(idle.verdict[:, 1:] == Verdict.EQUIVALENT)),
        seeds=float(np.mean(idle.seeds[:, 1:])),
    )
