"""Computes a study's effects and verdicts from its runs, look by look."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ablation import stats
from ablation.analysis.contrasts import CONTRASTS, contrasts
from ablation.analysis.evidence import gather_evidence, on_test
from ablation.analysis.reasons import reason
from ablation.records.declaration import Declaration
from ablation.records.taken import Taken

EFFECTS = (
    "arm", "n", "mean", "effect", "low", "high", "adjusted_low", "adjusted_high",
    "p_difference", "p_equivalence", "failed", "failed_upper95", "wins", "ties", "losses",
    "verdict", "by_margin", "reason", "seeds_likely", "seeds_sufficient", "look", "alpha",
    "p_failures", "rho", "ground", "stage", "failed_alone", "baseline_failed_alone",
    "baseline_failed", "scope", "verdict_low", "verdict_high", "estimate_low", "estimate_high",
    "standard_error", "reach", "may_differ95", "needs_examples", "odd_shape", "one_seed",
    "spent_difference", "spent_equivalence", "missing", "late", "example_deviation",
    "fresh_n", "fresh_mean", "fresh_effect", "fresh_low", "fresh_high",
)  # fmt: skip
"""One row per arm, the baseline first.

- ``n``: complete blocks; where arms share no seeds, the arm's own runs.
- ``effect``: arm minus baseline, in units of the metric; ``low`` and ``high``: pointwise 95 %.
- ``p_difference``, ``p_equivalence``, ``p_failures`` (a sign test): adjusted by Holm.
- ``seeds_likely``, ``seeds_sufficient``: sizes of a follow-up study.
- ``look``: the look, in seeds, that the row is from; ``alpha``: the error rate spent there.
- ``rho``: share of a difference's variance that sharing seeds removes.
- ``ground``: name of the ``stats.Ground`` that decided.
- ``stage``: ``exploratory`` (no look was reached), ``missing`` (the look was taken without runs
  of the arm), ``open`` (a look follows) or ``final``.
- ``failed_alone``: number of seeds on which only the arm failed; ``baseline_failed_alone``: only
  the baseline; ``baseline_failed``: the baseline, with or without the arm.
- ``scope``: ``new_examples`` (verdicts are about new seeds and new test examples) or
  ``this_split`` (new seeds on this test split).
- ``verdict_low``, ``verdict_high``: the interval that the verdict rests on, at the look's alpha
  over the divisor of Holm's step: beyond 0 where BETTER or WORSE by the means, within the margin
  where EQUIVALENT. ``estimate_low``, ``estimate_high``: at 1 - alpha of the look, which covers at
  least 95 % over all looks together. ``low`` and ``high`` treat the number of seeds as fixed.
- ``reach``: how BETTER or WORSE compares with the margin: ``at_least``, ``open`` or ``below``.
- ``may_differ95``: share of seeds on which an IDENTICAL arm may still differ (one-sided 95 %).
- ``needs_examples``: no number of seeds would decide; a larger test split might.
- ``odd_shape``: differences too skewed or too far apart for a t test on so few.
- ``spent_difference``, ``spent_equivalence``: least p value of the looks so far times the whole
  alpha over the look's, not adjusted for the other arms; several studies are combined by it.
- ``missing``: runs that the arm lacks at its look, in blocks that count; ``late``: they came after
  the look was taken, so the arm was judged there at alpha over the size of the whole family.
- ``fresh_...``: the estimate on fresh seeds, with its 95 % interval, where the study asks for one.
- ``example_deviation``: standard deviation over test examples of the arm's mean difference, which
  more seeds do not lower; empty on this split alone.
