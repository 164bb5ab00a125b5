"""The method: the tests, the looks, the value of a failed run."""

from __future__ import annotations

from collections.abc import Iterator

from ablation.analysis.words import exactly, scope_note, unit_of_levels
from ablation.records.declaration import Declaration
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Text


def section(basis: Basis) -> Iterator[Block]:
    """Yields the method in a few paragraphs."""
    yield Text(
        f"{_TESTS[basis.declaration.paired]}, EQUIVALENT from two one-sided tests "
        "against the margin; each family is corrected by Holm over the arms. IDENTICAL is what "
        "was seen and no claim: bit for bit the same on these seeds. All other arms are "
        "INCONCLUSIVE, which is not equality."
    )
    yield Text(f"{scope_note(basis.effects, basis.declaration)}{_critical(basis)}")
    if (basis.content.runs["epoch"] > 0).any():
        yield Text("The epoch is chosen on validation; test is evaluated once per run.")
    yield from _lacking(basis)
    for said in describe_looks(basis.declaration):
        yield Text(said)
    yield from map(Text, describe_failures(basis.declaration))
    alphas = ", ".join(dict.fromkeys(f"{alpha:g}" for alpha in basis.effects["alpha"]))
    yield Text(
        f"The interval of the verdict is taken at alpha = {alphas} over the divisor of Holm's "
        "step. It lies beyond 0 for BETTER and WORSE by the means and within the margin for "
        "EQUIVALENT, and is the wider of the two for INCONCLUSIVE. Each has its own confidence; "
        "that all hold at once is less certain. An interval as if the number of seeds had been "
        "fixed is in effects.csv."
    )


_TESTS = {
    True: "Arms are compared with the baseline, not with one another; a difference compares two "
    "runs that share a seed. BETTER and WORSE come from two-sided paired t tests",
    False: "The arms share no seeds, so their means are compared. BETTER and WORSE come from "
    "Welch's statistic with min(n, n of the baseline) - 1 degrees of freedom, which is never "
    "liberal",
}
"""Test of a difference, by whether arms are paired."""


def _critical(basis: Basis) -> str:
    """Returns how new examples enter the tests."""
    if basis.effects["scope"].iloc[0] != "new_examples":
        return ""
    return (
        " Seeds and examples are crossed: the error of a difference is that of both, and critical "
        "values are Cochran's (1964)."
    )


def _lacking(basis: Basis) -> Iterator[Text]:
    """Yields what was not recorded, and what it would be good for."""
    declaration = basis.declaration
    hashes = basis.content.hashes[["weights", "logits"]]
    if basis.content.is_recorded and len(hashes) and hashes.isna().to_numpy().all():
        yield Text(
            "No run left a hash of its weights or its outputs, so an arm that did the very same "
            "as the baseline cannot be told from one with equal values: return weights_hash or "
            "logits_hash, a hexdigest, beside the metrics."
        )
    if declaration.chance is None:
        yield Text(
            "The metric has no chance level: a failed run has no value, which leaves its arm "
            "INCONCLUSIVE, and the rule for collapsed runs is off."
            if declaration.floor is None
            else "The metric has no chance level, so the rule for collapsed runs is off."
        )


def describe_looks(declaration: Declaration) -> Iterator[str]:
    """Yields what the looks are, where there is more than one."""
    if len(declaration.looks) > 1:
        seeds = ", ".join(str(look.seeds) for look in declaration.looks)
        spent = ", ".join(repr(look.alpha) for look in declaration.looks)
        yield (
            f"Looks at {seeds} seeds spend {spent} of the error rate; a verdict is final, and "
            "only undecided arms get more seeds. A decided arm passes its share of the error "
            "rate on to the others only in the family that decided it, of differences or of "
            "equivalence."
        )


def describe_failures(declaration: Declaration) -> Iterator[str]:
    """Yields what a failed run counts as, and which runs fail."""
    if declaration.floor is not None:
        metric = declaration.measure.title
        yield f"A failed run counts as one with {metric} {level(declaration.floor, declaration)}."
    if declaration.collapse is None or declaration.chance is None:
        return
    chance = level(declaration.chance, declaration)
    if declaration.collapse == "half":
        yield (
            "A run that keeps less than half of its arm's gain over chance "
            f"({chance}) counts as failed, collapsed, where the arm's median "
            "gains more than eight robust standard deviations."
        )
    else:
        yield (
            f"A run within {exactly(declaration.collapse, declaration.measure)} of chance "
            f"({chance}) counts as failed."
        )


def level(value: float, declaration: Declaration) -> str:
    """Returns a value of the metric to four digits, with its unit."""
    metric = declaration.measure
    return f"{metric.factor * value:.4g}{unit_of_levels(metric)}"
