"""A report's folder: built from the content of one study, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from ablation.analysis import Findings, find
from ablation.report import content as contents
from ablation.report import drawing, sections
from ablation.report.blocks import Table
from ablation.report.content import Content
from ablation.report.render import html, latex, markdown, svg

FILES = [
    (name, name)
    for name in ("README.md", "table.tex", "effects.csv", "runs.csv", "curves.csv", "study.json")
]
"""What the foot of a page links to."""


def build(content: Content, reports: Path, mapping: Callable[..., Iterable[Any]] = map) -> Path:
    """Writes ``reports/<label>/`` and returns it; equal content gives equal bytes.

    It holds ``index.html``, ``README.md``, ``table.tex``, ``effects.csv`` and ``figures/`` to
    read, and what all of it is rebuilt from: ``study.json``, ``runs.csv``, ``curves.csv``,
    ``examples.parquet``.

    Args:
        content: The content.
        reports: Where the folder goes.
        mapping: Draws the figures: ``map``, or that of an executor, side by side.
    """
    folder = reports / content.label
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for old in (folder / "figures").glob("*.*"):
        old.unlink()  # a figure of an earlier declaration is not this report's
    findings = findings_of(content)
    saved = mapping(partial(drawing.saved, findings, content.declaration), drawing.DRAWN)
    contents.write(content, folder)
    findings.effects.to_csv(folder / "effects.csv", index=False, lineterminator="\n")
    page = sections.page(content, findings)
    inlined = {}
    for name, (text, pixels) in zip(drawing.DRAWN, saved, strict=True):
        if text:
            inlined[name] = svg.inline(text, name)
        if pixels:
            (folder / "figures" / f"{name}.svg").write_text(svg.standalone(text), encoding="utf-8")
            (folder / "figures" / f"{name}.png").write_bytes(pixels)
    verdicts = page.sections[0].blocks[-1]
    assert isinstance(verdicts, Table)
    texts = {
        "README.md": markdown.render(page),
        "index.html": html.render(page, inlined, FILES),
        "table.tex": latex.render(verdicts),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def findings_of(content: Content) -> Findings:
    """Returns all that the report of a content shows, as frames."""
    return find(
        content.judged,
        runs=content.runs,
        hashes=content.hashes,
        curves=content.curves,
        examples=content.examples,
        declaration=content.declaration,
    )
