"""Computes a study's effects and verdicts from its runs, look by look."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ablation import stats
from ablation.analysis.evidence import Evidence, gather_evidence, on_test
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
    direction = declaration.measure.direction
    looks = declaration.looks
    open_arms = list(range(1, len(evidence.arms)))
    rows: dict[int, dict[str, Any]] = {}
    seeds = dict.fromkeys(range(len(evidence.arms)), looks[0].seeds)
    for place, (look, alpha) in enumerate(looks):
        family = [0, *open_arms]
        seeds |= dict.fromkeys(family, look)
        if (evidence.cut(family, look)[1] == stats.Status.MISSING).any():
            if place == 0:
                rows = _exploratory(evidence, look, alpha, direction)
            break
        found = evidence.verdicts(family, look, alpha=alpha)
        following = looks[place + 1].seeds if place + 1 < len(looks) else None
        rows |= {
            arm: _row(found, index, direction, look, is_last=following is None)
            for index, arm in enumerate(family)
        }
        open_arms = [arm for arm in open_arms if rows[arm]["verdict"] == "INCONCLUSIVE"]
        if not open_arms:
            break
    named = [{"arm": name} | rows[arm] for arm, name in enumerate(evidence.arms)]
    frame = pd.DataFrame(
        [row | {"reason": reason(row, declaration)} for row in named], columns=list(EFFECTS)
    )
    return Judged(frame, {evidence.arms[arm]: number for arm, number in seeds.items()})


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


def _row(
    found: stats.Verdicts, index: int, direction: int, look: int, *, is_last: bool
) -> dict[str, Any]:
    """Returns an arm's columns, in the metric's own sign."""
    ends = [
        (direction * found.low[index], direction * found.high[index]),
        (direction * found.adjusted_low[index], direction * found.adjusted_high[index]),
    ]
    (low, high), (adjusted_low, adjusted_high) = [sorted(each) for each in ends]
    if np.broadcast_to(found.n, found.mean.shape)[index] < 2:  # noqa: PLR2004 - no spread from one
        low = high = adjusted_low = adjusted_high = np.nan
    ground = stats.Ground(int(found.ground[index]))
    undecided = str(found.verdict[index]) == "INCONCLUSIVE"
    return {
        "n": int(np.broadcast_to(found.n, found.mean.shape)[index]),
        "mean": direction * found.mean[index],
        "effect": direction * found.effect[index] + 0.0,
        "low": low,
        "high": high,
        "adjusted_low": adjusted_low,
        "adjusted_high": adjusted_high,
        "p_difference": found.p_difference[index],
        "p_equivalence": found.p_equivalence[index],
        "failed": int(found.failed[index]),
        "failed_upper95": found.failed_upper95[index],
        "wins": int(found.wins[index]),
        "ties": int(found.ties[index]),
        "losses": int(found.losses[index]),
        "verdict": str(found.verdict[index]),
        "by_margin": bool(found.by_margin[index]),
        "seeds_likely": found.seeds_likely[index],
        "seeds_sufficient": found.seeds_sufficient[index],
        "look": look,
        "alpha": found.alpha,
        "p_failures": found.p_failures[index],
        "rho": found.rho[index],
        "ground": ground.name,
        "stage": "open" if undecided and not is_last else "final",
        "failed_alone": int(found.failed_alone[index]),
        "baseline_failed_alone": int(found.baseline_failed_alone[index]),
        "baseline_failed": int(found.failed[0]),
    }


def _exploratory(
    evidence: Evidence, look: int, alpha: float, direction: int
) -> dict[int, dict[str, Any]]:
    """Returns rows without verdicts, for runs before the first look."""
    everyone = range(len(evidence.arms))
    found = evidence.verdicts(everyone, look, alpha=alpha, identity=False)
    hidden = {
        "adjusted_low": np.nan,
        "adjusted_high": np.nan,
        "p_difference": np.nan,
        "p_equivalence": np.nan,
        "p_failures": np.nan,
        "seeds_likely": np.nan,
        "seeds_sufficient": np.nan,
        "by_margin": False,
        "verdict": "INCONCLUSIVE",
        "ground": "UNDECIDED",
        "stage": "exploratory",
    }
    rows = {arm: _row(found, arm, direction, look, is_last=False) | hidden for arm in everyone}
    rows[0] |= {"verdict": "", "ground": "BASELINE"}
    return rows
