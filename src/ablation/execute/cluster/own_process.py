"""Processes of our own in a worker elsewhere, each with one call, as those of the pool at home.

An engine's own process has several threads, an environment for other purposes, and modules that
earlier studies have imported; and what ends a trial by a signal would end it, too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ablation.execute.pool import ENVIRONMENT, begin_worker, main_unknown, prepare_pool
from ablation.execute.processes import Processes
from ablation.records.digest import digest

IDLE = 60.0
"""Seconds after which a process without a call is ended."""


@dataclasses.dataclass(eq=False, slots=True)
class _Idle:
    """A process without a call."""

    kind: str
    workers: Processes
    timer: threading.Timer


_lock = threading.Lock()
_idle: list[_Idle] = []
_served: list[tuple[tuple[str, ...], dict[str, str]]] = []
"""What the fork server of this process was started with, once it is."""


@contextlib.contextmanager
def own_process(
    folder: Path, preload: tuple[str, ...], environment: Mapping[str, str]
) -> Iterator[tuple[Processes, Callable[[], None]]]:
    """Yields a process of our own and a function that ends it; it is kept for the next call.

    Args:
        folder: Its working folder and first place of imports; a call in another folder gets
            another process, so that no module of earlier sources is left in it.
        preload: Modules that it has from its start.
        environment: Variables, which it has whatever the engine set them to.
    """
    kind = digest(str(folder), environment, preload)
    workers = _take(kind) or _start(folder, preload, {**ENVIRONMENT, **environment})
    ended = False

    def end() -> None:
        nonlocal ended
        ended = True
        workers.shutdown(wait=True)

    try:
        yield workers, end
    except BaseException:
        end()
        raise
    finally:
        if not ended:
            _keep(kind, workers)


def _take(kind: str) -> Processes | None:
    """Returns an idle process of a kind, or None; one of another kind is then ended for it."""
    with _lock:
        found = next((each for each in _idle if each.kind == kind), _idle[0] if _idle else None)
        if found is None:
            return None
        _idle.remove(found)
    found.timer.cancel()
    if found.kind == kind:
        return found.workers
    found.workers.shutdown(wait=False)
    return None


def _keep(kind: str, workers: Processes) -> None:
    timer = threading.Timer(IDLE, lambda: close(kept))
    timer.daemon = True
    kept = _Idle(kind, workers, timer)
    with _lock:
        _idle.append(kept)
    timer.start()


def close(one: _Idle | None = None) -> None:
    """Ends the idle processes of this worker, or one of them."""
    with _lock:
        ending = [each for each in _idle if one is None or each is one]
        for each in ending:
            _idle.remove(each)
    for each in ending:
        each.timer.cancel()
        each.workers.shutdown(wait=False)


def _start(folder: Path, preload: tuple[str, ...], wanted: dict[str, str]) -> Processes:
    process = multiprocessing.current_process()
    if process.daemon:  # so are those of Dask's nanny, which may have no children
        process.daemon = False
    this = (preload, wanted)
    with _lock:
        if not _served:
            with main_unknown(), _method_unknown(), _exactly(wanted):
                prepare_pool(*preload)
            _served.append(this)
        known = "forkserver" in multiprocessing.get_all_start_methods()
    # A fork server has the variables and the modules of its first start.
    forks = known and _served[0] == this
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    return Processes(1, _Context(context, wanted), partial(_begin, str(folder), wanted))


class _Context:
    """A context whose processes do not run the engine's main module, and have our variables."""

    def __init__(self, context: Any, environment: Mapping[str, str]) -> None:
        self._context, self._environment = context, environment

    def Pipe(self) -> Any:
        """Returns the two ends of a pipe."""
        return self._context.Pipe()

    def Process(self, **given: Any) -> Any:
        """Returns a process that has the variables when it is started."""
        return _Process(self._context.Process(**given), self._environment)


class _Process:
    """A process that is started with variables."""

    def __init__(self, process: Any, environment: Mapping[str, str]) -> None:
        self._process, self._environment = process, environment

    def start(self) -> None:
        """Starts it."""
        with _lock, main_unknown(), _method_unknown(), _exactly(self._environment):
            self._process.start()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)


def _begin(folder: str, environment: Mapping[str, str], number: int) -> None:
    """Makes a folder the working folder and the first place of imports."""
    os.environ.update(environment)
    begin_worker(number, environment)
    os.chdir(folder)
    sys.path.insert(0, folder)


@contextlib.contextmanager
def _method_unknown() -> Iterator[None]:
    """Hides an engine's own way to start processes, such as loky's, which ours do not know."""
    before = multiprocessing.get_start_method(allow_none=True)
    is_own = before not in {None, *multiprocessing.get_all_start_methods()}
    if is_own:
        multiprocessing.set_start_method(None, force=True)
    try:
        yield
    finally:
        if is_own:
            multiprocessing.set_start_method(before, force=True)


@contextlib.contextmanager
def _exactly(wanted: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables for processes started in the block, whatever they were."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
