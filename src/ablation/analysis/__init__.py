"""Runs to effects and verdicts: the whole family of a study at once, at its declared looks."""

from ablation.analysis.answer import answer, sentences
from ablation.analysis.effects import DIFFERENCES, EFFECTS, Judged, differences, judge
from ablation.analysis.plan import planning

__all__ = [
    "DIFFERENCES",
    "EFFECTS",
    "Judged",
    "answer",
    "differences",
    "judge",
    "planning",
    "sentences",
]
