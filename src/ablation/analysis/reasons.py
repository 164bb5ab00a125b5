"""Writes why an arm has its verdict, and the next step where it is undecided.

No code parses these sentences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ablation import stats
from ablation.analysis.words import REACHES, failed_alone, p_text
from ablation.records.declaration import Declaration
from ablation.records.metric import percent


def reason(row: Mapping[Any, Any], declaration: Declaration) -> str:
    """Returns the reason for an arm's verdict, and the next step if it is undecided.

    Args:
        row: The arm's row of an effects frame.
        declaration: Everything the study fixed.
    """
    if row["ground"] == "BASELINE":
        return ""
    said = _GROUNDS[row["ground"]](row, declaration)
    if row["verdict"] != "INCONCLUSIVE" or row["stage"] == "exploratory":
        return said
    if row["stage"] == "missing":
        return f"{said}; run the study again to complete it"
    if row["stage"] == "open":
        following = next(look for look, _ in declaration.looks if look > row["look"])
        return f"{said}; next look at n = {following}"
    after = MORE_EXAMPLES if row["needs_examples"] else _follow_up(row["seeds_likely"])
    return "; ".join(part for part in (said, after) if part)


MORE_EXAMPLES = "more seeds would not help, a larger test split would"
"""Advice where the test examples are too few for a verdict about new ones."""


def _follow_up(seeds: float) -> str:
    """Returns the advice that follows from an undecided arm's ``seeds_likely``."""
    if math.isnan(seeds):
        return ""
    if math.isinf(seeds):
        return f"> {stats.MOST_SEEDS} seeds: widen the margin or cut the noise"
    return f"a follow-up of {seeds:.0f} seeds would decide it with 80 % probability"


def _too_few(row: Mapping[Any, Any], declaration: Declaration) -> str:
    if not declaration.paired:
        return f"a verdict needs at least {stats.FEWEST_SEEDS} runs of the arm and of the baseline"
    plural = "" if row["n"] == 1 else "s"
    return f"{row['n']} complete seed{plural}; a verdict needs at least {stats.FEWEST_SEEDS}"


def _not_reached(row: Mapping[Any, Any], _: Declaration) -> str:
    blocks = f"{row['n']} of {row['look']} planned blocks"
    return f"exploratory look, no verdicts: {blocks} are complete"


def _copies(row: Mapping[Any, Any], _: Declaration) -> str:
    return f"every arm gives one value on all {row['n']} seeds: copies, not replicates"


def _no_floor(row: Mapping[Any, Any], _: Declaration) -> str:
    if row["failed"]:
        return f"{row['failed']} of {row['n']} runs FAILED and no floor is declared"
    return (
        f"{row['baseline_failed']} of {row['n']} runs of the baseline FAILED and no floor is "
        "declared"
    )


def _identical(row: Mapping[Any, Any], _: Declaration) -> str:
    return (
        f"the same as the baseline, bit for bit, on all {row['n']} seeds; it may still differ on "
        f"up to {percent(row['may_differ95'])} of seeds"
    )


def _contradicted(row: Mapping[Any, Any], _: Declaration) -> str:
    return (
        f"equal hashes on all {row['n']} seeds, and different values: one of the two was not "
        "recorded as it was"
    )


def _unconfirmed(row: Mapping[Any, Any], _: Declaration) -> str:
    return f"zero variance: equal values on all {row['n']} seeds, and no equal hashes"


def _incomplete(row: Mapping[Any, Any], _: Declaration) -> str:
    are = "is" if row["missing"] == 1 else "are"
    return f"{row['missing']} of {row['look']} runs {are} missing"


def _within(row: Mapping[Any, Any], declaration: Declaration) -> str:
    certain = row["p_difference"] <= row["alpha"]
    note = f"; statistically {_side(row, declaration)}, but below the margin" if certain else ""
    return (
        f"within the margin (adjusted p {p_text(row['p_equivalence'], row['alpha'])}{note}); "
        f"failure rate up to {percent(row['failed_upper95'])}"
    )


def _difference(row: Mapping[Any, Any], declaration: Declaration) -> str:
    size, p = abs(row["effect"]), p_text(row["p_difference"], row["alpha"])
    by = f"{size:.3g}{REACHES[row['reach']]}"
    return f"{_side(row, declaration)} by {by} (adjusted p {p})"


def _side(row: Mapping[Any, Any], declaration: Declaration) -> str:
    return "better" if declaration.measure.direction * row["effect"] > 0 else "worse"


def _failures(row: Mapping[Any, Any], _: Declaration) -> str:
    return f"{failed_alone(row)} (adjusted p {p_text(row['p_failures'], row['alpha'])})"


def _no_spread(row: Mapping[Any, Any], _: Declaration) -> str:
    return f"zero variance: one difference on all {row['n']} seeds, and no quantum is declared"


def _failures_object(row: Mapping[Any, Any], declaration: Declaration) -> str:
    shown = "equivalent" if row["p_equivalence"] <= row["alpha"] else "better"
    return f"{shown} in the mean, but it {failed_alone(row, paired=declaration.paired)}"


def _undecided(row: Mapping[Any, Any], declaration: Declaration) -> str:
    alpha = row["alpha"]
    differs, equivalent = (p_text(row[f"p_{of}"], alpha) for of in ("difference", "equivalence"))
    if declaration.margin is None:
        return (
            f"no difference shown at alpha {alpha:g} (adjusted p {differs}); no margin is "
            "declared, so equivalence is not asked"
        )
    return (
        f"neither a difference (adjusted p {differs}) nor equivalence ({equivalent}) is shown at "
        f"alpha {alpha:g}"
    )


_GROUNDS: dict[str, Callable[[Mapping[Any, Any], Declaration], str]] = {
    "NOT_REACHED": _not_reached,
    "TOO_FEW": _too_few,
    "COPIES": _copies,
    "NO_FLOOR": _no_floor,
    "INCOMPLETE": _incomplete,
    "CONTRADICTED": _contradicted,
    "IDENTICAL": _identical,
    "WITHIN_MARGIN": _within,
    "ABOVE": _difference,
    "BELOW": _difference,
    "FAILS_MORE": _failures,
    "FAILS_LESS": _failures,
    "UNCONFIRMED": _unconfirmed,
    "NO_SPREAD": _no_spread,
    "FAILURES_OBJECT": _failures_object,
    "UNDECIDED": _undecided,
}
"""Name of a ``stats.Ground`` to the function that writes its reason."""
