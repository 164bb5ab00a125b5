"""Runs to effects and verdicts: the whole family of a study at once, at its declared looks."""

from ablation.analysis.answer import amount, answer, by_failures, exactly, sentences
from ablation.analysis.effects import DIFFERENCES, EFFECTS, Judged, differences, judge
from ablation.analysis.findings import Findings, find
from ablation.analysis.plan import planning
from ablation.analysis.response import crossed, is_log, levels_of

__all__ = [
    "DIFFERENCES",
    "EFFECTS",
    "Findings",
    "Judged",
    "amount",
    "answer",
    "by_failures",
    "crossed",
    "differences",
    "exactly",
    "find",
    "is_log",
    "judge",
    "levels_of",
    "planning",
    "sentences",
]
