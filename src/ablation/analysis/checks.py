"""Checks of a study, before its runs and after: what makes its comparison unfair or pointless.

None of them refuses anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ablation import stats
from ablation.analysis.words import amount
from ablation.records.declaration import Declaration
from ablation.records.metric import percent
from ablation.records.prose import joined

LARGER = 1.1
"""Ratio of two models' numbers of parameters from which they are told."""
QUARTER = 0.25
"""Share of the noise of a run below which a margin cannot be meant."""
POWER = 0.8
"""Probability with which a difference of the margin should be found."""

EFFORT = {
    "epochs", "num_train_epochs", "steps", "max_steps", "batch_size", "learning_rate", "lr",
}  # fmt: skip
"""Last parts of the paths that decide how long and how fast an arm is trained."""

SIMPLER = {"model.pooling": "'mean'", "model.encoder": "'none'"}
"""Path to the repr of the simplest thing that may do."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The input of the checks; fields that are not known yet are empty."""

    declaration: Declaration
    noise: float | None = None
    """Standard deviation of the baseline over seeds."""
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Arm to its number of parameters."""
    first_steps: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Arm to a digest of its first step; empty if unknown."""
    edges: Sequence[str] = ()
    """Arms with a tuned value at the edge of its range."""
    effects: pd.DataFrame | None = None
    """The effects frame, once there are verdicts."""


class Check(NamedTuple):
    """A check: its name, and what it finds, each with its reason."""

    name: str
    find: Callable[[Facts], Iterator[str]]


def findings(facts: Facts) -> list[str]:
    """Returns what the checks find, each beginning with the check's name."""
    return [f"{check.name}: {said}" for check in CHECKS for said in check.find(facts)]


def _sizes(facts: Facts) -> Iterator[str]:
    sizes = facts.sizes
    if sizes and max(sizes.values()) > LARGER * min(sizes.values()):
        least, most = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
        yield (
            f"{most} has {sizes[most]:,} parameters and {least} {sizes[least]:,}: a difference "
            "may be one of size."
        )


def _effort(facts: Facts) -> Iterator[str]:
    given = facts.declaration
    tuned = () if given.searched is None else given.searched.space
    paths = dict.fromkeys(path for arm in given.arms for path in arm.values)
    for path in (each for each in paths if each.rpartition(".")[2] in EFFORT):
        values = {arm.values.get(path) for arm in given.arms}
        if len(values) > 1 and path != given.factor and path not in tuned:
            yield f"arms differ in {path}, so some may be trained further than others."


def _edges(facts: Facts) -> Iterator[str]:
    if facts.edges:
        yield f"{'; '.join(facts.edges)}: the best value may be outside. Widen the range."


def _seeds(facts: Facts) -> Iterator[str]:
    given, noise = facts.declaration, facts.noise
    if given.margin is None or noise is None or given.most_seeds < stats.FEWEST_SEEDS:
        return
    if len(given.arms) == 1:  # the other arms are what a search will find
        return
    power = stats.power_better(
        given.most_seeds,
        effect=given.margin,
        noise=stats.difference_noise(max(noise, 1e-9)),
        comparisons=len(given.arms) - 1,
    )
    if power < POWER:
        yield (
            f"{given.most_seeds} seeds find a difference of the margin with "
            f"{percent(float(power))} probability, among {len(given.arms) - 1} comparisons."
        )


def _margin(facts: Facts) -> Iterator[str]:
    given, noise = facts.declaration, facts.noise
    if given.margin is not None and noise is not None and given.margin < QUARTER * noise:
        yield (
            f"the margin is below a quarter of the noise of a run, "
            f"{amount(noise, given.measure)}: hardly any number of seeds would decide."
        )


def _same(facts: Facts) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for arm, step in facts.first_steps.items():
        alike.setdefault(step, []).append(arm)
    for step, arms in alike.items():
        if step and len(arms) > 1:
            yield (
                f"{joined(arms)} begin alike, with the same weights, loss and gradients: "
                "what they differ in may change nothing."
            )
    rows = list(_rows(facts))
    if same := [row["arm"] for row in rows if row["verdict"] == "IDENTICAL"]:
        does, levels = (
            ("does", "its level changes") if len(same) == 1 else ("do", "their levels change")
        )
        yield f"{joined(same)} {does} bit for bit what the baseline does: {levels} nothing."
    for row in rows:
        tied = row.get("n", 0) > 1 and row.get("ties") == row["n"]
        if tied and row["verdict"] != "IDENTICAL":
            yield (
                f"{row['arm']} has the value of the baseline on each of {row['n']} seeds: does "
                "its level change anything?"
            )


def _simpler(facts: Facts) -> Iterator[str]:
    given = facts.declaration
    values = {arm.name: arm.values for arm in given.arms}
    for row in _rows(facts):
        for path, simple in SIMPLER.items():
            arm, base = values[row["arm"]].get(path), values[given.baseline].get(path)
            if arm == simple != base and row["verdict"] == "BETTER":
                yield (
                    f"{row['arm']} beats {given.baseline}, and is simpler: should it be the "
                    "baseline?"
                )


def _rows(facts: Facts) -> Iterator[Mapping[str, Any]]:
    if facts.effects is not None:
        yield from facts.effects.iloc[1:].to_dict("records")  # type: ignore[misc]  # keys are columns


CHECKS = (
    Check("sizes", _sizes),
    Check("effort", _effort),
    Check("edge of a range", _edges),
    Check("seeds", _seeds),
    Check("margin", _margin),
    Check("same model", _same),
    Check("simpler baseline", _simpler),
)
"""All checks, in the order in which their findings are told."""
