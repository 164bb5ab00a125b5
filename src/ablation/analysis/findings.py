"""Everything that a report shows beside the verdicts, as frames: computed once, then drawn."""

from __future__ import annotations

import dataclasses

import pandas as pd

from ablation.analysis.curves import bands, cut_short
from ablation.analysis.effects import Judged, differences
from ablation.analysis.evidence import gather_evidence, on_test
from ablation.analysis.response import interactions, response, trend
from ablation.analysis.robustness import generalisation, looks, sensitivity, variance
from ablation.records.declaration import Declaration


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Frames; one without rows says that the study has nothing of the kind."""

    effects: pd.DataFrame
    differences: pd.DataFrame
    scores: pd.DataFrame
    """The study's metric on test: arm, seed, value, status, reason, run_id."""
    response: pd.DataFrame
    trend: pd.DataFrame
    looks: pd.DataFrame
    bands: pd.DataFrame
    cut_short: pd.DataFrame
    variance: pd.DataFrame
    interactions: pd.DataFrame
    sensitivity: pd.DataFrame
    generalisation: pd.DataFrame


def find(
    judged: Judged,
    *,
    runs: pd.DataFrame,
    hashes: pd.DataFrame,
    curves: pd.DataFrame,
    examples: pd.DataFrame,
    declaration: Declaration,
) -> Findings:
    """Computes what a report shows.

    Args:
        judged: The verdicts.
        runs: A runs frame.
        hashes: One row per run: arm, seed, weights, logits.
        curves: A curves frame.
        examples: One row per run: arm, seed, and a packed bit per test example.
        declaration: What the study fixed.
    """
    evidence = gather_evidence(runs, hashes, declaration)
    effects, shared = judged.effects, min(judged.seeds.values())
    alpha = float(effects["alpha"].iloc[0])
    scores = on_test(runs, declaration.metric)
    columns = ["arm", "seed", "value", "status", "reason", "run_id"]
    return Findings(
        effects=effects,
        differences=differences(runs, declaration, judged.seeds),
        scores=scores[columns].reset_index(drop=True),
        response=response(effects, declaration),
        trend=trend(evidence, shared if judged.is_judged else 0),
        looks=looks(evidence, effects),
        bands=bands(curves, runs),
        cut_short=cut_short(curves, runs),
        variance=variance(evidence, shared),
        interactions=interactions(evidence, shared if judged.is_judged else 0, alpha),
        sensitivity=sensitivity(evidence, effects),
        generalisation=generalisation(examples, effects, declaration),
    )
