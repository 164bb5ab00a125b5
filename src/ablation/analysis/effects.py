"""Computes a study's effects and verdicts from its runs, look by look."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ablation import stats
from ablation.analysis.evidence import gather_evidence, on_test
from ablation.analysis.words import reason
from ablation.records.declaration import Declaration

EFFECTS = (
    "arm", "n", "mean", "effect", "low", "high", "adjusted_low", "adjusted_high",
    "p_difference", "p_equivalence", "failed", "failed_upper95", "wins", "ties", "losses",
    "verdict", "by_margin", "reason", "seeds_likely", "seeds_sufficient", "look", "alpha",
    "p_failures", "rho", "ground", "stage", "failed_alone", "baseline_failed_alone",
    "baseline_failed",
)  # fmt: skip
"""One row per arm, the baseline first.

- ``effect``: arm minus baseline, in units of the metric; ``low`` and ``high``: pointwise 95 %.
- ``p_difference``, ``p_equivalence``, ``p_failures`` (a sign test): adjusted by Holm.
- ``seeds_likely``, ``seeds_sufficient``: sizes of a follow-up study.
- ``look``: the look, in seeds, that the row is from; ``alpha``: the error rate spent there.
- ``rho``: share of a difference's variance that sharing seeds removes.
- ``ground``: name of the ``stats.Ground`` that decided.
- ``stage``: ``exploratory`` (no look was reached), ``open`` (a look follows) or ``final``.
- ``failed_alone``: number of seeds on which only the arm failed; ``baseline_failed_alone``: only
  the baseline; ``baseline_failed``: the baseline, with or without the arm.
"""

DIFFERENCES = ("arm", "seed", "difference")
"""One row per arm and seed on which both the arm and the baseline finished."""


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """The effects and verdicts of a study so far."""

    effects: pd.DataFrame
    """The columns :data:`EFFECTS`."""
    seeds: Mapping[str, int]
    """Arm to its number of planned seeds, given the decisions so far."""

    @property
    def is_judged(self) -> bool:
        """Whether a look was reached; before that there are no p values."""
        return not (self.effects["stage"] == "exploratory").any()


def judge(runs: pd.DataFrame, hashes: pd.DataFrame, declaration: Declaration) -> Judged:
    """Returns effects and verdicts of all arms, as one family at each look.

    A look is reached when the undecided arms have all of its runs. Runs after the last reached
    look change no verdict.

    Args:
        runs: A runs frame.
        hashes: One row per run: arm, seed, weights, logits.
        declaration: Everything the study fixed.

    Raises:
        ValueError: If a run occurs twice, belongs to no declared arm or seed, or an arm has runs
            of two configurations.
    """
    # Only at looks, because a verdict after every run would be false too often.
    check(runs, declaration)
    evidence = gather_evidence(runs, hashes, declaration)
    walk = evidence.walk()
    rows = [_row(walk, arm, name, declaration) for arm, name in enumerate(evidence.arms)]
    frame = pd.DataFrame(
        [row | {"reason": reason(row, declaration)} for row in rows], columns=list(EFFECTS)
    )
    planned = dict(zip(evidence.arms, walk.seeds.tolist(), strict=True))
    return Judged(frame, planned)


def differences(
    runs: pd.DataFrame, declaration: Declaration, seeds: Mapping[str, int]
) -> pd.DataFrame:
    """Returns the paired differences on test as the columns :data:`DIFFERENCES`.

    Args:
        runs: A runs frame.
        declaration: Everything the study fixed.
        seeds: Arm to its number of planned seeds; later seeds are left out.
    """
    of = on_test(runs, declaration.metric)
    table = of.pivot(index="seed", columns="arm", values="value")
    table = table.reindex(columns=[arm.name for arm in declaration.arms])
    table.columns.name = "arm"
    paired = table.sub(table[declaration.baseline], axis="index")
    long = paired.melt(ignore_index=False, value_name="difference").dropna().reset_index()
    planned = long["arm"].map(seeds).astype("int64")
    kept = (long["arm"] != declaration.baseline) & (long["seed"] < planned)
    return pd.DataFrame(long.loc[kept, list(DIFFERENCES)].reset_index(drop=True))


def check(runs: pd.DataFrame, declaration: Declaration) -> None:
    """Refuses a frame with repeated or undeclared runs.

    Raises:
        ValueError: If a row breaks a rule; names the rule and the first such row.
    """
    doubled = runs[runs.duplicated(["arm", "seed", "split", "metric"])]
    if len(doubled):
        row = doubled.iloc[0]
        raise ValueError(
            f"each arm has one run per seed; {row['arm']!r} has two with seed {row['seed']}. "
            "Remove one of them."
        )
    configs = {arm.name: arm.config for arm in declaration.arms}
    most = declaration.most_seeds
    foreign = ~runs["arm"].isin(configs) | (runs["seed"] >= most) | (runs["seed"] < 0)
    if foreign.any():
        row = runs[foreign].iloc[0]
        raise ValueError(
            f"every run belongs to a declared arm and seed; got {row['arm']!r} with seed "
            f"{row['seed']}. Leave foreign runs out."
        )
    other = runs["config"] != runs["arm"].map(configs)
    if other.any():
        row = runs[other].iloc[0]
        raise ValueError(
            f"an arm has one configuration on one data content; {row['arm']!r} has a run of "
            f"{row['config']}, and {configs[row['arm']]} is declared. Leave other runs out."
        )


def _row(walk: stats.Walk, arm: int, name: str, declaration: Declaration) -> dict[str, Any]:
    """Returns an arm's columns, in the metric's own sign."""
    found, direction = walk.verdicts, declaration.measure.direction
    ends = [
        (direction * found.low[arm], direction * found.high[arm]),
        (direction * found.adjusted_low[arm], direction * found.adjusted_high[arm]),
    ]
    (low, high), (adjusted_low, adjusted_high) = [sorted(each) for each in ends]
    if found.n[arm] < 2:  # noqa: PLR2004 - no spread from one
        low = high = adjusted_low = adjusted_high = np.nan
    last = next((look for look in reversed(walk.looks) if look.judged[arm]), walk.looks[0])
    undecided = found.verdict[arm] == "INCONCLUSIVE"
    stage = "open" if undecided and last.seeds < declaration.most_seeds else "final"
    return {
        "arm": name,
        "n": int(found.n[arm]),
        "mean": direction * found.mean[arm],
        "effect": direction * found.effect[arm] + 0.0,
        "low": low,
        "high": high,
        "adjusted_low": adjusted_low,
        "adjusted_high": adjusted_high,
        "p_difference": found.p_difference[arm],
        "p_equivalence": found.p_equivalence[arm],
        "failed": int(found.failed[arm]),
        "failed_upper95": found.failed_upper95[arm],
        "wins": int(found.wins[arm]),
        "ties": int(found.ties[arm]),
        "losses": int(found.losses[arm]),
        "verdict": str(found.verdict[arm]),
        "by_margin": bool(found.by_margin[arm]),
        "seeds_likely": found.seeds_likely[arm],
        "seeds_sufficient": found.seeds_sufficient[arm],
        "look": last.seeds,
        "alpha": last.alpha,
        "p_failures": found.p_failures[arm],
        "rho": found.rho[arm],
        "ground": stats.Ground(int(found.ground[arm])).name,
        "stage": stage if walk.reached else "exploratory",
        "failed_alone": int(found.failed_alone[arm]),
        "baseline_failed_alone": int(found.baseline_failed_alone[arm]),
        "baseline_failed": int(found.failed[0]),
    }
