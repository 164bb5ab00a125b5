"""A mirror that never stops a study: what it cannot show, the next start restores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ablation.mirror.write import Mirror, failures

if TYPE_CHECKING:
    from ablation.records.outcome import Outcome
    from ablation.study.plan import Trial


class Lenient:
    """Shows trials in a mirror until that fails; from then on nothing is shown.

    Args:
        mirror: The mirror.
        do: Makes a request, now or later; those of one trial in the order in which they come.
    """

    def __init__(self, mirror: Mirror, do: Callable[[Callable[[], None]], object]) -> None:
        self._mirror, self._request = mirror, do
        self.fault: Exception | None = None
        """The error that the mirror raised; None if it agrees with the record."""

    def start(self, trial: Trial) -> None:
        """Shows a trial as RUNNING."""
        self._do(lambda: self._mirror.start(trial))

    def wait(self, trial: Trial) -> None:
        """Shows an interrupted trial as WAITING."""
        self._do(lambda: self._mirror.wait(trial))

    def finish(self, trial: Trial, outcome: Outcome, curve: Mapping[int, float]) -> None:
        """Shows a trial's outcome, with the metric on validation by epoch."""
        self._do(lambda: self._mirror.finish(trial, outcome, curve))

    def keep_planned(self, seeds: Mapping[str, int]) -> None:
        """Keeps what the looks so far decided, arm to planned seeds."""
        self._do(lambda: self._mirror.keep_planned(seeds))

    def _do(self, call: Callable[[], None]) -> None:
        self._request(lambda: self._try(call))

    def _try(self, call: Callable[[], None]) -> None:
        if self.fault is not None:
            return
        faults: tuple[type[Exception], ...] = (OSError, *failures())
        try:
            call()
        except faults as error:
            self.fault = error
