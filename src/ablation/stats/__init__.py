"""The verdict engine: arrays in, small frozen records out; knows no study.

`walk_looks` judges a whole study, with looks or without, and `verdicts` one family of arms once.
All else is what a report or a plan prints around them: sizes of a follow-up, planning rows,
trends, interactions, failure bounds, warnings, and what holds over several data sets or studies.
"""

from ablation.stats.blocks import Status
from ablation.stats.collapse import collapsed
from ablation.stats.critical import Critical, t_quantile
from ablation.stats.decomposition import VarianceSplit, variance_split
from ablation.stats.factors import Contrasts, Trend, contrasts, factorial_weights, trend
from ablation.stats.failures import clopper_pearson, clopper_pearson_upper, sign_test
from ablation.stats.families import Family, holm, holm_family
from ablation.stats.followup import MOST_SEEDS, FollowUp, Seen, follow_up
from ablation.stats.paired import interval, moments
from ablation.stats.plan_rows import PlanningRow, planning_row
from ablation.stats.planning import difference_noise, least_effect, power_better
from ablation.stats.record import Verdicts
from ablation.stats.rule import FEWEST_SEEDS, Ground, Reach, Scope, Verdict
from ablation.stats.sets import (
    FEWEST_SETS,
    Holding,
    SetMean,
    any_false,
    holding_sets,
    mean_over_sets,
    partial_conjunction,
    surviving,
)
from ablation.stats.shape import odd_shapes
from ablation.stats.verdict import verdicts
from ablation.stats.walk import walk_looks
from ablation.stats.walk_unpaired import walk_unpaired
from ablation.stats.walked import Look, Spent, Walk

__all__ = [
    "FEWEST_SEEDS",
    "FEWEST_SETS",
    "MOST_SEEDS",
    "Contrasts",
    "Critical",
    "Family",
    "FollowUp",
    "Ground",
    "Holding",
    "Look",
    "PlanningRow",
    "Reach",
    "Scope",
    "Seen",
    "SetMean",
    "Spent",
    "Status",
    "Trend",
    "VarianceSplit",
    "Verdict",
    "Verdicts",
    "Walk",
    "any_false",
    "clopper_pearson",
    "clopper_pearson_upper",
    "collapsed",
    "contrasts",
    "difference_noise",
    "factorial_weights",
    "follow_up",
    "holding_sets",
    "holm",
    "holm_family",
    "interval",
    "least_effect",
    "mean_over_sets",
    "moments",
    "odd_shapes",
    "partial_conjunction",
    "planning_row",
    "power_better",
    "sign_test",
    "surviving",
    "t_quantile",
    "trend",
    "variance_split",
    "verdicts",
    "walk_looks",
    "walk_unpaired",
]
