"""Provenance: when the study was declared, what ran, and how the page is rebuilt."""

from __future__ import annotations

from collections.abc import Iterator

from ablation.report.basis import Basis
from ablation.report.blocks import Block, Bullets, Command, Text
from ablation.report.content import Content


def section(basis: Basis) -> Iterator[Block]:
    """Yields the origin of the runs and two ways to build the report again."""
    content = basis.content
    if not content.is_recorded:
        yield Bullets([f"{name}: {value}" for name, value in content.record.items()])
        yield Text("To rebuild this page from the files beside it alone, run in its folder:")
        yield Command("ablation rebuild .")
        return
    yield Bullets([*_declarations(content), *_environments(content), *_data(content)])
    yield Text("To rebuild this page from the files beside it alone, run in its folder:")
    yield Command("ablation rebuild .")
    yield Text("To rebuild it from MLflow's record, run where that is kept:")
    yield Command(f"ablation report {content.label}")


def _declarations(content: Content) -> Iterator[str]:
    for digest, first in content.declared.items():
        seen = first["runs_seen"]
        when = f"when {seen} runs had been seen" if seen else "before any run"
        ours = " (this report's)" if digest == content.current else ""
        yield f"Declaration {digest}{ours}: made {first['date']}, {when}."


def _environments(content: Content) -> Iterator[str]:
    for name, values in content.provenance.items():
        yield f"{name}: {', '.join(values)}{' (mixed)' if len(values) > 1 else ''}"


def _data(content: Content) -> Iterator[str]:
    yield f"data: {content.declaration.data}"
    yield from content.wording.get("data", ())
    ended = content.details["ended"]
    if len(ended):
        yield f"last run ended: {ended.max()}"
    if evaluations := content.record["test_evaluations"]:
        yield f"evaluations of this test split by all studies until then: {evaluations}"
