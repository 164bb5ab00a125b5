"""How far a verdict depends on choices: the spread, the margin, the looks, the examples."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablation import stats
from ablation.analysis.evidence import Evidence
from ablation.records.declaration import Declaration

SENSITIVITY = ("arm", "verdict", "pooled", "half_margin", "double_margin")
"""One row per arm but the baseline: the verdict, and what the rule would say under the pooled
standard error, with half the margin, and with double the margin."""

LOOKS = ("arm", "look", "effect", "adjusted_low", "adjusted_high", "verdict")
"""One row per arm and look that judged it."""

VARIANCE = ("source", "deviation", "n")
"""One row each for arm and seed: what choosing it moves the metric by, as a deviation; and the
seeds that all arms share."""

GENERALISATION = ("arm", "n", "examples", "effect", "low", "high", "weight")
"""One row per arm: the effect for new seeds and new test examples, with its 95 % interval."""


def sensitivity(evidence: Evidence, effects: pd.DataFrame) -> pd.DataFrame:
    """Returns the columns :data:`SENSITIVITY`; no row where nothing was judged."""
    rows = []
    for look, alpha, family, last in _families(evidence, effects):
        asked = evidence.asked(family, look, alpha=alpha)
        pooled = stats.pooled_sensitivity(**asked).would_be
        found = [
            evidence.verdicts(family, look, alpha=alpha, scale=s).verdict for s in (1, 0.5, 2)
        ]
        for place, arm in enumerate(family):
            if arm in last:
                words = (found[0], pooled, found[1], found[2])
                rows.append((arm, evidence.arms[arm], *(str(each[place]) for each in words)))
    rows.sort()
    return pd.DataFrame([row[1:] for row in rows], columns=list(SENSITIVITY))


def looks(evidence: Evidence, effects: pd.DataFrame) -> pd.DataFrame:
    """Returns the columns :data:`LOOKS`; no row where the study looks once."""
    schedule = evidence.declaration.looks
    rows = []
    direction = evidence.declaration.measure.direction
    for look, alpha, family, _ in _families(evidence, effects) if len(schedule) > 1 else ():
        found = evidence.verdicts(family, look, alpha=alpha)
        for place, arm in enumerate(family[1:], start=1):
            ends = sorted(
                direction * float(end[place]) for end in (found.adjusted_low, found.adjusted_high)
            )
            effect = direction * float(found.effect[place])
            rows.append((evidence.arms[arm], look, effect, *ends, str(found.verdict[place])))
    return pd.DataFrame(rows, columns=list(LOOKS))


def variance(evidence: Evidence, seeds: int) -> pd.DataFrame:
    """Returns the columns :data:`VARIANCE` over the blocks that every arm was planned with."""
    values, status, _ = evidence.cut(range(len(evidence.arms)), seeds)
    split = stats.variance_split(values, status=status, floor=evidence.floor)
    blocks = int((status != stats.Status.MISSING).all(axis=0).sum())
    rows = [
        ("arm", float(split.arm_deviation), blocks),
        ("seed", float(split.seed_deviation), blocks),
    ]
    return pd.DataFrame([row for row in rows if not math.isnan(row[1])], columns=list(VARIANCE))


def generalisation(
    examples: pd.DataFrame, effects: pd.DataFrame, declaration: Declaration
) -> pd.DataFrame:
    """Returns the columns :data:`GENERALISATION`; no row where the metric is not accuracy.

    An arm with failed runs has none: of the others alone it would be biased.

    Args:
        examples: One row per run: arm, seed, and a packed bit per test example.
        effects: One row per arm, the baseline first.
        declaration: What the study fixed.
    """
    none = pd.DataFrame(columns=list(GENERALISATION))
    if declaration.metric != "accuracy" or examples.empty:
        return none
    size = round(1 / declaration.quantum)
    right = {
        (arm, seed): np.unpackbits(np.frombuffer(bits, np.uint8), count=size).astype(np.int8)
        for arm, seed, bits in examples[["arm", "seed", "correct"]].itertuples(index=False)
        if 8 * len(bits) >= size
    }
    rows = []
    baseline = declaration.baseline
    for arm, look, failed in effects[["arm", "look", "failed"]].iloc[1:].itertuples(index=False):
        if failed or effects["failed"].iloc[0]:
            continue
        pairs = [(right.get((arm, s)), right.get((baseline, s))) for s in range(look)]
        table = [one - two for one, two in pairs if one is not None and two is not None]
        if len(table) > 1:
            rows.append((arm, len(table), size, *_generalise(np.stack(table))))
    return pd.DataFrame(rows, columns=list(GENERALISATION))


def _generalise(differences: NDArray[np.int8]) -> tuple[float, float, float, float]:
    found = stats.generalise(differences)
    return float(found.effect), float(found.low), float(found.high), float(found.weight)


def _families(
    evidence: Evidence, effects: pd.DataFrame
) -> list[tuple[int, float, list[int], set[int]]]:
    """Returns each look with its error rate, the arms it judged, and those it was the last for."""
    if (effects["stage"] == "exploratory").any():
        return []
    last = dict(zip(effects["arm"], effects["look"], strict=True))
    reached = max(last.values())
    found = []
    for look, alpha in evidence.declaration.looks:
        arms = range(1, len(evidence.arms))
        family = [0, *(arm for arm in arms if last[evidence.arms[arm]] >= look)]
        if look <= reached and len(family) > 1:
            ended = {arm for arm in family[1:] if last[evidence.arms[arm]] == look}
            found.append((look, alpha, family, ended))
    return found
