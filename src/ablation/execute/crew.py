"""Crews of workers: the protocol that a walk uses, and those of an executor and of a pool."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from types import TracebackType
from typing import Any, Protocol, Self

from ablation.errors import Refused
from ablation.execute.pool import pool, prepare_pool
from ablation.execute.processes import Limits, Processes


class Crew(Protocol):
    """Runs functions on workers, on this machine or elsewhere."""

    @property
    def at_once(self) -> int:
        """Number of workers."""

    def prepare(self, *modules: str, environment: Mapping[str, str] | None = None) -> None:
        """Starts loading what a task's workers need, where that takes time; returns at once.

        Args:
            *modules: Modules to import.
            environment: Variables of the workers, unless the user has set them.
        """

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, limits: Limits | None = None
    ) -> Future[Any]:
        """Runs a function on one of the workers and returns its future.

        Args:
            fn: The function.
            *args: Its arguments.
            limits: Limits of the call, for crews that can end a worker.
        """

    def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterable[Any]:
        """Runs a function on every item in parallel and returns the results in order."""

    def is_broken(self, error: BaseException) -> bool:
        """Returns whether an error means that a worker was lost, not that its function failed."""

    def end(self) -> None:
        """Ends the workers immediately, even while they train; may be called again."""


class Stranded(Refused):
    """No worker is left that a crew could give a call to; what was recorded is kept."""


class ExecutorCrew:
    """A crew made of any ``concurrent.futures.Executor``, which manages its own workers.

    Args:
        executor: The executor.
        at_once: Number of its workers.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> crew = ExecutorCrew(ThreadPoolExecutor(2), at_once=2)
    >>> list(crew.map(pow, (2, 3), (5, 2)))
    [32, 9]
    >>> crew.end()
    """

    def __init__(self, executor: Executor, at_once: int) -> None:
        self.executor, self.at_once = executor, at_once
        self._submitted: list[Future[Any]] = []

    def prepare(self, *modules: str, environment: Mapping[str, str] | None = None) -> None:
        """Does nothing: the executor starts its workers."""

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, limits: Limits | None = None
    ) -> Future[Any]:
        """Runs a function on one of the workers; limits are the executor's own business."""
        self._submitted = [future for future in self._submitted if not future.done()]
        future = self.executor.submit(fn, *args)
        self._submitted.append(future)
        return future

    def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterable[Any]:
        """Runs a function on every item and returns the results in order."""
        return self.executor.map(fn, *iterables)

    def is_broken(self, error: BaseException) -> bool:
        """Returns whether the executor reports the loss of a worker."""
        return isinstance(error, BrokenExecutor)

    def end(self) -> None:
        """Cancels waiting calls and shuts the executor down; running calls may finish."""
        # One by one: shutdown(cancel_futures=True) is not supported by all executors.
        for future in self._submitted:
            future.cancel()
        self.executor.shutdown(wait=False)


class ProcessCrew:
    """A crew of processes on this machine, each with one torch thread.

    The processes are started by the first call of :meth:`start`, :meth:`submit` or :meth:`map`,
    and end with this process, even if it is killed.

    Args:
        at_once: Number of processes.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._executor: Executor | None = None

    def prepare(self, *modules: str, environment: Mapping[str, str] | None = None) -> None:
        """Starts the server of the processes; see :func:`prepare_pool`."""
        prepare_pool(*modules, environment=environment)

    def start(self) -> Executor:
        """Starts the processes, which load their modules while this process goes on."""
        if self._executor is None:
            self._executor = pool(self.at_once)
        return self._executor

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, limits: Limits | None = None
    ) -> Future[Any]:
        """Runs a function in one of the processes, which is ended if it exceeds the limits."""
        return self.submit_elsewhere((), fn, *args, limits=limits)

    def submit_elsewhere(
        self,
        avoided: Collection[str],
        fn: Callable[..., Any],
        /,
        *args: Any,
        limits: Limits | None = None,
    ) -> Future[Any]:
        """Runs a function in another process than those named, as long as there is one."""
        executor = self.start()
        if isinstance(executor, Processes):
            numbers = [int(name) for name in avoided]
            return executor.submit_limited(limits or Limits(), fn, *args, avoided=numbers)
        return executor.submit(fn, *args)

    def worker_of(self, future: Future[Any]) -> str | None:
        """Returns the number of the process that ran a call; one that was lost passes it on."""
        executor = self.start()
        number = executor.worker_of(future) if isinstance(executor, Processes) else None
        return None if number is None else str(number)

    def put_aside(self, worker: str) -> bool:
        """Gives a process no more calls; returns False if it is the last one, which goes on."""
        executor = self.start()
        if not isinstance(executor, Processes) or not executor.put_aside(int(worker)):
            return False
        self.at_once -= 1
        return True

    def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterable[Any]:
        """Runs a function on every item in parallel and returns the results in order."""
        return self.start().map(fn, *iterables)

    def is_broken(self, error: BaseException) -> bool:
        """Returns whether an error means that a process died."""
        return isinstance(error, BrokenExecutor)

    def end(self) -> None:
        """Ends the processes of this crew only."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
