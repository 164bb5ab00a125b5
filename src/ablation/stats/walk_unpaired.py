"""The one look at arms that share no seeds, in the form of a walk over looks."""

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats.blocks import check_runs
from ablation.stats.collapse import collapsed
from ablation.stats.judge import everyone
from ablation.stats.unpaired import all_runs, judge_unpaired, unpaired_case
from ablation.stats.walked import Look, Walk


def walk_unpaired(
    values: ArrayLike,
    *,
    margin: float | None,
    alpha: float,
    status: ArrayLike | None = None,
    floor: ArrayLike | None = None,
    quantum: float = 0.0,
    chance: float | None = None,
) -> Walk:
    """Judges arms whose runs share no seeds with the baseline's, as one family at one look.

    Welch's statistic ("The generalization of Student's problem when several different
    population variances are involved", 1947) with min(n, n of the baseline) - 1 degrees of
    freedom (Hsu 1938). Satterthwaite's degrees make .10 to .13 false claims at 10 against 3
    seeds. Failures count by arm: any of either side forbids EQUIVALENT, any of the arm's
    BETTER, and none decides alone. A MISSING run takes nothing from the other arms.

    Args:
        values: Metric ``[..., arm, run]``; arms with fewer runs are filled up with MISSING ones.
        margin: As in `verdicts`.
        alpha: Error rate of each family.
        status: As in `verdicts`.
        floor: As in `verdicts`.
        quantum: As in `verdicts`.
        chance: As in `walk_looks`.

    Raises:
        ValueError: As `verdicts` does.
    """
    runs = check_runs(values, status, floor)
    fallen = np.zeros(runs.scores.shape, np.bool_)
    if chance is not None:
        fallen = collapsed(runs.scores, chance, status=runs.states)
    case = unpaired_case(all_runs(runs.failing(fallen)), quantum)
    found = judge_unpaired(case, margin, alpha)
    judged = np.ones(found.ground.shape, np.bool_)
    look = Look(
        seeds=runs.scores.shape[-1],
        alpha=alpha,
        judged=judged,
        verdicts=found,
        case=case,
        pools=everyone(case),
        quantum=quantum,
        asked=judged,
    )
    return Walk(
        verdicts=found,
        seeds=case.blocks.n,
        reached=np.ones(judged.shape[:-1], np.int64),
        looks=(look,),
        alpha=alpha,
        collapsed=fallen,
    )
