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
    """Returns the one look at arms that share no seeds; see `unpaired_verdicts`.

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
