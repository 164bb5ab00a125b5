"""Effects and figures to a folder that can be read, mailed and rebuilt."""

from ablation.report.basis import Basis
from ablation.report.build import build
from ablation.report.content import Content
from ablation.report.files import is_recorded, read
from ablation.report.gather import gather
from ablation.report.index import begin_index, index
from ablation.report.note import brief, note
from ablation.report.page import compose
from ablation.report.rebuild import differing, rebuild

__all__ = [
    "Basis",
    "Content",
    "begin_index",
    "brief",
    "build",
    "compose",
    "differing",
    "gather",
    "index",
    "is_recorded",
    "note",
    "read",
    "rebuild",
]
