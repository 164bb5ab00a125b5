"""Tells a worker that fails trials from trials that fail: the former is put aside."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ablation.execute.processes import Limits
    from ablation.study.plan import Trial

ARMS = 3
"""Arms with trials that fail on a worker and succeed elsewhere, which put the worker aside."""


@runtime_checkable
class Choosy(Protocol):
    """A crew that knows its workers apart; a call may be kept away from some of them."""

    def worker_of(self, future: Future[Any]) -> str | None:
        """Returns the name of the worker that ran a call; None if none did."""

    def submit_elsewhere(
        self,
        avoided: Collection[str],
        fn: Callable[..., Any],
        /,
        *args: Any,
        limits: Limits | None = None,
    ) -> Future[Any]:
        """Runs a function on another worker than those named, as long as there is one."""

    def put_aside(self, worker: str) -> bool:
        """Gives a worker no more calls; returns False if it is the last one, which goes on."""


class Blame:
    """The trials that failed on each worker, and those that succeeded elsewhere since.

    >>> blame = Blame()
    >>> for number, arm in enumerate("abc"):
    ...     blame.failed("0", str(number), arm)
    >>> [blame.succeeded("1", str(number)) for number in range(3)]
    [set(), set(), {'0'}]
    """

    def __init__(self) -> None:
        self._failed: dict[str, dict[str, str]] = {}
        """Key of a trial to the workers on which it failed, each with the trial's arm."""
        self._arms: dict[str, set[str]] = {}
        """Worker to the arms that count against it."""
        self._blamed: set[str] = set()

    def failed(self, worker: str, trial: str, arm: str) -> None:
        """Notes that a trial, by its key, failed on a worker."""
        self._failed.setdefault(trial, {})[worker] = arm

    def succeeded(self, worker: str, trial: str) -> set[str]:
        """Notes that a trial succeeded on a worker; returns the workers to put aside now."""
        blamed = set()
        for other, arm in self._failed.pop(trial, {}).items():
            if other != worker:
                self._arms.setdefault(other, set()).add(arm)
                if len(self._arms[other]) >= ARMS:
                    blamed.add(other)
        new = blamed - self._blamed
        self._blamed |= new
        return new

    def workers_against(self, trial: Trial) -> Collection[str]:
        """Returns the workers on which a trial failed."""
        return self._failed.get(trial.key, {}).keys()
