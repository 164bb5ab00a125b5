"""The input of every part of a report: its content, and frames that several parts show."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pandas as pd

from ablation import stats
from ablation.analysis.curves import bands, chosen_last, cut_short
from ablation.analysis.effects import mark_collapsed
from ablation.analysis.evidence import Evidence, gather_evidence, on_test
from ablation.analysis.imputed import without_imputed
from ablation.analysis.response import levels_of
from ablation.figures import ARMS, LEVELS, Axis
from ablation.records.declaration import Declaration
from ablation.report.content import Content
from ablation.report.numbers import Scale

MOST_ROWS = 40
"""Arms in a figure with a row for each; the table below holds all of them."""

COLOURED = 8
"""Arms told apart by colour and mark."""

SCORES = ["arm", "seed", "value", "status", "reason", "run_id"]


@dataclasses.dataclass(frozen=True)
class Basis:
    """A report's content, with what more than one part takes from it; each computed once."""

    content: Content

    @property
    def declaration(self) -> Declaration:
        """The study's declaration."""
        return self.content.declaration

    @property
    def effects(self) -> pd.DataFrame:
        """One row per arm, the baseline first."""
        return self.content.judged.effects

    @property
    def scale(self) -> Scale:
        """The format of the metric's values."""
        return Scale.of(self.declaration)

    @property
    def axis(self) -> Axis:
        """The axis of the study's metric."""
        scale, margin = self.scale, self.declaration.margin
        return Axis(
            metric=scale.metric.title,
            unit=scale.unit,
            digits=scale.metric.digits,
            baseline=self.declaration.baseline,
            margin=None if margin is None else scale.factor * margin,
        )

    @cached_property
    def evidence(self) -> Evidence:
        """The runs as arrays."""
        of = self.content
        return gather_evidence(of.runs, of.hashes, self.declaration, of.examples, of.taken)

    @cached_property
    def walk(self) -> stats.Walk:
        """The walk over the looks."""
        return self.evidence.walk()

    @cached_property
    def outcomes(self) -> Evidence:
        """The runs as arrays, collapsed ones FAILED."""
        return self.evidence.failing(self.walk.collapsed)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A runs frame in which collapsed runs are FAILED."""
        return mark_collapsed(self.content.runs, self.content.judged.collapsed)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The study's metric on test, one row per run: the columns :data:`SCORES`."""
        return on_test(self.runs, self.declaration.metric)[SCORES].reset_index(drop=True)

    @cached_property
    def bands(self) -> pd.DataFrame:
        """Means of the finished runs over the epochs, with the ends of their t intervals."""
        return bands(self.content.curves, self.runs)

    @cached_property
    def cut_short(self) -> pd.DataFrame:
        """Curves of the failed runs, each to its last finite value."""
        return cut_short(self.content.curves, self.runs)

    @cached_property
    def chosen(self) -> pd.DataFrame:
        """The share of runs whose chosen epoch was the last, a row per arm."""
        return chosen_last(self.content.curves, self.runs)

    @property
    def shared_seeds(self) -> int:
        """Number of seeds that every arm is planned with."""
        return min(self.content.judged.seeds.values())

    @property
    def judged_seeds(self) -> int:
        """Number of seeds that every arm was judged on; 0 before the first look."""
        return self.shared_seeds if self.content.judged.is_judged else 0

    @cached_property
    def shown(self) -> pd.DataFrame:
        """The effects as a reader sees them, the baseline first.

        Levels of a numeric factor ascend; other arms come by effect, the best one first. An arm of
        which every run failed has no numbers.
        """
        levels, arms = self.levels, self.effects.iloc[1:]
        direction = self.declaration.measure.direction
        keys = arms["arm"].map(levels) if levels else -direction * arms["effect"]
        order = keys.sort_values(kind="stable", na_position="last").index
        shown = self.effects.loc[[self.effects.index[0], *order]].reset_index(drop=True)
        return without_imputed(shown, shown)

    @property
    def drawn(self) -> pd.DataFrame:
        """The effects of the arms that have a row in figures."""
        return select_largest(self.shown)

    @property
    def coloured(self) -> Mapping[str, str]:
        """Arm to colour for the arms that curves tell apart, darker where a level is higher."""
        arms, levels = list(select_largest(self.effects, COLOURED - 1)["arm"]), self.levels
        if not levels:
            return dict(zip(arms, ARMS, strict=False))
        arms.sort(key=levels.__getitem__)
        places = np.linspace(0, len(LEVELS) - 1, len(arms)).round().astype(int)
        return {arm: LEVELS[place] for arm, place in zip(arms, places, strict=True)}

    @cached_property
    def levels(self) -> Mapping[str, float]:
        """Arm to level where the study's one factor is numeric, else nothing."""
        return levels_of(self.declaration)


def select_largest(effects: pd.DataFrame, most: int = MOST_ROWS) -> pd.DataFrame:
    """Returns the baseline and the arms with the largest effects, in their declared order."""
    if len(effects) <= most + 1:
        return effects
    arms = effects.iloc[1:]
    # An arm without an effect is one whose runs failed: it comes before the smallest effects.
    kept = arms["effect"].abs().fillna(math.inf).nlargest(most).index
    return effects.loc[[effects.index[0], *sorted(kept)]]
