"""Keeps the garbage collector's share of the conductor's time small."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

ALLOCATIONS = 20_000
"""New objects after which the collector runs; recording a trial creates thousands."""


@contextlib.contextmanager
def seldom() -> Iterator[None]:
    """Makes the collector run rarely in the block; restores its settings afterwards."""
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    gc.set_threshold(ALLOCATIONS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        if not frozen:  # else it would thaw what the caller froze
            gc.unfreeze()


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Disables garbage collection in the block, then freezes the objects it allocated.

    Use it inside :func:`seldom`, which unfreezes them at its end.
    """
    # Scanning libraries again and again is a tenth of their loading time; frozen, they are not
    # scanned when trials are recorded either.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
