"""The parts of a report: one module per subject, with its numbers, figure, table and section.

A part is a function ``section(basis)`` that yields blocks; a figure among them holds the frames
that it draws. Where a part has numbers, ``find(basis)`` in its module returns them as frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from ablation.report.basis import Basis
from ablation.report.blocks import Block, Figure
from ablation.report.content import Content
from ablation.report.parts import (
    attention,
    caveats,
    checks,
    classes,
    curves,
    failures,
    interactions,
    looks,
    method,
    others,
    own,
    probes,
    provenance,
    response,
    runs,
    searched,
    seeds,
    sensitivity,
    swaps,
    variance,
    verdicts,
    words,
)
from ablation.report.searches import OURS

Part = Callable[[Basis], Iterator[Block]]


def parts_of(content: Content) -> Mapping[str, Part]:
    """Returns heading to part, in reading order; the first one has no heading."""
    asked = content.declaration.searched
    is_search = asked is not None and asked.kind == "search"
    return {
        "": verdicts.section,
        "In words": words.section,
        "Intervals and p values": verdicts.numbers,
        "Checks": checks.section,
        "Search" if is_search else "Tuning": searched.section,
        "How it was computed": method.section,
        "Response": response.section,
        "Looks": looks.section,
        "Seeds across arms": seeds.section,
        "Learning curves": curves.section,
        "Probes": probes.section,
        "Attention": attention.section,
        "Classes": classes.section,
        "Examples gained and lost": swaps.section,
        "Failures": failures.section,
        "Other metrics and cost": others.section,
        "Arm or seed": variance.section,
        "Interactions": interactions.section,
        **{
            name.capitalize(): partial(own.section, name)
            for name in content.tables
            if name not in OURS
        },
        "Sensitivity": sensitivity.section,
        "Caveats": caveats.section,
        "Runs": runs.section,
        "Provenance": provenance.section,
    }


def drawing_of(basis: Basis, name: str) -> partial[Any] | None:
    """Returns the drawing of one figure; None where the study has nothing to draw."""
    for part in parts_of(basis.content).values():
        for block in part(basis):
            if isinstance(block, Figure) and block.name == name:
                return block.draw
    return None
