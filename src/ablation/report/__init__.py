"""Effects and figures to a folder that can be read, mailed and rebuilt."""

from ablation.report.build import build, findings_of
from ablation.report.content import Content, read
from ablation.report.gather import gather
from ablation.report.index import index
from ablation.report.note import note
from ablation.report.rebuild import differing, rebuild

__all__ = [
    "Content",
    "build",
    "differing",
    "findings_of",
    "gather",
    "index",
    "note",
    "read",
    "rebuild",
]
