"""The method as a paragraph for a paper, in LaTeX, with what it cites."""

from __future__ import annotations

from collections.abc import Iterator

from ablation.analysis.words import SCOPES, exactly
from ablation.report.basis import Basis
from ablation.report.parts.method import describe_failures, describe_looks
from ablation.report.render import latex

CITED = {
    "Cochran, 1964": "Cochran, W. G. (1964). Approximate significance levels of the "
    "Behrens-Fisher test. Biometrics, 20(1), 191-195.",
    "Holm, 1979": "Holm, S. (1979). A simple sequentially rejective multiple test procedure. "
    "Scandinavian Journal of Statistics, 6(2), 65-70.",
    "Schuirmann, 1987": "Schuirmann, D. J. (1987). A comparison of the two one-sided tests "
    "procedure and the power approach for assessing the equivalence of average bioavailability. "
    "Journal of Pharmacokinetics and Biopharmaceutics, 15(6), 657-680.",
    "Welch, 1947": "Welch, B. L. (1947). The generalization of Student's problem when several "
    "different population variances are involved. Biometrika, 34(1-2), 28-35.",
}
"""Author and year, as the text cites them, to the reference."""

COMMIT = 9
"""Digits of a commit that tell it from others."""


def methods(basis: Basis) -> str:
    """Returns the paragraph; the references follow as comments, since it needs no ``.bib``."""
    text = " ".join(_sentences(basis))
    cited = "".join(f"% {reference}\n" for name, reference in CITED.items() if name in text)
    return f"{latex.SIGN}{latex.paragraph(text)}\n\n{cited}"


def _sentences(basis: Basis) -> Iterator[str]:
    yield from (_arms(basis), _tests(basis), _equivalence(basis))
    yield f"Verdicts are about {SCOPES[basis.effects['scope'].iloc[0]]}."
    yield from describe_looks(basis.declaration)
    yield from describe_failures(basis.declaration)
    versions = [
        f"{name} {' and '.join(value[:COMMIT] if name == 'commit' else value for value in values)}"
        for name, values in basis.content.provenance.items()
    ]
    if versions:
        yield f"The runs were made with {', '.join(versions)}."


def _arms(basis: Basis) -> str:
    """Returns what was compared, on how many seeds and examples."""
    declared, arms = basis.declaration, basis.effects
    others = "1 arm" if len(arms) == 2 else f"{len(arms) - 1} arms"  # noqa: PLR2004 - one besides
    low, high = arms["n"].min(), arms["n"].max()
    seeds = f"n = {low}" if low == high else f"n = {low} to {high}"
    # The step of a mean over examples is one of them.
    tests = round(1 / declared.quantum) if declared.can_generalise and declared.quantum else 0
    on = f" on {tests:,} test examples" if tests else " on test"
    return (
        f"The baseline, {declared.baseline}, was compared with {others} by "
        f"{basis.scale.metric.title}{on}, with {seeds} seeds per arm."
    )


def _tests(basis: Basis) -> str:
    """Returns the test of a difference, with its correction."""
    crossed = basis.effects["scope"].iloc[0] == "new_examples"
    by = (
        "two-sided paired t tests on the differences of runs that share a seed"
        if basis.declaration.paired
        else "Welch's statistic (Welch, 1947) "
        "with min(n, n of the baseline) − 1 degrees of freedom"
    )
    if crossed:
        by += ", with seeds and examples crossed and critical values approximated (Cochran, 1964)"
    return f"Differences were tested by {by}."


def _equivalence(basis: Basis) -> str:
    """Returns the test of equivalence, where there is a margin, and the correction."""
    margin, alpha = basis.declaration.margin, sum(look.alpha for look in basis.declaration.looks)
    holm = f"corrected over the arms (Holm, 1979) at a family-wise error rate of {alpha:.3g}"
    if margin is None:
        return f"The tests were {holm}."
    shown = exactly(margin, basis.scale.metric)
    return (
        f"Equivalence within a margin of {shown}, fixed before the first run, was tested by two "
        f"one-sided tests (Schuirmann, 1987). Each family of tests was {holm}."
    )
