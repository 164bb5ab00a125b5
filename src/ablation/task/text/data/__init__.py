"""Reads, splits and tokenises a corpus once, and caches it as arrays that workers map."""

from ablation.task.text.data.corpus import prepare
from ablation.task.text.data.encoded import SPLITS, Encoded, Split
from ablation.task.text.data.vectors import read_vectors

__all__ = ["SPLITS", "Encoded", "Split", "prepare", "read_vectors"]
