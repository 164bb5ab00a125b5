"""Sensitivity of a verdict to choices: the spread, the margin, the looks, the examples."""

from __future__ import annotations

import math
from collections.abc import Collection

import pandas as pd

from ablation import stats
from ablation.analysis.evidence import Evidence

SENSITIVITY = ("arm", "verdict", "pooled", "half_margin", "double_margin")
"""One row per arm but the baseline: the verdict, and what the rule would say under the pooled
standard error (no column where arms are unpaired), with half the margin, and with double the
margin."""

LOOKS = ("arm", "look", "effect", "verdict_low", "verdict_high", "verdict")
"""One row per arm and look that judged it, with the interval that the look's verdict rests on."""

VARIANCE = ("source", "deviation", "n")
"""One row each for arm and seed: what choosing it moves the metric by, as a deviation; and the
seeds that all arms share."""

SPLIT = ("arm", "n", "effect", "verdict_low", "verdict_high", "verdict")
"""One row per arm: what would be said of new seeds on this very test split."""


def sensitivity(evidence: Evidence, walk: stats.Walk) -> pd.DataFrame:
    """Returns the columns :data:`SENSITIVITY`; no row where nothing was judged.

    Args:
        evidence: The runs.
        walk: Where the looks led.
    """
    if not walk.reached:
        return pd.DataFrame(columns=list(SENSITIVITY))
    others = (walk.again(pooled=True), walk.again(scale=0.5), walk.again(scale=2.0))
    words = [each[1:].tolist() for each in (walk.verdict, *others)]
    rows = list(zip(evidence.arms[1:], *words, strict=True))
    frame = pd.DataFrame(rows, columns=list(SENSITIVITY))
    return frame if walk.verdicts.paired else frame.drop(columns="pooled")


def on_this_split(evidence: Evidence) -> pd.DataFrame:
    """Returns the columns :data:`SPLIT`; no row where that is what the verdicts are about."""
    if evidence.examples is None:
        return pd.DataFrame(columns=list(SPLIT))
    walk = evidence.on_this_split().walk()
    found, arms = walk.verdicts, range(1, len(evidence.arms))
    rows = [
        (evidence.arms[arm], int(found.n[arm]), *_interval(found, arm, evidence),
         str(found.verdict[arm]))
        for arm in (arms if walk.reached else ())
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(SPLIT))


def looks(evidence: Evidence, walk: stats.Walk) -> pd.DataFrame:
    """Returns the columns :data:`LOOKS`; no row where the study looks once."""
    taken = walk.looks if walk.reached and len(evidence.declaration.looks) > 1 else ()
    rows = [
        (evidence.arms[arm], look.seeds, *_interval(look.verdicts, arm, evidence),
         str(look.verdicts.verdict[arm]))
        for look in taken
        for arm in range(1, len(evidence.arms))
        if look.judged[arm]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(LOOKS))


def _interval(found: stats.Verdicts, arm: int, evidence: Evidence) -> tuple[float, float, float]:
    """Returns an effect with the ends of its verdict's interval, in the metric's own sign."""
    direction = evidence.declaration.measure.direction
    low, high = sorted(
        direction * float(end[arm]) for end in (found.verdict_low, found.verdict_high)
    )
    return direction * float(found.effect[arm]) + 0.0, low, high


def variance(evidence: Evidence, seeds: int, without: Collection[str] = ()) -> pd.DataFrame:
    """Returns the columns :data:`VARIANCE` over the blocks that every arm was planned with.

    There is no row where arms share no seeds, because such runs have no blocks, nor where fewer
    than two arms are left.

    Args:
        evidence: The runs.
        seeds: Number of seeds that every arm is planned with.
        without: Arms to leave out, such as those of which every run failed.
    """
    kept = [place for place, arm in enumerate(evidence.arms) if arm not in without]
    if not evidence.declaration.paired or len(kept) <= 1:
        return pd.DataFrame(columns=list(VARIANCE))
    given = evidence.cut(kept, seeds)
    status = given["status"]
    split = stats.variance_split(given["values"], status=status, floor=evidence.floor)
    blocks = int((status != stats.Status.MISSING).all(axis=0).sum())
    rows = [
        ("arm", float(split.arm_deviation), blocks),
        ("seed", float(split.seed_deviation), blocks),
    ]
    return pd.DataFrame([row for row in rows if not math.isnan(row[1])], columns=list(VARIANCE))
