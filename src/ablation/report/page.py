"""A study's page: the answer, what weakens it, and the sections of all parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ablation.analysis.words import SCOPES, exactly, scope_note
from ablation.records.prose import joined
from ablation.report.basis import Basis
from ablation.report.blocks import Page, Section
from ablation.report.missing import missing_warnings
from ablation.report.parts import parts_of
from ablation.report.parts.curves import HALF
from ablation.report.parts.searched import at_edges

SCREENING = 5
"""Seeds below which a study is a screening."""

MOST_NAMED = 8
"""Arms that a warning names."""


def compose(basis: Basis) -> Page:
    """Returns the report of a study; a part that yields nothing has no section."""
    content = basis.content
    return Page(
        title=content.wording.get("title") or content.label,
        question=content.wording["question"],
        answer=content.answer,
        facts=_facts(basis),
        warnings=list(_warnings(basis)),
        sections=[
            Section(heading, blocks)
            for heading, part in parts_of(content).items()
            if (blocks := list(part(basis)))
        ],
    )


def _facts(basis: Basis) -> list[tuple[str, str]]:
    declaration, metric = basis.declaration, basis.scale.metric
    margin, planned = declaration.margin, sum(basis.content.judged.seeds.values())
    seeds = sorted(set(basis.effects["n"]))
    done = basis.content.runs["run_id"].nunique()
    commits = basis.content.provenance.get("commit", [])
    fresh = [("fresh seeds", f"from {declaration.first_seed}")] if declaration.first_seed else []
    commit = [("commit", ", ".join(each[:9] for each in commits))] if commits else []
    return [
        *((name, value) for name, value in basis.content.about.get("facts", [])),
        ("baseline", declaration.baseline),
        ("metric", f"{metric.title} on test"),
        ("verdicts are about", SCOPES[basis.effects["scope"].iloc[0]]),
        ("margin", "none" if margin is None else exactly(margin, metric)),
        ("seeds per arm", " to ".join(dict.fromkeys((str(seeds[0]), str(seeds[-1]))))),
        *fresh,
        ("runs", f"{done} of {planned}" if done < planned else str(done)),
        *commit,
    ]


def _warnings(basis: Basis) -> Iterator[str]:
    """Yields what weakens the answer, to be read before it."""
    content, base = basis.content, basis.effects.iloc[0]
    yield from content.wording.get("warnings", ())
    yield from missing_warnings(basis)
    if base["failed"]:
        yield (
            f"The baseline itself failed on {base['failed']} of {base['n']} seeds: every "
            "comparison rests on that."
        )
    if base["look"] < SCREENING or base["n"] < SCREENING:
        plural = "" if base["n"] == 1 else "s"
        yield f"With {base['n']} seed{plural} per arm this is a screening."
    if basis.declaration.can_generalise and base["scope"] == "this_split":
        yield scope_note(basis.effects, basis.declaration)
    yield from _doubts(basis)
    yield from content.wording.get("data_warnings", ())
    seen = content.declared[content.current]["runs_seen"]
    if seen:
        yield f"This declaration was made when {seen} runs had been seen."
    if edges := at_edges(basis):
        yield f"A tuned value is at the edge of its range: {'; '.join(edges)}. Widen the range."
    if kept := content.record.get("kept"):
        arms = _named([f"{arm} ({then}, now {now})" for arm, then, now in kept])
        yield f"Sources changed after runs that are taken as they are, of {arms}: --keep-results."
    if basis.declaration.margin is None:
        yield "No margin is declared, so no arm can be equivalent but by identity."
    mixed = [name for name, values in content.provenance.items() if len(values) > 1]
    if mixed:
        yield f"The runs are mixed: more than one {', '.join(mixed)} (see Provenance)."


def _doubts(basis: Basis) -> Iterator[str]:
    """Yields what weakens some verdicts: odd shapes, trainings cut short."""
    effects = basis.effects
    if odd := list(effects.loc[effects["odd_shape"], "arm"]):
        yield (
            f"The differences of {_named(odd)} are too skewed, or too far apart, for a t test on "
            "so few seeds: their verdicts may be false more often than stated."
        )
    chosen = basis.chosen
    if late := list(chosen.loc[chosen["share"] > HALF, "arm"]):
        yield (
            f"Training was cut short in {_named(late, of=len(chosen))}: in more than half of the "
            "runs the chosen epoch was the last. Give more epochs before you blame the level."
        )


def _named(arms: Sequence[str], of: int = 0) -> str:
    """Returns the arms' names, or their number where they are all of several."""
    if len(arms) == of > 1:
        return {2: "both arms"}.get(of, f"all {of} arms")
    few = arms if len(arms) <= MOST_NAMED else [*arms[: MOST_NAMED - 1], "others"]
    return joined(few)
