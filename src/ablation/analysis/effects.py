"""The verdicts of a study: its runs, walked through the looks that it declared."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ablation import stats
from ablation.analysis.evidence import Evidence, gather_evidence, on_test
from ablation.spec import DIRECTIONS

EFFECTS = (
    "arm", "n", "mean", "effect", "low", "high", "adjusted_low", "adjusted_high",
    "p_difference", "p_equivalence", "failed", "failed_upper95", "wins", "ties", "losses",
    "verdict", "by_margin", "reason", "seeds_likely", "seeds_sufficient", "look", "alpha",
    "p_failures", "rho",
)  # fmt: skip
"""One row per arm, the baseline first: effects in units of the metric, arm minus baseline; low
and high pointwise 95 %; p values adjusted by Holm; seeds of a follow-up study; the look (in
seeds) that the row is from, and the error rate spent there; the sign test on failures, and the
share of a difference's variance that sharing seeds removes."""

DIFFERENCES = ("arm", "seed", "difference")
"""One row per arm and seed that both the arm and the baseline finished with."""


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """What the runs of a study say so far."""

    effects: pd.DataFrame
    """The columns :data:`EFFECTS`."""
    seeds: Mapping[str, int]
    """Arm to the number of seeds that are planned for it, given what has been decided."""

    @property
    def is_judged(self) -> bool:
        """Whether a look was reached; what is short of it has no p values."""
        return not self.effects["reason"].str.startswith("exploratory").any()

    @property
    def undecided(self) -> tuple[str, ...]:
        """Arms without a verdict, or with INCONCLUSIVE."""
        rows = self.effects.iloc[1:]
        return tuple(rows.loc[rows["verdict"] == "INCONCLUSIVE", "arm"])


def judge(runs: pd.DataFrame, hashes: pd.DataFrame, declaration: Mapping[str, Any]) -> Judged:
    """Returns effects and verdicts of all arms, as one family at each look.

    A look is reached when every run of the arms that are still undecided is there; what lies
    between two looks is shown and not judged, since a verdict that is asked for after every run
    is false too often.

    Args:
        runs: A runs frame.
        hashes: One row per run: arm, seed, weights, logits.
        declaration: What the study fixed.

    Raises:
        ValueError: If a run is there twice, belongs to no declared arm or seed, or an arm has
            runs of two configurations.
    """
    check(runs, declaration)
    evidence = gather_evidence(runs, hashes, declaration)
    direction = DIRECTIONS[declaration["metric"]]
    looks = [(seeds, float(alpha)) for seeds, alpha in declaration["looks"]]
    open_arms = list(range(1, len(evidence.arms)))
    rows: dict[int, dict[str, Any]] = {}
    seeds = dict.fromkeys(range(len(evidence.arms)), looks[0][0])
    for place, (look, alpha) in enumerate(looks):
        family = [0, *open_arms]
        seeds |= dict.fromkeys(family, look)
        if (evidence.cut(family, look)[1] == stats.Status.MISSING).any():
            if place == 0:
                rows = _exploratory(evidence, look, alpha, direction)
            break
        found = evidence.verdicts(family, look, alpha=alpha)
        following = looks[place + 1][0] if place + 1 < len(looks) else None
        rows |= {
            arm: _row(found, index, direction, look) | _reason(found, index, following)
            for index, arm in enumerate(family)
        }
        open_arms = [arm for arm in open_arms if rows[arm]["verdict"] == "INCONCLUSIVE"]
        if not open_arms:
            break
    frame = pd.DataFrame(
        [{"arm": name} | rows[arm] for arm, name in enumerate(evidence.arms)],
        columns=list(EFFECTS),
    )
    return Judged(frame, {evidence.arms[arm]: number for arm, number in seeds.items()})


def differences(
    runs: pd.DataFrame, declaration: Mapping[str, Any], seeds: Mapping[str, int]
) -> pd.DataFrame:
    """Returns the paired differences on test as the columns :data:`DIFFERENCES`.

    Args:
        runs: A runs frame.
        declaration: What the study fixed.
        seeds: Arm to its planned seeds: each arm's differences end there.
    """
    of = on_test(runs, declaration["metric"])
    table = of.pivot(index="seed", columns="arm", values="value")
    table = table.reindex(columns=[arm["name"] for arm in declaration["arms"]])
    table.columns.name = "arm"
    paired = table.sub(table[declaration["baseline"]], axis="index")
    long = paired.melt(ignore_index=False, value_name="difference").dropna().reset_index()
    planned = long["arm"].map(seeds).astype("int64")
    kept = (long["arm"] != declaration["baseline"]) & (long["seed"] < planned)
    return pd.DataFrame(long.loc[kept, list(DIFFERENCES)].reset_index(drop=True))


def check(runs: pd.DataFrame, declaration: Mapping[str, Any]) -> None:
    """Refuses a frame whose rows are not the declaration's, each once.

    Raises:
        ValueError: With the rule and the first row that breaks it.
    """
    doubled = runs[runs.duplicated(["arm", "seed", "split", "metric"])]
    if len(doubled):
        row = doubled.iloc[0]
        raise ValueError(
            f"each arm has one run per seed; {row['arm']!r} has two with seed {row['seed']}. "
            "Remove one of them."
        )
    configs = {arm["name"]: arm["config"] for arm in declaration["arms"]}
    most = declaration["looks"][-1][0]
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


def _row(found: stats.Verdicts, index: int, direction: int, look: int) -> dict[str, Any]:
    """Returns an arm's numbers; a metric of which less is better gets its own sign back."""
    ends = [
        (direction * found.low[index], direction * found.high[index]),
        (direction * found.adjusted_low[index], direction * found.adjusted_high[index]),
    ]
    (low, high), (adjusted_low, adjusted_high) = [sorted(each) for each in ends]
    if np.broadcast_to(found.n, found.mean.shape)[index] < 2:  # noqa: PLR2004 - no spread from one
        low = high = adjusted_low = adjusted_high = np.nan
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
        "alpha": float(found.alpha[index]),
        "p_failures": found.p_failures[index],
        "rho": found.rho[index],
    }


def _reason(found: stats.Verdicts, index: int, following: int | None) -> dict[str, str]:
    """Returns the reason, with what comes next where an arm is undecided."""
    reason = str(found.reason[index])
    if str(found.verdict[index]) != "INCONCLUSIVE":
        return {"reason": reason}
    if following is not None:
        return {"reason": f"{reason}; next look at n = {following}"}
    next_study = stats.follow_up_sentence(float(found.seeds_likely[index]))
    return {"reason": "; ".join(part for part in (reason, next_study) if part)}


def _exploratory(
    evidence: Evidence, look: int, alpha: float, direction: int
) -> dict[int, dict[str, Any]]:
    """Returns rows without verdicts, for runs that are short of the first look."""
    everyone = range(len(evidence.arms))
    found = evidence.verdicts(everyone, look, alpha=alpha, identity=False)
    blocks = int(np.broadcast_to(found.n, found.mean.shape)[0])
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
        "reason": f"exploratory look, no verdicts: {blocks} of {look} planned blocks are complete",
    }
    rows = {arm: _row(found, arm, direction, look) | hidden for arm in everyone}
    rows[0] |= {"verdict": "", "reason": ""}
    return rows
