"""Scores by test example as bytes: a bit for each where all are booleans, else a float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BITS, FLOATS = b"b", b"f"
"""First byte; eight more hold the number of examples."""

CLOSE = 1e-6
"""Largest distance of the scores' mean from the metric, relative where the metric exceeds 1."""


def pack(scores: ArrayLike) -> bytes:
    """Returns the scores of one run, ``[example]``, as bytes that say how many they are.

    >>> len(pack([True, False, True])), unpack(pack([0.5, 0.25])).tolist()
    (10, [0.5, 0.25])
    """
    given = np.asarray(scores)
    head = len(given).to_bytes(8, "little")
    if given.dtype == np.bool_:
        return BITS + head + np.packbits(given).tobytes()
    return FLOATS + head + given.astype("<f4").tobytes()


def unpack(packed: bytes) -> NDArray[np.bool_] | NDArray[np.float32]:
    """Returns the scores that :func:`pack` packed; none where the bytes are cut short."""
    kind, size = packed[:1], int.from_bytes(packed[1:9], "little")
    if kind == BITS and 8 * len(packed[9:]) >= size:
        return np.unpackbits(np.frombuffer(packed[9:], np.uint8), count=size).astype(np.bool_)
    if kind == FLOATS and len(packed[9:]) == 4 * size:
        return np.frombuffer(packed[9:], "<f4").astype(np.float32)
    return np.zeros(0, np.bool_)
