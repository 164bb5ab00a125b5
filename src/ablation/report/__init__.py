"""Effects and figures to a folder that can be read, mailed and rebuilt."""

from ablation.report.build import Content, build
from ablation.report.gather import gather

__all__ = ["Content", "build", "gather"]
