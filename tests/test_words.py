"""Sentences about verdicts: one for every ground, made from the columns and read by nobody."""

from __future__ import annotations

import ast
import math
from pathlib import Path
from typing import Any

import pytest
from synthetic import declaration

import ablation
from ablation import stats
from ablation.analysis.reasons import reason
from ablation.records.declaration import Look

ROW: dict[str, Any] = {
    "n": 8, "look": 8, "verdict": "INCONCLUSIVE", "stage": "final", "effect": 0.0123,
    "p_difference": 0.2, "p_equivalence": 0.3, "p_failures": 0.01, "alpha": 0.05, "failed": 1,
    "failed_upper95": 0.471, "failed_alone": 1, "baseline_failed_alone": 0,
    "baseline_failed": 0, "reach": "", "seeds_likely": math.nan, "needs_examples": False,
    "may_differ95": 0.3123, "missing": 2, "late": False,
}  # fmt: skip


def said(ground: str, metric: str = "accuracy", **changes: Any) -> str:
    declared = declaration(metric, looks=(Look(8, 0.02), Look(12, 0.03)))
    return reason(ROW | {"ground": ground} | changes, declared)


@pytest.mark.parametrize("ground", [ground.name for ground in stats.Ground])
def test_every_ground_has_its_sentence(ground: str) -> None:
    assert bool(said(ground)) == (ground != "BASELINE")


@pytest.mark.parametrize(
    ("ground", "changes", "sentence"),
    [
        ("TOO_FEW", {"n": 1}, "1 complete seed; a verdict needs at least 3"),
        ("NO_FLOOR", {}, "1 of 8 runs FAILED and no floor is declared"),
        (
            "NO_FLOOR",
            {"failed": 0, "baseline_failed": 2},
            "2 of 8 runs of the baseline FAILED and no floor is declared",
        ),
        (
            "IDENTICAL",
            {"verdict": "IDENTICAL"},
            "the same as the baseline, bit for bit, on all 8 seeds; it may still differ on up to "
            "31 % of seeds",
        ),
        (
            "CONTRADICTED",
            {},
            "equal hashes on all 8 seeds, and different values: one of the two was not recorded "
            "as it was",
        ),
        ("UNCONFIRMED", {}, "zero variance: equal values on all 8 seeds, and no equal hashes"),
        (
            "INCOMPLETE",
            {"n": 6, "stage": "missing"},
            "2 of 8 runs are missing; run the study again to complete it",
        ),
        (
            "WITHIN_MARGIN",
            {"verdict": "EQUIVALENT", "p_difference": 0.01},
            "within the margin (adjusted p 0.3; statistically better, but below the margin); "
            "failure rate up to 47 %",
        ),
        ("ABOVE", {"verdict": "BETTER"}, "better by 0.0123 (adjusted p 0.2)"),
        (
            "ABOVE",
            {"verdict": "BETTER", "reach": "open"},
            "better by 0.0123, perhaps less than the margin (adjusted p 0.2)",
        ),
        (
            "BELOW",
            {"verdict": "WORSE", "effect": -0.1, "reach": "at_least"},
            "worse by 0.1, at least the margin (adjusted p 0.2)",
        ),
        (
            "UNDECIDED",
            {"seeds_likely": math.inf, "needs_examples": True},
            "neither a difference (adjusted p 0.2) nor equivalence (0.3) is shown at alpha 0.05; "
            "more seeds would not help, a larger test split would",
        ),
        (
            "FAILS_MORE",
            {"verdict": "WORSE"},
            "failed alone on 1 of 8 seeds, the baseline alone on 0 (adjusted p 0.01)",
        ),
        (
            "UNDECIDED",
            {"seeds_likely": 14.0},
            "neither a difference (adjusted p 0.2) nor equivalence (0.3) is shown at alpha 0.05; "
            "a follow-up of 14 seeds would decide it with 80 % probability",
        ),
        (
            "FAILURES_OBJECT",
            {"seeds_likely": math.inf},
            "better in the mean, but it failed alone on 1 of 8 seeds, the baseline alone on 0; "
            "> 200 seeds: widen the margin or cut the noise",
        ),
        (
            "COPIES",
            {"stage": "open"},
            "every arm gives one value on all 8 seeds: copies, not replicates; next look at "
            "n = 12",
        ),
        (
            "NOT_REACHED",
            {"stage": "exploratory", "n": 6},
            "exploratory look, no verdicts: 6 of 8 planned blocks are complete",
        ),
    ],
)
def test_sentences(ground: str, changes: dict[str, Any], sentence: str) -> None:
    assert said(ground, **changes) == sentence


def test_no_p_value_is_shown_on_the_other_side_of_its_alpha() -> None:
    text = said("UNDECIDED", p_difference=0.05004, p_equivalence=0.0496, alpha=0.05)
    assert "(adjusted p 0.05004) nor equivalence (0.05) is shown at alpha 0.05" in text


def test_a_loss_that_falls_is_better() -> None:
    assert said("ABOVE", "loss", verdict="BETTER", effect=-0.1).startswith("better by 0.1")


def test_no_code_reads_how_a_sentence_begins_or_what_it_contains() -> None:
    """A reworded sentence must change no decision: ``reason`` is written and shown, not read."""
    readers = {"startswith", "endswith", "contains", "match"}
    for path in Path(ablation.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in readers:
                assert "reason" not in ast.unparse(node.value), f"{path}:{node.lineno}"