- ``one_seed``: leaving out a single seed would change the verdict.
"""

REACHES = {
    stats.Reach.NONE: "",
    stats.Reach.AT_LEAST_MARGIN: "at_least",
    stats.Reach.OPEN: "open",
    stats.Reach.BELOW_MARGIN: "below",
}

DIFFERENCES = ("arm", "seed", "difference")
"""One row per arm and seed on which both the arm and the baseline finished; of unpaired arms, one
per finished run."""


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """The effects and verdicts of a study so far."""

    effects: pd.DataFrame
    """The columns :data:`EFFECTS`."""
    seeds: Mapping[str, int]
    """Arm to its number of planned seeds, given the decisions so far."""
    collapsed: frozenset[tuple[str, int]] = frozenset()
    """Arm and seed of the runs that the rule ``half`` made FAILED(collapsed)."""
    contrasts: pd.DataFrame = dataclasses.field(
        default_factory=lambda: pd.DataFrame(columns=list(CONTRASTS))
    )
    """The effects of several factors: the columns ``CONTRASTS``."""

    @property
    def is_judged(self) -> bool:
        """Returns whether a look was reached; before that there are no p values."""
        return not (self.effects["stage"] == "exploratory").any()

    @property
    def example_deviation(self) -> float | None:
        """Median over the arms, identical ones aside, of the spread over test examples.

        None where verdicts are about this split, or no look was reached.
        """
        rows = self.effects.iloc[1:]
        known = rows.loc[rows["verdict"] != "IDENTICAL", "example_deviation"].dropna()
        return float(known.median()) if self.is_judged and len(known) else None


def judge(
    runs: pd.DataFrame,
    hashes: pd.DataFrame,
    declaration: Declaration,
    examples: pd.DataFrame | None = None,
    taken: Taken | None = None,
) -> Judged:
    """Returns effects and verdicts of all arms, as one family at each look.

    A look is reached when the undecided arms have all of its runs. Runs after the last reached
    look change no verdict.

    Args:
        runs: A runs frame.
        hashes: One row per run: arm, seed, weights, logits.
        declaration: Everything the study fixed.
        examples: An examples frame. Where it has the scores of every finished run, verdicts are
            about new test examples too.
        taken: Looks that were taken although runs were missing.

    Raises:
        ValueError: If a run occurs twice, belongs to no declared arm or seed, or an arm has runs
            of two configurations.
    """
    # Only at looks, because a verdict after every run would be false too often.
    check_frame(runs, declaration)
    evidence = gather_evidence(runs, hashes, declaration, examples, taken)
    walk = evidence.walk()
    rows = _rows(walk, evidence.arms, declaration)
    frame = pd.DataFrame(
        [row | {"reason": reason(row, declaration)} for row in rows], columns=list(EFFECTS)
    )
    planned = dict(zip(evidence.arms, walk.seeds.tolist(), strict=True))
    arms, seeds = np.nonzero(walk.collapsed)
    pairs = zip(arms.tolist(), seeds.tolist(), strict=True)
    fallen = frozenset((evidence.arms[arm], seed) for arm, seed in pairs)
    judged = Judged(frame, planned, fallen)
    if not judged.is_judged or not declaration.paired:
        return judged
    found = contrasts(
        evidence.failing(walk.collapsed), min(planned.values()), float(frame["alpha"].iloc[0])
    )
    return dataclasses.replace(judged, contrasts=found)


def mark_collapsed(runs: pd.DataFrame, collapsed: frozenset[tuple[str, int]]) -> pd.DataFrame:
    """Returns a runs frame in which some runs, arm and seed, are FAILED(collapsed)."""
    if not collapsed:
        return runs
    keys = zip(runs["arm"], runs["seed"], strict=True)
    fallen = np.array([(arm, int(seed)) in collapsed for arm, seed in keys])
    changed = {"value": np.nan, "status": "FAILED", "reason": "collapsed"}
    return runs.assign(**{name: runs[name].mask(fallen, to) for name, to in changed.items()})


def differences(
    runs: pd.DataFrame, declaration: Declaration, seeds: Mapping[str, int]
) -> pd.DataFrame:
    """Returns the differences on test as the columns :data:`DIFFERENCES`.

    Where arms share no seeds, they are to the mean of the baseline.

    Args:
        runs: A runs frame.
        declaration: Everything the study fixed.
        seeds: Arm to its number of planned seeds; later seeds are left out.
    """
    of = on_test(runs, declaration.metric)
    if not declaration.paired:
        return _to_the_mean(of, declaration)
    table = of.pivot(index="seed", columns="arm", values="value")
    table = table.reindex(columns=[arm.name for arm in declaration.arms])
    table.columns.name = "arm"
    paired = table.sub(table[declaration.baseline], axis="index")
    long = paired.melt(ignore_index=False, value_name="difference").dropna().reset_index()
    planned = long["arm"].map(seeds).astype("int64")
    kept = (long["arm"] != declaration.baseline) & (long["seed"] < planned)
    return pd.DataFrame(long.loc[kept, list(DIFFERENCES)].reset_index(drop=True))


def _to_the_mean(runs: pd.DataFrame, declaration: Declaration) -> pd.DataFrame:
    """Returns the runs less the baseline's mean: arms that share no seeds have no pairs."""
    is_baseline = runs["arm"] == declaration.baseline
    centre = runs.loc[is_baseline, "value"].mean()
    rows = runs[~is_baseline].assign(difference=runs["value"] - centre)
    return pd.DataFrame(rows[list(DIFFERENCES)].dropna().reset_index(drop=True))


