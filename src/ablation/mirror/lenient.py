"""A mirror that never stops a study: what it cannot show, its end or the next start restores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ablation.mirror.write import Curve, Mirror

if TYPE_CHECKING:
    from ablation.records.outcome import Outcome
    from ablation.study.plan import Trial

Reconcile = Callable[[Mirror], None]
"""Brings a mirror into line with the record."""


class Lenient:
    """Shows trials in a mirror until that fails; from then on nothing is shown until it is mended.

    Args:
        opening: Opens the mirror.
        reconcile: Brings it into line with the record, when it is opened and when it is mended.
        later: Makes a request to the mirror, now or later, in the order in which they come.
    """

    def __init__(
        self,
        opening: Callable[[], Mirror],
        reconcile: Reconcile,
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self._opening, self._reconcile, self._later = opening, reconcile, later
        self._planned: Mapping[str, int] | None = None
        self.fault: Exception | None = None
        """The error that the mirror raised; None if it agrees with the record."""
        self._try(self._open)

    def start(self, trial: Trial) -> None:
        """Shows a trial as RUNNING."""
        self._do(lambda: self._mirror.start(trial))

    def wait(self, trial: Trial) -> None:
        """Shows an interrupted trial as WAITING."""
        self._do(lambda: self._mirror.wait(trial))

    def finish(self, trial: Trial, outcome: Outcome, curve: Curve) -> None:
        """Shows a trial's outcome, with the metric on validation by epoch."""
        self._do(lambda: self._mirror.finish(trial, outcome, curve))

    def keep_planned(self, seeds: Mapping[str, int]) -> None:
        """Keeps what the looks so far decided, arm to planned seeds."""
        self._planned = seeds
        self._do(lambda: self._mirror.keep_planned(seeds))

    def mend(self) -> Exception | None:
        """Restores a mirror that failed, once; returns the error if it fails again."""
        if self.fault is not None:
            self.fault, planned = None, self._planned
            self._try(self._open)
            if planned is not None:
                self._try(lambda: self._mirror.keep_planned(planned))
        return self.fault

    def _open(self) -> None:
        self._mirror = self._opening()
        self._reconcile(self._mirror)

    def _do(self, call: Callable[[], None]) -> None:
        self._later(lambda: self._try(call))

    def _try(self, call: Callable[[], None]) -> None:
        if self.fault is not None:
            return
        try:
            call()
        except Exception as error:  # a study that somebody deletes meanwhile is a KeyError
            self.fault = error
