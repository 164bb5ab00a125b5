"""Texts to arrays: a corpus is read, split, tokenised once and cached; workers map the arrays."""

from ablation.task.text.data.corpus import prepare
from ablation.task.text.data.encoded import SPLITS, Encoded, Split
from ablation.task.text.data.vectors import read_vectors

__all__ = ["SPLITS", "Encoded", "Split", "prepare", "read_vectors"]