def check_frame(runs: pd.DataFrame, declaration: Declaration) -> None:
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


def _rows(walk: stats.Walk, arms: Sequence[str], declaration: Declaration) -> list[dict[str, Any]]:
    """Returns the numbers of all arms."""
    odd, alone = walk.oddly_shaped, walk.rests_on_one_seed
    open_ = np.isin(walk.verdicts.ground, [stats.Ground.UNDECIDED, stats.Ground.FAILURES_OBJECT])
    # The family of a follow-up are the arms that are open: it is a study of its own.
    more = walk.verdicts.follow_up(comparisons=max(int(open_.sum()), 1))
    spent = walk.spent()
    return [
        _row(walk, arm, declaration)
        | {
            "arm": name,
            "seeds_likely": more.likely[arm],
            "seeds_sufficient": more.sufficient[arm],
            "needs_examples": bool(more.needs_examples[arm]),
            "odd_shape": bool(odd[arm]),
            "one_seed": bool(alone[arm]),
            "spent_difference": spent.apart[arm],
            "spent_equivalence": spent.within[arm],
        }
        for arm, name in enumerate(arms)
    ]


def _row(walk: stats.Walk, arm: int, declaration: Declaration) -> dict[str, Any]:
    """Returns an arm's columns, in the metric's own sign."""
    found, direction = walk.verdicts, declaration.measure.direction
    last = next((look for look in reversed(walk.looks) if look.judged[arm]), walk.looks[0])
    undecided = found.verdict[arm] == "INCONCLUSIVE"
    ground = stats.Ground(int(found.ground[arm]))
    stage = "open" if undecided and last.seeds < declaration.most_seeds else "final"
    if ground == stats.Ground.INCOMPLETE:
        stage = "missing"
    return {
        "n": int(found.runs[arm]),
        "mean": direction * found.mean[arm],
        "effect": direction * found.effect[arm] + 0.0,
        **_intervals(found, arm, direction),
        "p_difference": found.p_difference[arm],
        "p_equivalence": found.p_equivalence[arm],
        "failed": int(found.failed[arm]),
        "failed_upper95": found.failed_upper95[arm],
        "wins": int(found.wins[arm]),
        "ties": int(found.ties[arm]),
        "losses": int(found.losses[arm]),
        "verdict": str(found.verdict[arm]),
        "by_margin": bool(found.by_margin[arm]),
        "look": last.seeds,
        "alpha": last.alpha,
        "p_failures": found.p_failures[arm],
        "rho": found.rho[arm],
        "ground": ground.name,
        "stage": stage if walk.reached else "exploratory",
        "failed_alone": int(found.failed_alone[arm]),
        "baseline_failed_alone": int(found.baseline_failed_alone[arm]),
        "baseline_failed": int(found.failed[0]),
        "scope": found.scope.value,
        "example_deviation": np.sqrt(found.fixed[arm] * (found.examples or np.nan)),
        "standard_error": found.standard_error[arm],
        "reach": REACHES[stats.Reach(int(found.reach[arm]))],
        "may_differ95": found.may_differ95[arm],
        # Of the blocks that count, which are those that the baseline has.
        "missing": int(last.verdicts.n[0] - found.n[arm]) if stage == "missing" else 0,
        "late": bool(last.pools.late[arm]) and stage != "missing",
    }


def _intervals(found: stats.Verdicts, arm: int, direction: int) -> dict[str, float]:
    """Returns the ends of an arm's four intervals; none from a single seed."""
    ends: dict[str, float] = {}
    for kind in ("", "adjusted_", "verdict_", "estimate_"):
        pair = [direction * getattr(found, f"{kind}{end}")[arm] for end in ("low", "high")]
        low, high = sorted(pair) if found.n[arm] > 1 else (np.nan, np.nan)
        ends |= {f"{kind}low": low, f"{kind}high": high}
    return ends
