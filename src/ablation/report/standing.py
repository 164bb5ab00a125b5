"""Sums up a study: the setting to take, what a poor one costs, and the baseline's place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ablation.analysis.grades import grade_of
from ablation.records.declaration import Declaration

MATTERS = {
    "at_least": "yes",
    "failures": "yes, in failures",
    "open": "perhaps",
    "below": "less than the margin",
    "no_margin": "a difference",
}
"""Grade of a study to whether its factor matters, in a word or few."""

WORDS = {"BETTER": "behind", "WORSE": "ahead of", "": "level with", "INCONCLUSIVE": "undecided"}
"""Verdict of other arms to the baseline's standing beside them; empty: equivalent, identical."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One study in short."""

    matters: str
    """Whether its factor matters: of :data:`MATTERS`, or ``no`` or ``not known yet``."""
    take: str
    """The arm to take; the baseline's name where none is better."""
    gain: Mapping[str, Any] | None
    """Row of the BETTER arm with the largest effect."""
    loss: Mapping[str, Any] | None
    """Row of the WORSE arm with the largest effect, among those that work."""
    broken: int
    """WORSE arms that keep less than half of the baseline's gain over chance."""
    baseline: str
    """Numbers of arms that are better than, worse than and level with the baseline."""


def standing_of(effects: pd.DataFrame, declaration: Declaration) -> Standing:
    """Returns a study in short.

    Args:
        effects: One row per arm, the baseline first.
        declaration: Everything the study fixed.
    """
    arms = effects.iloc[1:].assign(works=working(effects, declaration).iloc[1:])
    better, worse = (arms[arms["verdict"] == word] for word in ("BETTER", "WORSE"))
    gain, loss = _largest(better), _largest(worse[worse["works"]])
    return Standing(
        matters=_matters(arms),
        take=declaration.baseline if gain is None else gain["arm"],
        gain=gain,
        loss=loss,
        broken=int((~worse["works"]).sum()),
        baseline=_standing(arms),
    )


def working(effects: pd.DataFrame, declaration: Declaration) -> pd.Series[bool]:
    """Returns which arms keep at least half of the baseline's gain over chance.

    An arm without a mean does not; all others do where chance is unknown, or the baseline itself
    gains nothing over it.
    """
    mean, chance, direction = effects["mean"], declaration.chance, declaration.measure.direction
    if chance is None or pd.isna(chance):
        return mean.notna()
    baseline = mean - effects["effect"].fillna(0.0)  # on the seeds of the arm
    kept, whole = direction * (mean - chance), direction * (baseline - chance)
    return mean.notna() & ((whole <= 0) | (kept >= whole / 2))


def _largest(rows: pd.DataFrame) -> Mapping[str, Any] | None:
    records = [{str(name): each for name, each in row.items()} for row in rows.to_dict("records")]
    sized = [row for row in records if not pd.isna(row["effect"])]
    return max(sized, key=lambda row: abs(row["effect"]), default=next(iter(records), None))


def _matters(arms: pd.DataFrame) -> str:
    if grade := grade_of(arms):
        return MATTERS[grade]
    same = len(arms) and arms["verdict"].isin(["EQUIVALENT", "IDENTICAL"]).all()
    return "no" if same else "not known yet"


def _standing(arms: pd.DataFrame) -> str:
    said = arms["verdict"].replace({"EQUIVALENT": "", "IDENTICAL": ""})
    counts = {words: int((said == verdict).sum()) for verdict, words in WORDS.items()}
    return ", ".join(f"{words} {count}" for words, count in counts.items() if count)
