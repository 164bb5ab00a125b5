"""Pretrained embeddings from a text file: a token and its numbers a line (GloVe, word2vec)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ablation.errors import Refused


def read_vectors(
    path: Path, vocabulary: Mapping[str, int], size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Returns the token ids that the file knows, and their vectors.

    A first line of two numbers, which word2vec writes, is passed by; of a token that stands there
    twice the first line counts.

    Args:
        path: The file, UTF-8.
        vocabulary: Token to id.
        size: Numbers a vector must have.

    Raises:
        Refused: If the file cannot be read, a vector has another size, or no token is known.
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
            f"{path} has a vector for none of the {len(vocabulary)} tokens.",
            "Give a file whose lines are a token and its numbers, separated by spaces.",
        )
    return np.array(list(found), np.int64), np.stack(list(found.values()))


def _vector(text: str, where: str, size: int) -> npt.NDArray[np.float32]:
    try:
        vector = np.array(text.split(), np.float32)
    except ValueError as error:
        raise Refused(f"{where} holds what is no number: {error}.", "Mend the file.") from error
    if vector.shape != (size,) or not np.isfinite(vector).all():
        raise Refused(
            f"{where} holds {len(vector)} numbers, and model.embedding_size is {size}.",
            "Set model.embedding_size to what the file has; all numbers must be finite.",
        )
    return vector
