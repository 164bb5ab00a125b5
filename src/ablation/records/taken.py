"""Looks that were taken although runs were missing, and the JSON form of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Absent = frozenset[tuple[str, int]]
"""Arm and seed of runs."""

Taken = Mapping[int, Absent]
"""Look, in seeds, to the runs that were missing when it was taken. What it decided is final, so
this is part of the record: blocks that the baseline lacked stay left out."""


def taken_to_json(taken: Taken) -> dict[str, list[list[Any]]]:
    """Returns plain values.

    >>> taken_to_json({5: frozenset({("a", 3), ("a", 1)})})
    {'5': [['a', 1], ['a', 3]]}
    """
    return {str(look): [list(run) for run in sorted(runs)] for look, runs in taken.items()}


def taken_from_json(stored: Mapping[str, Sequence[Sequence[Any]]]) -> Taken:
    """Returns what :func:`taken_to_json` was given."""
    return {
        int(look): frozenset((str(arm), int(seed)) for arm, seed in runs)
        for look, runs in stored.items()
    }
