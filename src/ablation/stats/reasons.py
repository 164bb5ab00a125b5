"""One short sentence per verdict: what it rests on, with the numbers that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ablation.stats.followup import MOST_SEEDS
from ablation.stats.rule import FEWEST_SEEDS, Ground

if TYPE_CHECKING:
    from collections.abc import Callable

    from ablation.stats.record import Verdicts

Index = tuple[int, ...]


def reason(verdicts: Verdicts, index: Index) -> str:
    """Returns why an arm has its verdict; empty for the baseline.

    Args:
        verdicts: The record.
        index: Where the arm stands in it, leading axes first.
    """
    ground = Ground(int(verdicts.ground[index]))
    return _SENTENCES[ground](verdicts, index) if ground in _SENTENCES else ""


def follow_up_sentence(seeds: float) -> str:
    """Returns what a number of `Verdicts.seeds_likely` means to an undecided arm."""
    if np.isnan(seeds):
        return ""
    if np.isinf(seeds):
        return f"> {MOST_SEEDS} seeds: widen the margin or cut the noise"
    return f"a follow-up of {seeds:.0f} seeds would decide it with 80 %"


def _too_few(v: Verdicts, i: Index) -> str:
    plural = "" if v.n[i] == 1 else "s"
    return f"{v.n[i]} complete seed{plural}; a verdict needs at least {FEWEST_SEEDS}"


def _copies(v: Verdicts, i: Index) -> str:
    return f"every arm gives one value on all {v.n[i]} seeds: copies, not replicates"


def _no_floor(v: Verdicts, i: Index) -> str:
    at, who = (i, "") if v.failed[i] else ((*i[:-1], 0), "of the baseline ")
    return f"{v.failed[at]} of {v.n[at]} runs {who}FAILED and no floor is declared"


def _identical(v: Verdicts, i: Index) -> str:
    return f"identical to the baseline on all {v.n[i]} seeds"


def _within(v: Verdicts, i: Index) -> str:
    certain = v.p_difference[i] <= v.alpha[i]
    word = "better" if v.effect[i] > 0 else "worse"
    note = f"; statistically {word}, but below the margin" if certain else ""
    return (
        f"within the margin (adjusted p {v.p_equivalence[i]:.2g}{note}); "
        f"failure rate up to {v.failed_upper95[i]:.0%}"
    )


def _difference(v: Verdicts, i: Index) -> str:
    word = "better" if v.effect[i] > 0 else "worse"
    beyond = ", by at least the margin" if v.by_margin[i] else ""
    return f"{word} by {abs(v.effect[i]):.3g} (adjusted p {v.p_difference[i]:.2g}){beyond}"


def _failures(v: Verdicts, i: Index) -> str:
    return f"{_alone(v, i)} (adjusted p {v.p_failures[i]:.2g})"


def _alone(v: Verdicts, i: Index) -> str:
    return (
        f"failed alone on {v.failed_alone[i]} of {v.n[i]} seeds, "
        f"the baseline alone on {v.baseline_failed_alone[i]}"
    )


def _no_spread(v: Verdicts, i: Index) -> str:
    return f"zero variance: one difference on all {v.n[i]} seeds, and no quantum is declared"


def _object(v: Verdicts, i: Index) -> str:
    is_equivalent = v.p_equivalence[i] <= v.alpha[i]
    shown = "equivalent" if is_equivalent else "better"
    return f"{shown} in the mean, but it {_alone(v, i)}"


def _undecided(v: Verdicts, i: Index) -> str:
    if v.margin is None:
        return (
            f"no difference shown at alpha {v.alpha[i]:g} (adjusted p {v.p_difference[i]:.2g}); "
            "no margin is declared, so equivalence is not asked"
        )
    return (
        f"neither a difference (adjusted p {v.p_difference[i]:.2g}) nor equivalence "
        f"({v.p_equivalence[i]:.2g}) is shown at alpha {v.alpha[i]:g}"
    )


def _incomplete(v: Verdicts, i: Index) -> str:
    return f"{v.missing[i]} of {v.n[i] + v.missing[i]} runs are missing"


def _contradicted(v: Verdicts, i: Index) -> str:
    return f"equal hashes on all {v.n[i]} seeds, and different values"


def _unconfirmed(v: Verdicts, i: Index) -> str:
    return f"zero variance: equal values on all {v.n[i]} seeds, and no equal hashes"


def _not_reached(v: Verdicts, i: Index) -> str:
    planned = v.n[i] + v.missing[i]
    return f"exploratory look, no verdicts: {v.n[i]} of {planned} planned blocks are complete"


_SENTENCES: Final[dict[Ground, Callable[[Verdicts, Index], str]]] = {
    Ground.TOO_FEW: _too_few,
    Ground.COPIES: _copies,
    Ground.NO_FLOOR: _no_floor,
    Ground.IDENTICAL: _identical,
    Ground.WITHIN_MARGIN: _within,
    Ground.ABOVE: _difference,
    Ground.BELOW: _difference,
    Ground.FAILS_MORE: _failures,
    Ground.FAILS_LESS: _failures,
    Ground.NO_SPREAD: _no_spread,
    Ground.FAILURES_OBJECT: _object,
    Ground.UNDECIDED: _undecided,
    Ground.NOT_REACHED: _not_reached,
    Ground.INCOMPLETE: _incomplete,
    Ground.CONTRADICTED: _contradicted,
    Ground.UNCONFIRMED: _unconfirmed,
}
