"""Worker processes with one call each: a process that is lost costs its own call alone."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from ablation.execute.serve import fate_of, resident, serve

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL, for code that ignores the first."""
EVERY = 0.25
"""Seconds between two readings of a worker's memory, if its call has a limit of it."""
NEVER = float("inf")


class WorkerLost(BrokenExecutor):
    """The process that ran the call died."""


class LimitExceeded(WorkerLost):
    """The process was ended because its call exceeded a limit: ``seconds`` or ``memory``."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Limits of one call; None is no limit."""

    seconds: float | None = None
    memory: float | None = None
    """Resident memory of the process in bytes; read where the system has ``/proc``."""

    def exceeded(self, seconds: float, pid: int | None) -> str:
        """Returns the name of the limit that a call exceeds, or an empty string."""
        if self.seconds is not None and seconds >= self.seconds:
            return "seconds"
        return "memory" if self.memory is not None and resident(pid) > self.memory else ""


@dataclasses.dataclass(eq=False, slots=True)
class _Call:
    what: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
    limits: Limits
    future: Future[Any] = dataclasses.field(default_factory=Future)
    is_taken: bool = False
    avoided: frozenset[int] = frozenset()
    """Numbers of workers that do not run it, as long as there are others."""

    def take(self) -> bool:
        """Returns whether the call is to be run: it was not cancelled while it waited."""
        self.is_taken = self.is_taken or self.future.set_running_or_notify_cancel()
        return self.is_taken


