"""Runs to effects and verdicts: the whole family of a study at once, at its declared looks."""

from ablation.analysis.effects import DIFFERENCES, EFFECTS, Judged, differences, judge
from ablation.analysis.power import planning
from ablation.analysis.response import crossed, is_log, levels_of
from ablation.analysis.words import amount, answer, exactly, sentences

__all__ = [
    "DIFFERENCES",
    "EFFECTS",
    "Judged",
    "amount",
    "answer",
    "crossed",
    "differences",
    "exactly",
    "is_log",
    "judge",
    "levels_of",
    "planning",
    "sentences",
]
