"""Waits for a record that is away where nothing can go on without it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ablation import tracking
from ablation.execute.sender import PATIENCE, PAUSES, SILENT, TRIES
from ablation.records import causes

T = TypeVar("T")


def until_answered(request: Callable[[bool], T], where: str, tell: Callable[[str], None]) -> T:
    """Returns what a request to the record returns; makes it again while the record is away.

    After :data:`~ablation.execute.sender.SILENT` seconds it says so. What was to be recorded is
    kept nowhere else meanwhile.

    Args:
        request: Makes the request, told whether it is made again: the try before may have got
            through, whole or in part.
        where: The record, without secrets.
        tell: Shows a line to the user.

    Raises:
        Exception: What made it fail, if that is not that the record is away, or if it still is
            after :data:`~ablation.execute.sender.PATIENCE` seconds.
    """
    pauses, faults, began = iter(PAUSES), 0, time.monotonic()
    is_again = is_told = False
    while True:
        try:
            answer = request(is_again)
        except Exception as error:
            faults += tracking.is_faulty(error)
            waited = time.monotonic() - began
            if waited > PATIENCE or faults >= TRIES or not tracking.is_away(error):
                raise
            if waited >= SILENT and not is_told:
                why = causes.first_line(error)
                tell(f"The record in {where} does not answer ({why}). It is waited for.")
                is_told = True
            is_again = True
            time.sleep(next(pauses, PAUSES[-1]))
        else:
            if is_told:
                tell(f"The record in {where} answers again.")
            return answer
