"""The report of one study over several data sets, from the reports on each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.analysis.sets import Sets, answer_over, cells_of, combine
from ablation.analysis.words import exactly
from ablation.errors import Refused
from ablation.records.whole import replacing
from ablation.report import foreign
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Command, Page, Section, Text, table
from ablation.report.drawing import begin_drawing, keep
from ablation.report.files import read
from ablation.report.numbers import Scale
from ablation.report.parts import sets as parts
from ablation.report.render import html, latex, markdown

NAMES = ("README.md", "table.tex", "table-more.tex", "sets.csv", "over.csv", "sets.json")
FILES = [(name, name) for name in NAMES]
"""Files that the foot of the page links to."""

OURS = frozenset({name for name, _ in FILES} | {"index.html", "figures"})
"""Names in the folder that a new report replaces."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A study and its data sets, one of them with a report at least."""

    study: str
    title: str
    question: str
    folders: Mapping[str, Path | None]
    """Data set to the folder of its report, None where it has none yet."""
    command: str
    """The command that builds the page."""


def build_over(
    wanted: Wanted, folder: Path, *, of: str, mapping: Callable[..., Iterable[Any]] = map
) -> str:
    """Writes the report over all data sets into a folder and returns the answer.

    It holds ``index.html``, ``README.md``, ``table.tex``, ``table-more.tex`` and ``figures/`` to
    read, ``sets.csv`` and ``over.csv`` with the numbers, and ``sets.json``, which says of which
    reports it is.

    Args:
        wanted: The study and its data sets.
        folder: Where the page goes, beside the folders of the reports.
        of: Digest of what the page is made from.
        mapping: Draws the figures: ``map``, or that of an executor.
    """
    bases = {name: Basis(read(path)) for name, path in wanted.folders.items() if path is not None}
    first, sets = next(iter(bases.values())), over_sets(list(wanted.folders), bases)
    page, papers = compose(wanted, sets, bases), parts.paper_tables(sets, first.scale)
    with replacing(folder, ours=OURS) as new:
        drawn = begin_drawing(list(page.figures), mapping)
        sets.cells.to_csv(new / "sets.csv", index=False, lineterminator="\n")
        sets.over.to_csv(new / "over.csv", index=False, lineterminator="\n")
        texts = {
            "README.md": markdown.render(page),
            **{name: latex.render(each) for name, each in papers.items()},
            "index.html": html.render(page, keep(drawn, new), FILES),
            "sets.json": _kept(wanted, " ".join(page.answer), of),
        }
        for name, text in texts.items():
            (new / name).write_text(text, encoding="utf-8")
    return " ".join(page.answer)


def over_sets(names: Sequence[str], bases: Mapping[str, Basis]) -> Sets:
    """Returns what holds over all data sets.

    Args:
        names: Every data set that the study is run on.
        bases: Data set to its results, of those that have some; all with the same arms.
    """
    cells = [cells_of(name, each.effects, each.walk.spent()) for name, each in bases.items()]
    declaration = next(iter(bases.values())).declaration
    return combine(names, pd.concat(cells, ignore_index=True), declaration)


def _kept(wanted: Wanted, answer: str, of: str) -> str:
    named = {name: path and path.name for name, path in wanted.folders.items()}
    stored = {"study": wanted.study, "title": wanted.title, "answer": answer, "sets": named,
              "of": of}  # fmt: skip
    return json.dumps(stored, ensure_ascii=False, indent=1) + "\n"


def compose(wanted: Wanted, sets: Sets, bases: Mapping[str, Basis]) -> Page:
    """Returns the page over all data sets."""
    scale, declaration = Scale.of(sets.declaration), sets.declaration
    margin = declaration.margin
    missing = [name for name in sets.names if name not in bases]
    warnings = [
        f"{len(bases)} of {len(sets.names)} data sets have a report. Missing: "
        f"{', '.join(missing)}, taken as showing nothing, so that counts can only grow."
    ]
    return Page(
        title=f"{wanted.title or wanted.study} over {len(sets.names)} data sets",
        question=wanted.question,
        answer=answer_over(sets),
        facts=[
            ("data sets", ", ".join(sets.names)),
            *_shared_facts(bases),
            ("baseline", declaration.baseline),
            ("metric", f"{scale.metric.title} on test"),
            ("margin", "none" if margin is None else exactly(margin, scale.metric)),
        ],
        warnings=[
            *next(iter(bases.values())).content.wording.get("warnings", ()),
            *(warnings if missing else []),
        ],
        sections=[
            Section(
                "", [parts.matrix(sets.names, sets.cells, scale), parts.over_table(sets, scale)]
            ),
            Section("Data sets", [parts.sets_table(bases)]),
            Section("Arm by arm", list(parts.forests(sets, bases))),
            Section("How it was computed", list(parts.method(sets))),
            Section(
                "Provenance",
                [
                    Text("To build this page from the reports on each data set:"),
                    Command(wanted.command),
                ],
            ),
        ],
    )  # fmt: skip


def _shared_facts(bases: Mapping[str, Basis]) -> Iterator[tuple[str, str]]:
    """Yields the facts about data and model: once where all sets agree, else each set's own."""
    facts = {name: dict(basis.content.about.get("facts", [])) for name, basis in bases.items()}
    for fact in dict.fromkeys(fact for each in facts.values() for fact in each):
        told = {name: each[fact] for name, each in facts.items() if fact in each}
        if len(told) == len(bases) and len(set(told.values())) == 1:
            yield fact, next(iter(told.values()))
        else:
            yield fact, "; ".join(f"{name}: {value}" for name, value in told.items())


def blocks_over(
    over: Sequence[Mapping[str, Any]], studies: Sequence[Mapping[str, Any]]
) -> Iterator[Block]:
    """Yields the pages over data sets with their answers, and the matrix of each."""
    known = {study["folder"]: study for study in studies}
    rows = [
        [Cell(each["title"] or each["study"], href=f"{each['folder']}/index.html"), each["answer"]]
        for each in over
    ]
    yield table(["study", "answer"], rows)
    for each in over:
        found = {name: known[folder] for name, folder in each["sets"].items() if folder in known}
        if found:
            cells = [study["effects"].iloc[1:].assign(set=name) for name, study in found.items()]
            scale = Scale.of(next(iter(found.values()))["declaration"])
            block = parts.matrix(list(each["sets"]), pd.concat(cells, ignore_index=True), scale)
            title = each["title"] or each["study"]
            yield dataclasses.replace(block, caption=f"{title}. {block.caption}")


SHAPE = {"study": str, "title": str, "answer": str, "sets": dict}
"""Keys of ``sets.json`` and their types."""


def stored_over(folder: Path) -> dict[str, Any] | None:
    """Returns what the page shows of a report over data sets; None where it is damaged."""
    try:
        with foreign.trusted_by_nobody(folder):
            stored = json.loads(foreign.read_bytes(folder, "sets.json"))
            if next(foreign.faults(stored, SHAPE, ""), ""):
                return None
            named = {name: str(of) for name, of in stored["sets"].items()}
            return {**stored, "sets": named, "folder": folder.name}
    except Refused:
        return None
