"""How it was computed: the tests, the looks, the worth of a failed run."""

from __future__ import annotations

from collections.abc import Iterator

from ablation.records.declaration import Declaration
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Text


def section(basis: Basis) -> Iterator[Block]:
    """Yields the method in a few paragraphs."""
    yield Text(
        "Every arm is trained with the same seeds; a difference compares two runs that share one. "
        "BETTER and WORSE come from two-sided paired t tests, EQUIVALENT from two one-sided tests "
        "against the margin; each family is corrected by Holm over the arms. Anything else is "
        "INCONCLUSIVE, which is not equality."
    )
    yield Text("The epoch is chosen on validation; test is evaluated once per run.")
    yield from _looks(basis.declaration)
    yield from _failures(basis.declaration)
    alphas = ", ".join(dict.fromkeys(f"{alpha:g}" for alpha in basis.effects["alpha"]))
    yield Text(
        "An interval that agrees with Holm leaves out 0 exactly where Holm's test says differs, "
        f"at alpha = {alphas}; jointly these intervals cover less than that."
    )


def _looks(declaration: Declaration) -> Iterator[Text]:
    if len(declaration.looks) > 1:
        seeds = ", ".join(str(look.seeds) for look in declaration.looks)
        spent = ", ".join(repr(look.alpha) for look in declaration.looks)
        yield Text(
            f"Looks at {seeds} seeds spend {spent} of the error rate; a verdict is final, and "
            "only undecided arms get more seeds. Each row states the seeds it rests on."
        )


def _failures(declaration: Declaration) -> Iterator[Text]:
    if declaration.floor is not None:
        yield Text(f"A failed run counts as {declaration.floor:.4g}.")
    if declaration.collapse is not None:
        yield Text(
            f"A run within {declaration.collapse:.4g} of chance ({declaration.chance:.4g}) counts "
            "as failed."
        )
