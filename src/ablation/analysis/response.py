"""The response to an ordered factor."""

from __future__ import annotations

import ast
import contextlib
import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ablation import stats
from ablation.analysis.evidence import Evidence
from ablation.records.declaration import Declaration

RESPONSE = (
    "arm", "level", "mean", "low", "high", "n", "failed", "failed_low", "failed_high", "verdict",
)  # fmt: skip
"""One row per level, rising: the baseline's mean plus the effect, with the ends of the verdict's
interval on the same scale (none for the baseline), cut where the metric ends; failed runs,
Clopper-Pearson 95 %."""

TREND = ("slope", "low", "high", "p", "n", "levels", "log")
"""One row: change of the metric per unit of the level, or per tenfold of it on the log scale."""

FEWEST_LEVELS = 3
"""Levels from which a response is a curve."""


def levels_of(declaration: Declaration) -> dict[str, float]:
    """Returns arm to level where the study's one factor is numeric, else nothing."""
    if declaration.factor is None:
        return {}
    found = {}
    for arm in declaration.arms:
        level = _literal(arm.values.get(declaration.factor))
        if isinstance(level, bool) or not isinstance(level, int | float):
            return {}
        found[arm.name] = float(level)
    if len(set(found.values())) < FEWEST_LEVELS or not all(map(math.isfinite, found.values())):
        return {}
    return found


def is_log(levels: Mapping[str, float]) -> bool:
    """Returns whether levels belong on a log scale: none is negative, and they span a tenfold."""
    positive = [level for level in levels.values() if level > 0]
    return min(levels.values()) >= 0 and max(positive) >= 10 * min(positive)


def response(effects: pd.DataFrame, declaration: Declaration) -> pd.DataFrame:
    """Returns the columns :data:`RESPONSE`; no row where the factor is not numeric.

    Args:
        effects: One row per arm, the baseline first.
        declaration: What the study fixed.
    """
    levels = levels_of(declaration)
    if not levels:
        return pd.DataFrame(columns=list(RESPONSE))
    centre, (least, most) = effects["mean"].iloc[0], declaration.measure.bounds
    mean = centre + effects["effect"]
    low, high = stats.clopper_pearson(effects["failed"], effects["n"].clip(lower=1))
    frame = effects.assign(
        level=effects["arm"].map(levels),
        mean=mean,
        low=(centre + effects["verdict_low"]).clip(np.minimum(mean, least)),
        high=(centre + effects["verdict_high"]).clip(upper=np.maximum(mean, most)),
        failed_low=low,
        failed_high=high,
    )
    frame.loc[frame.index[0], ["mean", "low", "high"]] = [centre, np.nan, np.nan]
    return frame.sort_values("level")[list(RESPONSE)].reset_index(drop=True)


def trend(evidence: Evidence, seeds: int, failed: Collection[str] = ()) -> pd.DataFrame:
    """Returns the columns :data:`TREND`; no row where the factor is not numeric.

    Args:
        evidence: The runs.
        seeds: Blocks that every arm was planned with; 0 where no look was reached.
        failed: Arms of which every run failed: their values are imputed, so they are left out.
    """
    whole = levels_of(evidence.declaration)
    levels = {arm: level for arm, level in whole.items() if arm not in failed}
    log = bool(whole) and is_log(whole)
    used = {level for level in levels.values() if level > 0 or not log}
    if len(used) < FEWEST_LEVELS or not seeds:
        return pd.DataFrame(columns=list(TREND))
    found = stats.trend(
        **evidence.cut([place for place, arm in enumerate(evidence.arms) if arm in levels], seeds),
        levels=[levels[arm] for arm in evidence.arms if arm in levels],
        log=log,
    )
    direction = evidence.declaration.measure.direction
    low, high = sorted((direction * float(found.low), direction * float(found.high)))
    slope = direction * float(found.slope)
    row = (slope, low, high, float(found.p), int(found.n), int(found.used.sum()), log)
    return pd.DataFrame([row], columns=list(TREND))


def _literal(text: Any) -> Any:
    """Returns the value that a repr spells, the text itself where it spells none."""
    with contextlib.suppress(ValueError, SyntaxError):
        return ast.literal_eval(str(text))
    return float(text) if str(text) in {"inf", "-inf"} else text
