"""Crews of workers: the protocol that a walk uses, and a pool of processes on this machine."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from ablation.errors import Refused
from ablation.execute.processes import Limits, Processes
from ablation.records.temporary import own_temporary
from ablation.task.devices import VISIBLE, visible_gpus

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext


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


def prepare_pool(*modules: str, environment: Mapping[str, str] | None = None) -> BaseContext:
    """Returns the context that the pool's processes start in, and starts loading their modules.

    Processes are forked from a server that has imported the modules, or spawned if the system
    has no fork server.

    Args:
        *modules: Further modules to import; only the first call can name them.
        environment: Further variables of the workers, unless the user has set them.
    """
    _wanted.update(environment or {})
    # Many workers load torch once, in the server: it takes a second or two, while this process
    # goes on. A fork of this process would copy its threads in an unknown state.
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    if forks:
        from multiprocessing import forkserver

        context.set_forkserver_preload(["ablation.execute.worker", *modules])
        with _without_interrupts(), _variables(_wanted), own_temporary():
            forkserver.ensure_running()
    return context


ENVIRONMENT = {
    # After a kill, Python's tracker of semaphores would print a warning over the shell's prompt.
    "PYTHONWARNINGS": "ignore:resource_tracker:UserWarning",
    # Makes the C library keep large blocks, because each step allocates a gradient of some
    # megabytes.
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**31),
    "OPENBLAS_NUM_THREADS": "1",  # or NumPy starts threads in the server
}
"""Environment variables of the workers, unless the user has set them."""
_wanted: dict[str, str] = dict(ENVIRONMENT)


def pool(workers: int) -> Executor:
    """Returns a pool of processes that have torch loaded and end when this process ends."""
    with _without_interrupts(), _variables(_wanted):
        # Again in each worker: the fork server may be the caller's own and know none of them. What
        # the C library reads as a process starts then comes too late, which costs speed alone.
        context = prepare_pool()
        return Processes(workers, context, partial(begin_worker, environment=dict(_wanted)))


@contextlib.contextmanager
def _variables(wanted: Mapping[str, str]) -> Iterator[None]:
    """Sets unset environment variables for processes started in the block."""
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Makes processes started in the block ignore Ctrl-C from the beginning."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def begin_worker(number: int, environment: Mapping[str, str]) -> None:
    """Makes this worker ignore Ctrl-C, and end when the conductor ends or is killed.

    Of several GPUs it sees one.

    Args:
        number: The worker's number, from 0 on.
        environment: Variables that are set unless they are already.
    """
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    deal_gpu(number)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def main_unknown() -> Iterator[None]:
    """Keeps worker processes from running the calling script again, as they would a module.

    Without this, a script needs ``if __name__ == "__main__"`` around its call.
    """
    main = sys.modules["__main__"]
    known: dict[str, Any] = {
        name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)
    }
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(known)


def deal_gpu(number: int) -> None:
    """Makes this process see one of several GPUs, before a library looks for them.

    Args:
        number: The worker's number; as many workers share a GPU as it takes.
    """
    if len(gpus := visible_gpus()) > 1:
        os.environ[VISIBLE] = gpus[number % len(gpus)]


def load(*modules: str) -> None:
    """Imports modules, for use before what needs them."""
    for name in modules:
        importlib.import_module(name)
