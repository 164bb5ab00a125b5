"""A pool of processes on this machine: how they start, and what they have from their start."""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from ablation.execute.processes import Processes
from ablation.records.temporary import own_temporary
from ablation.task.devices import VISIBLE, visible_gpus

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext


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
        with _variables(_wanted), own_temporary(), _without_interrupts():
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
    made: Executor | None = None
    try:
        with _variables(_wanted), _without_interrupts():
            # Again in each worker: the fork server may be the caller's own and know none of them.
            # What the C library reads as a process starts then comes too late, which costs speed
            # alone.
            begin = partial(begin_worker, environment=dict(_wanted))
            made = Processes(workers, prepare_pool(), begin)
    except BaseException:  # an interrupt that came in the block is raised as it ends
        if made is not None:
            made.shutdown()
        raise
    return made


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
    """Makes processes started in the block know no Ctrl-C; this thread has it after the block."""
    # Blocked, not ignored: what comes in the block is not lost. Windows has no such mask, and
    # there the worker alone ignores it.
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # started in the block, it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_worker(number: int, environment: Mapping[str, str]) -> None:
    """Makes this worker ignore Ctrl-C, and end when the conductor ends or is killed.

    Of several GPUs it sees one.

    Args:
        number: The worker's number, from 0 on.
        environment: Variables that are set unless they are already.
    """
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    gc.freeze()  # or the collector scans, again and again, what the server has loaded
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
