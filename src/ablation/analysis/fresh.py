"""Estimates from fresh seeds: the size of what was decided, without the luck of the decision."""

from __future__ import annotations

import dataclasses

import pandas as pd

from ablation.analysis.effects import Judged

ESTIMATES = ("arm", "n", "mean", "effect", "low", "high")
"""One row per arm that was decided: its paired difference on seeds that took no part in that,
with the 95 % interval of so many seeds."""

DECIDED = ("BETTER", "WORSE", "EQUIVALENT")
"""Verdicts of arms whose size is estimated anew; IDENTICAL ones differ by nothing."""


def decided_arms(effects: pd.DataFrame) -> tuple[str, ...]:
    """Returns the arms to estimate anew; none while a look is still to come.

    Args:
        effects: One row per arm, the baseline first.
    """
    if effects["stage"].isin(["exploratory", "open"]).any():
        return ()
    return tuple(effects.loc[effects["verdict"].isin(DECIDED), "arm"])


def fresh_estimates(judged: Judged) -> pd.DataFrame:
    """Returns the columns :data:`ESTIMATES`; no row until all fresh runs are there.

    Args:
        judged: The verdicts of the study on fresh seeds, of which the estimates alone are taken.
    """
    rows = judged.effects.iloc[1:] if judged.is_judged else judged.effects.iloc[:0]
    return rows.loc[:, list(ESTIMATES)].reset_index(drop=True)


def with_fresh(judged: Judged, fresh: pd.DataFrame | None) -> Judged:
    """Returns verdicts with the columns of fresh estimates beside their own.

    Args:
        judged: The verdicts of a study.
        fresh: A frame of :data:`ESTIMATES`, None where the study asks for none.
    """
    if fresh is None:
        return judged
    of = fresh.set_index("arm")
    arms = judged.effects["arm"]
    columns = {f"fresh_{name}": arms.map(of[name]).astype(float) for name in ESTIMATES[1:]}
    return dataclasses.replace(judged, effects=judged.effects.assign(**columns))