@dataclasses.dataclass(eq=False, slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    number: int = 0
    """From 0 on; a worker that takes a lost one's place has its number."""
    state: Literal["starting", "idle", "busy"] = "starting"
    call: _Call | None = None
    since: float = 0.0
    """When the call began, by the monotonic clock."""
    exceeded: str = ""
    """The limit for which it was told to end."""
    kill_at: float = NEVER
    """When it is killed, after it was told to end."""

    @property
    def ends(self) -> tuple[Connection, int]:
        """Its pipe, and what tells that its process has ended."""
        return self.pipe, self.process.sentinel

    def due(self) -> float:
        """Returns when its limits are to be looked at, by the monotonic clock."""
        if self.call is None or self.exceeded:
            return self.kill_at
        seconds, memory = self.call.limits.seconds, self.call.limits.memory
        return min(
            NEVER if seconds is None else self.since + seconds,
            NEVER if memory is None else time.monotonic() + EVERY,
        )


class Processes(Executor):
    """An executor of processes that start at once and are replaced when they are lost.

    A thread serves them, so that a worker gets its next call while the caller is busy.

    Args:
        workers: Number of processes.
        context: Multiprocessing context that starts them.
        begin: Called in each process before its first call, with the number of the worker.
    """

    # Not concurrent.futures' pool: there one lost process costs all calls, and nobody knows which
    # call it ran. Not multiprocessing's, in which such a call never ends.

    def __init__(
        self, workers: int, context: Any, begin: Callable[[int], None] | None = None
    ) -> None:
        self._number, self._context, self._begin = workers, context, begin
        self._lock = threading.Lock()
        self._pending: deque[_Call] = deque()
        self._workers: list[_Worker] = []
        self._ran: WeakKeyDictionary[Future[Any], int] = WeakKeyDictionary()
        self._aside: set[int] = set()
        self._has_begun = self._ending = False
        self._woken, self._wake = Pipe(duplex=False)
        self._thread = threading.Thread(target=self._serve, name="workers", daemon=True)
        self._thread.start()
        atexit.register(self.shutdown)  # else multiprocessing would wait for its processes

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Runs a module-level function in a process and returns its future."""
        return self.submit_limited(Limits(), fn, *args, **kwargs)

    def submit_limited(
        self,
        limits: Limits,
        fn: Callable[..., Any],
        /,
        *args: Any,
        avoided: Collection[int] = (),
        **kwargs: Any,
    ) -> Future[Any]:
        """Runs a function in a process and returns its future.

        If the call exceeds a limit, its process is ended, and the future raises `LimitExceeded`.

        Args:
            limits: The limits.
            fn: A module-level function.
            *args: Its arguments.
            avoided: Numbers of workers that do not run it, as long as there are others.
            **kwargs: Its named arguments.
        """
        call = _Call((fn, args, kwargs), limits, avoided=frozenset(avoided))
        with self._lock:
            if self._ending:
                raise WorkerLost("the workers have ended")
            self._pending.append(call)
        self._notify()
        return call.future

    def worker_of(self, future: Future[Any]) -> int | None:
        """Returns the number of the worker that ran a call; None if none did."""
        return self._ran.get(future)

    def put_aside(self, number: int) -> bool:
        """Starts no more calls on a worker; returns False if it is the last, which goes on."""
        with self._lock:
            if len(self._aside | {number}) >= self._number:
                return False
            self._aside.add(number)
        self._notify()
        return True

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Ends the processes at once; those that ignore SIGTERM after :data:`GRACE` seconds."""
        atexit.unregister(self.shutdown)
        with self._lock:
            self._ending = True
        self._notify()
        if wait:
            self._thread.join()

    def _notify(self) -> None:
        with contextlib.suppress(OSError):  # the thread has ended
            self._wake.send_bytes(b".")

    def _serve(self) -> None:
        try:
            while not self._ending:
                self._hand_out()
                ends = [end for each in self._workers for end in each.ends]
                due = min((each.due() for each in self._workers), default=NEVER)
                left = None if due == NEVER else max(0.0, due - time.monotonic())
                ready = set(wait([self._woken, *ends], left))
                if self._woken in ready:
                    self._woken.recv_bytes()
                for worker in list(self._workers):
                    if not ready.isdisjoint(worker.ends):
                        self._hear(worker)
                for worker in self._workers:
                    _enforce(worker)
        finally:
            self._end()

    def _hand_out(self) -> None:
        """Starts the processes that are missing, and gives a call to each that is idle."""
        for worker in [w for w in self._workers if w.number in self._aside and w.call is None]:
            self._workers.remove(worker)
            worker.pipe.close()  # which ends its process
        while (missing := self._missing) and (self._pending or not self._has_begun):
            number = missing[0]
            try:
                self._workers.append(self._start(number))
            except (EOFError, OSError) as error:  # where a preloaded library fails
                if (call := self._next(number)) is None:
                    break
                if call.take():
                    said = f"no process can be started ({type(error).__name__}: {error})"
                    call.future.set_exception(WorkerLost(said))
        self._has_begun = True
        for worker in self._workers:
            while worker.state == "idle" and (call := self._next(worker.number)) is not None:
                self._give(worker, call)

    @property
    def _missing(self) -> list[int]:
        """Numbers of the workers that have no process."""
        taken = self._aside | {worker.number for worker in self._workers}
        return [number for number in range(self._number) if number not in taken]

    def _next(self, number: int) -> _Call | None:
        """Returns the first waiting call that a worker may run, and takes it off the queue."""
        with self._lock:
            others = set(range(self._number)) - self._aside - {number}
            for call in self._pending:
                if number not in call.avoided or others <= call.avoided:
                    self._pending.remove(call)
                    return call
            return None

    def _start(self, number: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        begin = None if self._begin is None else partial(self._begin, number)
        process = self._context.Process(target=serve, args=(theirs, begin))
        process.start()
        theirs.close()  # else its end of file would never be seen here
        return _Worker(process, ours, number)

    def _give(self, worker: _Worker, call: _Call) -> None:
        if not call.take():
            return
        try:
            worker.pipe.send(call.what)
        except OSError:  # it died idle, so the call is for another
            worker.state = "busy"
            with self._lock:
                self._pending.appendleft(call)
        except Exception as error:  # an argument that cannot be pickled
            call.future.set_exception(error)
        else:
            worker.call, worker.since, worker.state = call, time.monotonic(), "busy"
            self._ran[call.future] = worker.number

    def _hear(self, worker: _Worker) -> None:
        """Takes what a worker has sent; replaces it if it is lost or runs no further call."""
        try:
            # A child of the worker may hold its pipe open, so its own end is looked at, too.
            message = worker.pipe.recv() if worker.pipe.poll() else None
        except (EOFError, OSError):
            message = None
        if message is None:
            self._lose(worker)
            return
        goes_on, answer = message
        call, worker.call, worker.state = worker.call, None, "idle"
        if call is not None:
            _settle(call.future, answer)
        if not goes_on:
            self._workers.remove(worker)
            worker.process.kill()

    def _lose(self, worker: _Worker) -> None:
        """Forgets a lost worker, whose call fails. If it died at its start, the next call does."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join(1)
        fate = fate_of(worker.process.exitcode)
        if worker.process.exitcode is None:  # alive, but nobody can speak to it any more
            worker.process.kill()
        call = self._next(worker.number) if worker.state == "starting" else worker.call
        if call is not None and call.take():
            lost = LimitExceeded(worker.exceeded) if worker.exceeded else WorkerLost(fate)
            call.future.set_exception(lost)

    def _end(self) -> None:
        with self._lock:
            self._ending = True
        for worker in self._workers:
            worker.process.terminate()
        until = time.monotonic() + GRACE
        for worker in self._workers:
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.exitcode is None:
                worker.process.kill()
                worker.process.join(1)
            if worker.call is not None:
                worker.call.future.set_exception(WorkerLost("the workers were ended"))
        for call in self._pending:
            if call.take():  # a future that is only cancelled would be waited for without end
                call.future.set_exception(WorkerLost("the workers were ended"))


def _enforce(worker: _Worker) -> None:
    """Tells a worker to end whose call exceeds a limit, and kills it if it does not."""
    now = time.monotonic()
    if worker.call is not None and not worker.exceeded:
        worker.exceeded = worker.call.limits.exceeded(now - worker.since, worker.process.pid)
        if worker.exceeded:
            worker.process.terminate()
            worker.kill_at = now + GRACE
    elif now >= worker.kill_at:
        worker.process.kill()
        worker.kill_at = NEVER


def _settle(future: Future[Any], answer: bytes) -> None:
    """Gives a future the value or the exception that a worker sent."""
    try:
        value, error = ForkingPickler.loads(answer)
    except Exception as wrong:  # of a class that is not known here
        value, error = None, wrong
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
