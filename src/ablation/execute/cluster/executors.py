"""A crew of workers elsewhere, behind any ``concurrent.futures.Executor``."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused
from ablation.execute.cluster.endings import GRACE, fail, settle, stranded
from ablation.execute.cluster.station import Answer, Errand, carry_out
from ablation.execute.crew import Stranded
from ablation.execute.processes import WorkerLost

if TYPE_CHECKING:
    from ablation.execute.cluster.packing import Packing
    from ablation.execute.processes import Limits

TRIES = 3
"""Times per worker that a call is sent again after an answer that is no end of it."""
PAUSE = 1.0
"""Seconds after which a call that an unfit worker took is sent again: the idle one may be that."""


def executor_of(name: str) -> Executor:
    """Returns the executor that a user-defined factory makes.

    Args:
        name: ``package.module:factory``.

    Raises:
        Refused: If there is no such factory, it raises, or it returns anything else.
    """
    module, colon, factory = name.partition(":")
    if not (colon and module and factory):
        raise Refused(
            f"{name!r} names no factory of an executor.",
            "Give --workers-from package.module:name.",
        )
    if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109 - as Python has it
        sys.path.append(os.getcwd())  # noqa: PTH109 - likewise
    try:
        made = getattr(importlib.import_module(module), factory)()
    except (Exception, SystemExit) as error:  # user-defined code may raise anything
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise Refused(f"--workers-from {name} raised {said[:400]}.", _way_out(module)) from error
    if not isinstance(made, Executor):
        raise Refused(
            f"{name} returned {type(made).__name__}, no concurrent.futures.Executor.",
            "Return one, such as parsl.concurrent.ParslPoolExecutor(config).",
        )
    return made


def _way_out(module: str) -> str:
    """Returns what to do about a module in which there is no such factory."""
    if (top := module.partition(".")[0]) in sys.stdlib_module_names:
        return f"{top} is a module of Python's own: give your file another name."
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is not None and not Path(file).resolve().is_relative_to(Path.cwd()):
        return f"That is {file}, outside this folder: fix it, or give your file another name."
    return "Name a function without arguments, in a module in this folder or installed."


class ElsewhereCrew:
    """A crew of an executor whose workers may be on other machines; they check themselves.

    Args:
        executor: The executor; it is the crew's own.
        at_once: Number of its workers.
        packing: Packs the calls.
    """

    def __init__(self, executor: Executor, at_once: int, packing: Packing) -> None:
        self.executor, self.at_once, self.packing = executor, at_once, packing
        self._theirs: dict[Future[Any], Future[Any]] = {}
        self._refused: dict[str, str] = {}
        """Host to why it must not train."""
        self._held: deque[tuple[Future[Any], Errand, int]] = deque()
        """Calls that an unfit worker took; others may be training, so they are sent again."""
        self._unfit_since: float | None = None
        """Time of the first answer of an unfit worker since a call was carried out."""

    def prepare(self, *modules: str, environment: Mapping[str, str] | None = None) -> None:
        """Does nothing: each call brings what its worker needs."""

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, limits: Limits | None = None
    ) -> Future[Any]:
        """Runs a function on one of the workers and returns its future."""
        call: Future[Any] = Future()
        self._send(call, self.packing.pack(fn, args, limits), tries=0)
        return call

    def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterable[Any]:
        """Runs a function on every item here: what a study maps is about its record."""
        return map(fn, *iterables)

    def is_broken(self, error: BaseException) -> bool:
        """Returns whether a worker was lost."""
        return isinstance(error, BrokenExecutor)

    def end(self) -> None:
        """Cancels waiting calls and shuts the executor down; running calls may finish."""
        self._fail_held(WorkerLost("the workers were ended"))
        for call, theirs in list(self._theirs.items()):
            # A future that is only cancelled would be waited for without end.
            fail(call, WorkerLost("the workers were ended"))
            theirs.cancel()
        with contextlib.suppress(Exception):  # an error before this one must not be replaced
            self.executor.shutdown(wait=False)

    def _send(self, call: Future[Any], errand: Errand, tries: int) -> None:
        theirs = self.executor.submit(carry_out, errand)
        self._theirs[call] = theirs
        theirs.add_done_callback(lambda done: self._hear(call, errand, tries, done))

    def _hear(self, call: Future[Any], errand: Errand, tries: int, done: Future[Any]) -> None:
        self._theirs.pop(call, None)
        if call.done():
            return
        if done.cancelled():
            fail(call, WorkerLost("its executor cancelled the call"))
            return
        if (error := done.exception()) is not None:
            lost = isinstance(error, BrokenExecutor)
            fail(call, WorkerLost(str(error) or "its worker was lost") if lost else error)
            return
        answer: Answer = done.result()
        if answer.kind in {"value", "error"}:
            self._unfit_since = None
            settle(call, answer, errand)
            self._release()
        elif answer.kind == "unfit":
            self._refused[answer.host] = str(answer.value)
            self._hold(call, errand, tries)
        else:
            self._again(call, errand, tries, answer)

    def _again(self, call: Future[Any], errand: Errand, tries: int, answer: Answer) -> None:
        """Sends a call anew, with the files that its worker lacked."""
        try:
            if tries >= TRIES * self.at_once:
                raise stranded(self._refused, "--workers-from")
            if answer.kind == "lacks":
                contents = self.packing.contents(answer.value)
                errand = dataclasses.replace(errand, contents={**errand.contents, **contents})
            self._send(call, errand, tries + 1)
        except Exception as error:
            fail(call, error if isinstance(error, Stranded) else WorkerLost(str(error)))

    def _hold(self, call: Future[Any], errand: Errand, tries: int) -> None:
        """Keeps a call back until another returns, or for a moment: a fit worker may be busy."""
        self._held.append((call, errand, tries))
        self._unfit_since = since = self._unfit_since or time.monotonic()
        if not self._theirs and time.monotonic() - since >= GRACE:
            self._fail_held(stranded(self._refused, "--workers-from"))
            return
        timer = threading.Timer(PAUSE, self._release)
        timer.daemon = True
        timer.start()

    def _release(self) -> None:
        """Sends the calls that were held back."""
        for _ in range(len(self._held)):
            try:
                call, errand, tries = self._held.popleft()
            except IndexError:  # another thread sends them
                return
            try:
                self._send(call, errand, tries)
            except Exception as error:
                fail(call, WorkerLost(str(error)))

    def _fail_held(self, error: BaseException) -> None:
        with contextlib.suppress(IndexError):
            while True:
                fail(self._held.popleft()[0], error)
