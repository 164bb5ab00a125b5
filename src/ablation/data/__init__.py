"""Texts to arrays: a corpus is read, split, tokenised once and cached; workers map the arrays."""

from ablation.data.corpus import prepare
from ablation.data.encoded import SPLITS, Encoded, Split
from ablation.data.vectors import read_vectors

__all__ = ["SPLITS", "Encoded", "Split", "prepare", "read_vectors"]
