"""A report's folder: built from the content of one study, and from nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from ablation.records.whole import replacing
from ablation.report import files, paper
from ablation.report.basis import Basis
from ablation.report.content import Content
from ablation.report.drawing import Saved, begin_drawing, keep
from ablation.report.methods import methods
from ablation.report.page import compose
from ablation.report.parts.swaps import only_quoted
from ablation.report.render import html, markdown

TABLES = ("table.tex", "table-more.tex", "methods.tex")
FILES = [
    (name, name)
    for name in ("README.md", *TABLES, "effects.csv", "runs.csv", "curves.csv", "study.json")
]
"""Files that the foot of a page links to."""

CONTRASTS_FILE = "contrasts.csv"
"""The effects of several factors, where a study has more than one."""

OURS = frozenset(
    {name for name, _ in FILES}
    | {"index.html", "examples.parquet", files.TESTS, "figures", CONTRASTS_FILE}
)
"""Names in a report's folder that a new report replaces."""


def build(content: Content, reports: Path, mapping: Callable[..., Iterable[Any]] = map) -> Path:
    """Writes ``reports/<label>/`` and returns it; equal content gives equal bytes.

    It holds ``index.html``, ``README.md``, tables and method as LaTeX, ``effects.csv`` and
    ``figures/`` to read, and what all of it is rebuilt from: ``study.json``, ``runs.csv``,
    ``curves.csv``, ``examples.parquet``, ``tests.parquet``.

    Args:
        content: The content.
        reports: Where the folder goes.
        mapping: Draws the figures: ``map``, or that of an executor, side by side.
    """
    folder = reports / content.label
    with replacing(folder, ours=OURS) as new:
        fill(content, new, mapping)
    return folder


def fill(content: Content, folder: Path, mapping: Callable[..., Iterable[Any]] = map) -> None:
    """Writes a report's files into an empty folder.

    Args:
        content: The content.
        folder: The folder; the content has no say in where anything is written.
        mapping: As in :func:`build`.
    """
    basis = Basis(content)
    (folder / "figures").mkdir()
    drawn: list[Iterable[tuple[str, Saved]]] = []
    # Workers draw while this process computes the other parts and writes.
    page = compose(basis, lambda figure: drawn.append(begin_drawing([figure], mapping)))
    files.write(dataclasses.replace(content, tests=only_quoted(basis)), folder)
    basis.effects.to_csv(folder / "effects.csv", index=False, lineterminator="\n")
    if len(contrasts := content.judged.contrasts):
        contrasts.to_csv(folder / CONTRASTS_FILE, index=False, lineterminator="\n")
    texts = {
        "README.md": markdown.render(page),
        **paper.tables(basis),
        "methods.tex": methods(basis),
        "index.html": html.render(page, html.gaps(page), FILES),
    }
    texts["index.html"] = html.fill(texts["index.html"], keep(chain(*drawn), folder))
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
