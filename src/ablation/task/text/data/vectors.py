"""Reads pretrained embeddings from a text file: one token and its numbers per line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ablation.errors import Refused


def read_vectors(
    path: Path, vocabulary: Mapping[str, int], size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Returns the ids of the tokens in the file, and their vectors ``[tokens, size]``.

    Reads the formats of GloVe and word2vec: a first line of two numbers is skipped. If a token
    occurs twice, the first line counts.

    Args:
        path: The file, in UTF-8.
        vocabulary: Token to id.
        size: Width that each vector must have.

    Raises:
        Refused: If the file cannot be read, a vector has another width, or no token of the
            vocabulary is in the file.
    """
    found: dict[int, npt.NDArray[np.float32]] = {}
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                token, _, rest = line.rstrip().partition(" ")
                id_ = vocabulary.get(token)
                if id_ is None or id_ in found or (number == 1 and rest.isdigit()):
                    continue
                found[id_] = _vector(rest, f"{path}, line {number},", size)
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read: {error}.", "Give a readable text file.") from error
    if not found:
        raise Refused(
            f"{path} has no vector for any of the {len(vocabulary)} tokens.",
            "Give a file with one token and its numbers per line, separated by spaces.",
        )
    return np.array(list(found), np.int64), np.stack(list(found.values()))


def _vector(text: str, where: str, size: int) -> npt.NDArray[np.float32]:
    try:
        vector = np.array(text.split(), np.float32)
    except ValueError as error:
        raise Refused(f"{where} must hold only numbers: {error}.", "Fix the file.") from error
    if vector.shape != (size,) or not np.isfinite(vector).all():
        raise Refused(
            f"{where} must hold model.embedding_size = {size} finite numbers; got {len(vector)}.",
            "Set model.embedding_size to the width in the file; all numbers must be finite.",
        )
    return vector
