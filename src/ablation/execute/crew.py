"""The crew that trains: what a walk asks of it, and a pool of processes on this machine."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import ProcessPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext


class Crew(Protocol):
    """Trains trials, wherever that is; nothing but the crew knows where."""

    @property
    def at_once(self) -> int:
        """Number of trials that are trained at the same time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Runs a function on one of the workers."""

    def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterable[Any]:
        """Runs a function on every item, side by side, and returns the results in order."""

    def is_broken(self, error: BaseException) -> bool:
        """Whether an error says that a worker was lost, not that what it ran failed."""

    def end(self) -> None:
        """Ends the workers at once, whatever they are doing; may be called again."""


class ExecutorCrew:
    """A crew of any ``concurrent.futures.Executor``, whose workers are its own affair.

    Args:
        executor: The executor.
        at_once: Number of its workers.
    """

    def __init__(self, executor: Executor, at_once: int) -> None:
        self.executor, self.at_once = executor, at_once
        self._submitted: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Runs a function on one of the workers."""
        self._submitted = [future for future in self._submitted if not future.done()]
        future = self.executor.submit(fn, *args)
        self._submitted.append(future)
        return future

    def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterable[Any]:
        """Runs a function on every item and returns the results in order."""
        return self.executor.map(fn, *iterables)

    def is_broken(self, error: BaseException) -> bool:
        """Whether the executor says that it lost a worker."""
        return isinstance(error, BrokenExecutor)

    def end(self) -> None:
        """Cancels what has not begun and lets the executor go; what runs may run to its end.

        Only ``submit`` and ``shutdown()`` without arguments are common to all executors.
        """
        for future in self._submitted:
            future.cancel()
        self.executor.shutdown(wait=False)


class ProcessCrew:
    """A crew of processes on this machine, each with one torch thread.

    A small model gains nothing from a second thread. The processes are started by the first call
    of :meth:`start`, :meth:`submit` or :meth:`map`, and end with this process, however it ends.

    Args:
        at_once: Number of processes.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        # A thread, since a pool waits for its first processes to load what they need.
        self._starter = ThreadPoolExecutor(1)
        self._started: Future[Executor] | None = None

    def start(self) -> None:
        """Lets the processes load what they need while this one does something else."""
        if self._started is None:
            self._started = self._starter.submit(pool, self.at_once)

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Runs a function in one of the processes."""
        return self._executor().submit(fn, *args)

    def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterable[Any]:
        """Runs a function on every item, side by side, and returns the results in order."""
        return self._executor().map(fn, *iterables)

    def is_broken(self, error: BaseException) -> bool:
        """Whether a process died."""
        return isinstance(error, BrokenExecutor)

    def end(self) -> None:
        """Ends this crew's processes, and no other child of this process."""
        if self._started is not None:
            executor = self._started.result()
            # Private, but there is no other way to end a pool's processes before Python 3.14.
            processes = getattr(executor, "_processes", None) or {}
            for process in list(processes.values()):
                process.terminate()
            executor.shutdown(wait=True, cancel_futures=True)
        self._starter.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def _executor(self) -> Executor:
        self.start()
        assert self._started is not None
        return self._started.result()


def prepare_pool(*modules: str) -> BaseContext:
    """Returns how the pool's processes start, and has what they need loaded meanwhile.

    Where the system can, they are forked from a server that has imported torch and done nothing
    with it, so that many workers load it once; a fork of this process would copy its threads in an
    unknown state. The server takes a second or two to load, in which this process does other
    things.

    Args:
        modules: What else the processes will need, at the first call.
    """
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    if forks:
        from multiprocessing import forkserver

        context.set_forkserver_preload(["ablation.execute.worker", *modules])
        with _without_interrupts(), _variables(ENVIRONMENT):
            forkserver.ensure_running()
    return context


ENVIRONMENT = {
    # Python's tracker of semaphores would print a warning after a kill, after the prompt is back.
    "PYTHONWARNINGS": "ignore:resource_tracker:UserWarning",
    # The C library keeps large blocks instead of handing them back: a gradient of some megabytes
    # is allocated at every step.
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**31),
    "OPENBLAS_NUM_THREADS": "1",  # or NumPy starts threads in the server
}
"""Variables of the workers, unless the user has set them; this process keeps its own."""


def pool(workers: int) -> Executor:
    """Returns a pool whose processes have torch at once and end when this process does."""
    executor = ProcessPoolExecutor(workers, prepare_pool(), initializer=_begin_worker)
    with _without_interrupts(), _variables(ENVIRONMENT):
        for _ in range(workers):
            executor.submit(_warm)
    return executor


@contextlib.contextmanager
def _variables(wanted: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables for processes that start inside, where they are not set."""
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Lets processes that start inside ignore Ctrl-C from their first moment."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin_worker() -> None:
    """Leaves Ctrl-C to the conductor, and ends with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _warm() -> None:
    """Does nothing: a process that has been asked for is there."""


def load(*modules: str) -> None:
    """Imports modules, for use before what needs them."""
    for name in modules:
        importlib.import_module(name)
