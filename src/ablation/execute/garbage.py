"""The garbage collector's share of the conductor's time, kept small."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

ALLOCATIONS = 20_000
"""New objects after which the collector looks for cycles; recording a trial makes thousands."""


@contextlib.contextmanager
def seldom() -> Iterator[None]:
    """Lets the collector run seldom in the block; puts its settings back afterwards."""
    thresholds = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Disables garbage collection in the block and freezes what it allocated afterwards.

    For blocks inside :func:`seldom`, which thaws it. The collector would look through libraries
    again and again while they load, a tenth of the time, and later whenever a trial is recorded.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
