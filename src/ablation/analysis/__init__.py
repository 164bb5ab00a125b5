"""Turns runs into effects and verdicts, for all arms of a study at its declared looks."""

# The names below load on first use, because commands that only need `due` must not wait for
# pandas.

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.analysis.answers import answer, answer_sentences
    from ablation.analysis.effects import (
        DIFFERENCES,
        EFFECTS,
        Judged,
        differences,
        judge,
        mark_collapsed,
    )
    from ablation.analysis.power import checks_of, factor_rows, planning
    from ablation.analysis.response import is_log, levels_of
    from ablation.analysis.words import amount, doubts, exactly, scope_note, sentences

__all__ = [
    "DIFFERENCES",
    "EFFECTS",
    "Judged",
    "amount",
    "answer",
    "answer_sentences",
    "checks_of",
    "differences",
    "doubts",
    "exactly",
    "factor_rows",
    "is_log",
    "judge",
    "levels_of",
    "mark_collapsed",
    "planning",
    "scope_note",
    "sentences",
]

_HOMES = {
    "answers": ("answer", "answer_sentences"),
    "effects": ("DIFFERENCES", "EFFECTS", "Judged", "differences", "judge", "mark_collapsed"),
    "power": ("checks_of", "factor_rows", "planning"),
    "response": ("is_log", "levels_of"),
    "words": ("amount", "doubts", "exactly", "scope_note", "sentences"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
