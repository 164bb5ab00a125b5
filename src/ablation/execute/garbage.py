"""The garbage collector's share of the conductor's time, kept small."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

ALLOCATIONS = 20_000
"""New objects after which the collector looks for cycles; recording a trial makes thousands."""


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Spares all that is loaded inside from the collector, then and later.

    It would look through libraries again and again while they load, which is a tenth of the time,
    and then whenever a trial is recorded.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(ALLOCATIONS)
        gc.enable()
