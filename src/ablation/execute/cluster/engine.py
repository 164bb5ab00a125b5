"""A crew of Dask workers: they join and leave as they like, and check themselves."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ablation.errors import Refused, public
from ablation.execute.cluster import own_process, station
from ablation.execute.cluster.executors import fail, settle, stranded
from ablation.execute.cluster.fitness import Expected, Facts, cache_of_worker, facts, unfit
from ablation.execute.cluster.parcels import Manifest, lacking, receive
from ablation.execute.cluster.station import Answer, Errand, job_in
from ablation.execute.crew import Stranded
from ablation.execute.processes import WorkerLost

if TYPE_CHECKING:
    from ablation.execute.cluster.packing import Packing
    from ablation.execute.processes import Limits

CONNECT = 10.0
"""Seconds that a scheduler has to answer at the start."""
WAIT = 60.0
"""Seconds that a scheduler which stopped answering has to come back; and after which it is said
that there is no worker."""
LOOK = 1.0
"""Seconds between two looks at which workers there are."""
GRACE = 10.0
"""Seconds that other workers have to join where all that are there must not train."""
RESENT = 10
"""Times that a call is sent again after an answer that is no end of it."""
INSTALL = "pip install 'attention-ablation[dask]'"


def connect(address: str, timeout: float = CONNECT) -> Any:
    """Returns a client of a Dask scheduler.

    Args:
        address: Such as ``tcp://host:8786``.
        timeout: Seconds that it has to answer.

    Raises:
        Refused: If Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise Refused(
            "Workers elsewhere need Dask, which is not installed.", f"Install it: {INSTALL}"
        ) from error
    for name in ("distributed", "distributed.client", "distributed.core", "distributed.comm"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it is told
    try:
        # First by itself: a client waits for ever for a server that accepts and says nothing.
        with ThreadPoolExecutor(1) as thread:  # because this one may have a loop of its own
            thread.submit(asyncio.run, _ask_scheduler(address, timeout)).result()
        return Client(address, timeout=timeout, set_as_default=False)
    except Exception as error:  # one of a dozen, by what answers there
        raise Refused(
            f"No Dask scheduler answers at {public(address)!r} within {timeout:.0f} s: "
            f"{' '.join(f'{type(error).__name__} {error}'.split())[:200]}.",
            "Start one with `dask scheduler`; it prints its address, such as tcp://host:8786.",
        ) from error


async def _ask_scheduler(address: str, timeout: float) -> None:
    from distributed.core import rpc

    async with rpc(address, timeout=timeout) as there:
        found = await asyncio.wait_for(there.identity(), timeout)
    if found["type"] != "Scheduler":
        raise ValueError(f"it is a {found['type']}")


async def greet(libraries: tuple[str, ...]) -> Facts:
    """Returns what a worker is; called in it."""
    return await asyncio.to_thread(facts, libraries)


async def ask(manifest: Manifest) -> frozenset[str]:
    """Returns the hashes of the files that a worker lacks; called in it."""
    return await asyncio.to_thread(lacking, manifest, cache_of_worker())


async def take(contents: Mapping[str, bytes]) -> None:
    """Keeps files in a worker's cache; called in it."""
    await asyncio.to_thread(receive, contents, cache_of_worker())


async def leave() -> None:
    """Ends the idle processes of a worker; called in it."""
    await asyncio.to_thread(own_process.close)


def run_there(errand: Errand, topic: str) -> Answer:
    """Carries out a call in a Dask worker.

    Args:
        errand: The call.
        topic: Where the conductor hears of it.
    """
    watch = _Watch(topic)
    watch.tell("")
    return dataclasses.replace(station.carry_out(errand, watch), worker=watch.address)


class _Watch:
    """Dask's view of the task that this thread runs."""

    def __init__(self, topic: str) -> None:
        from distributed import get_worker

        self._worker, self._topic = get_worker(), topic
        self._key, self.address = self._worker.get_current_task(), self._worker.address

    def is_wanted(self) -> bool:
        """Returns whether the scheduler still waits for the task, and the worker stays."""
        task = self._worker.state.tasks.get(self._key)
        runs = task is not None and task.state in {"executing", "long-running"}
        return runs and self._worker.status.name == "running"

    def tell(self, progress: str) -> None:
        """Sends progress; an empty one says that the call has begun."""
        told = {"key": self._key, "worker": self.address, "progress": progress}
        self._worker.log_event(self._topic, told)


@dataclasses.dataclass(eq=False, slots=True)
class _Call:
    errand: Errand
    future: Future[Any] = dataclasses.field(default_factory=Future)
    theirs: Any = None
    """Dask's future."""
    workers: frozenset[str] = frozenset()
    """Addresses that it was sent for."""
    avoided: frozenset[str] = frozenset()
    """Addresses of workers that do not run it, as long as there are others."""
    began: str = ""
    """Address of the worker that has begun with it."""
    sent: int = 0

    @property
    def progress(self) -> Path | None:
        """The trial's progress file here."""
        job = job_in(self.errand.args)
        return None if job is None else job.progress


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A worker that was asked."""

    name: str
    """Address and host."""
    threads: int
    facts: Facts | None
    refused: str
    """Why it must not train, or an empty string."""


def ask_workers(
    client: Any,
    libraries: tuple[str, ...],
    wanted: Expected,
    there: Mapping[str, Mapping[str, Any]],
) -> dict[str, Known]:
    """Returns address to what a worker says of itself.

    Args:
        client: Dask's client.
        libraries: The task's libraries.
        wanted: What a worker must have.
        there: Address to what the scheduler knows of the worker.
    """
    if not there:
        return {}  # run() would ask all
    answers: dict[str, Any] = client.run(greet, libraries, workers=list(there), on_error="return")
    return {
        address: _known(address, there[address], answer, wanted)
        for address, answer in answers.items()
        if not isinstance(answer, OSError)  # it left meanwhile
    }


def _known(address: str, there: Mapping[str, Any], answer: Any, wanted: Expected) -> Known:
    threads = int(there["nthreads"])
    if not isinstance(answer, Facts):
        said = " ".join(f"{type(answer).__name__}: {answer}".split())[:200]
        reason = f"it cannot load this package ({said})"
        return Known(name=address, threads=threads, facts=None, refused=reason)
    reason = unfit(wanted, answer, float(there.get("memory_limit") or 0) / threads)
    return Known(name=f"{address} on {answer.host}", threads=threads, facts=answer, refused=reason)


class DaskCrew:
    """A crew of the workers of a Dask scheduler. It ends neither them nor the scheduler.

    Args:
        address: The scheduler's address.
        packing: Packs the calls.
        tell: Shows a line to the user.
        wait: Seconds that a scheduler which stopped answering has to come back.

    Raises:
        Refused: If no scheduler answers.
    """

    def __init__(
        self, address: str, packing: Packing, tell: Callable[[str], None], wait: float = WAIT
    ) -> None:
        self._address, self._packing, self._tell, self._wait = address, packing, tell, wait
        self._session, self._numbers = f"ablation-{uuid.uuid4().hex}", itertools.count()
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting: list[_Call] = []
        self._sent: dict[str, _Call] = {}
        self._workers: dict[str, Known] = {}
        self._supplied: dict[str, set[str]] = {}
        """Address to the hashes of the files that the worker has."""
        self._alone_since = self._none_fit_since = time.monotonic()
        self._looked = 0.0
        self._ran: WeakKeyDictionary[Future[Any], str] = WeakKeyDictionary()
        self._ended: BaseException | None = None
        self._client = self._open(CONNECT)
        self._look()
        self._thread = threading.Thread(target=self._keep, name="dask crew", daemon=True)
        self._thread.start()

    @property
    def at_once(self) -> int:
        """Number of calls that the workers run at once, at least 1."""
        return max(1, sum(each.threads for each in self._fit().values()))

    def prepare(self, *modules: str, environment: Mapping[str, str] | None = None) -> None:
        """Does nothing: each call brings what its worker needs."""

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, limits: Limits | None = None
    ) -> Future[Any]:
        """Runs a function on one of the workers and returns its future."""
        return self.submit_elsewhere((), fn, *args, limits=limits)

    def submit_elsewhere(
        self,
        avoided: Collection[str],
        fn: Callable[..., Any],
        /,
        *args: Any,
        limits: Limits | None = None,
    ) -> Future[Any]:
        """Runs a function on another worker than those named, as long as there is one."""
        call = _Call(self._packing.pack(fn, args, limits), avoided=frozenset(avoided))
        if self._ended is not None:
            call.future.set_exception(self._ended)
        else:
            self._queue.put(lambda: self._waiting.append(call))
        return call.future

    def worker_of(self, future: Future[Any]) -> str | None:
        """Returns the address of the worker that ran a call; None if none did."""
        return self._ran.get(future) or None

    def put_aside(self, worker: str) -> bool:
        """Gives a worker no more calls; returns False if it is the last one, which goes on."""
        fit = self._fit()
        if worker not in fit or len(fit) == 1:
            return False
        reason = "trials of several arms failed on it that succeed elsewhere"
        self._workers[worker] = dataclasses.replace(fit[worker], refused=reason)
        return True

    def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterable[Any]:
        """Runs a function on every item here: what a study maps is about its record."""
        return map(fn, *iterables)

    def is_broken(self, error: BaseException) -> bool:
        """Returns whether a worker was lost."""
        return isinstance(error, BrokenExecutor)

    def end(self) -> None:
        """Cancels all calls and ends what runs them; the Dask workers live on."""
        if self._ended is None:
            self._ended = WorkerLost("the workers were ended")
        self._queue.put(None)
        self._thread.join()

    def _open(self, timeout: float) -> Any:
        client = connect(self._address, timeout)
        client.subscribe_topic(
            self._session, lambda event: self._queue.put(lambda: self._heard(event[1]))
        )
        return client

    def _fit(self) -> dict[str, Known]:
        return {at: known for at, known in list(self._workers.items()) if not known.refused}

    # What follows runs in the crew's thread alone.

    def _keep(self) -> None:
        try:
            while self._ended is None:
                self._step()
        except BaseException as error:
            self._ended = error if isinstance(error, Refused) else _fault(error)
        finally:
            self._close()

    def _step(self) -> None:
        with contextlib.suppress(queue.Empty):
            if (act := self._queue.get(timeout=LOOK)) is not None:
                act()
        try:
            if self._client.status != "running":
                raise OSError("the connection is lost")
            if time.monotonic() - self._looked >= LOOK:
                self._look()
            self._hand_out()
        except (OSError, TimeoutError) as error:
            if isinstance(error, Refused):
                raise
            self._reconnect()

    def _look(self) -> None:
        """Gets to know the workers that have joined, and loses the calls of those that left."""
        there = self._client.scheduler_info()["workers"]
        for address in self._workers.keys() - there.keys():
            del self._workers[address]
            self._supplied.pop(address, None)
        new = {at: each for at, each in there.items() if at not in self._workers}
        if new:
            self._workers |= ask_workers(
                self._client, self._packing.libraries, self._packing.expected, new
            )
            for known in (self._workers[at] for at in new if at in self._workers):
                if known.refused:
                    self._tell(f"Worker {known.name} is put aside: {known.refused}.")
        for key, call in list(self._sent.items()):
            if call.began and call.began not in there:
                self._lose(key)
            elif not call.began and not call.workers & self._fit().keys():
                self._again(key)
        self._looked = time.monotonic()
        self._say_if_alone(bool(there))

    def _say_if_alone(self, has_workers: bool) -> None:
        if has_workers:
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since >= WAIT:
            self._alone_since = float("inf")
            where = public(self._address)
            self._tell(f"No worker has joined {where} for {WAIT:.0f} s; waiting for one.")

    def _hand_out(self) -> None:
        fit = self._fit()
        while self._waiting and fit:
            call = self._waiting[0]
            self._supply(call.errand.manifest, fit)
            self._waiting.pop(0)
            if call.future.cancelled():
                continue
            key = f"{self._session}-{next(self._numbers)}"
            call.workers = frozenset(fit) - call.avoided or frozenset(fit)
            call.began, call.sent = "", call.sent + 1
            self._sent[key] = call
            call.theirs = self._client.submit(
                run_there, call.errand, self._session,
                key=key, workers=list(call.workers), allow_other_workers=False, pure=False,
            )  # fmt: skip
            call.theirs.add_done_callback(
                lambda done, key=key: self._queue.put(lambda: self._done(key, done))
            )
        if fit or not self._workers:
            self._none_fit_since = time.monotonic()
        elif self._waiting and time.monotonic() - self._none_fit_since >= GRACE:
            refused = {known.name: known.refused for known in self._workers.values()}
            raise stranded(refused, public(self._address))

    def _supply(self, manifest: Manifest, fit: Iterable[str]) -> None:
        """Sends each worker the files that it lacks; at most once each, whatever asks for them."""
        needed = manifest.hashes
        asked = [at for at in fit if not needed <= self._supplied.get(at, set())]
        if not asked:
            return
        answers = self._client.run(ask, manifest, workers=asked, on_error="return")
        wanting: dict[frozenset[str], list[str]] = {}
        for address, missing in answers.items():
            if isinstance(missing, frozenset):
                wanting.setdefault(missing, []).append(address)
        for missing, addresses in wanting.items():
            for each in sorted(missing):  # one after the other, so that one is in memory
                contents = self._packing.contents([each])
                self._client.run(take, contents, workers=addresses, on_error="return")
            for address in addresses:
                self._supplied.setdefault(address, set()).update(needed)

    def _heard(self, told: Mapping[str, Any]) -> None:
        call = self._sent.get(told["key"])
        if call is None:
            return
        path = call.progress
        if not told["progress"]:
            if call.began:  # Dask has given it to another worker, so the first was lost
                self._lose(told["key"])
                return
            call.began = told["worker"]
            if path is not None:
                path.unlink(missing_ok=True)
        elif path is not None:
            with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
                file.write(told["progress"])

    def _done(self, key: str, theirs: Any) -> None:
        call = self._sent.get(key)
        if call is None or call.theirs is not theirs:
            return
        if theirs.status == "cancelled":
            if self._client.status == "running":
                self._again(key)
            return
        try:
            answer: Answer = theirs.result()
        except Exception as error:
            if type(error).__name__ == "KilledWorker":
                self._lose(key)
            else:
                fail(self._sent.pop(key).future, error)
            return
        theirs.release()
        if answer.kind in {"value", "error"}:
            self._ran[call.future] = answer.worker
            settle(self._sent.pop(key).future, answer, call.errand)
            return
        if answer.kind == "unfit" and answer.worker in self._workers:
            known = self._workers[answer.worker]
            self._workers[answer.worker] = dataclasses.replace(known, refused=str(answer.value))
            self._tell(f"Worker {known.name} is put aside: {answer.value}.")
        self._supplied.pop(answer.worker, None)
        self._again(key)

    def _again(self, key: str) -> None:
        """Sends a call anew, which nobody has carried out."""
        call = self._sent.pop(key)
        with contextlib.suppress(Exception):
            call.theirs.cancel()
        if call.sent > RESENT:
            fail(call.future, WorkerLost(f"it was sent {call.sent} times, and never carried out"))
        else:
            self._waiting.append(call)

    def _lose(self, key: str) -> None:
        call = self._sent.pop(key)
        with contextlib.suppress(Exception):
            call.theirs.cancel()  # or Dask would try it elsewhere by itself, and tell nobody
        where = f"the Dask worker {call.began}" if call.began else "its Dask worker"
        self._ran[call.future] = call.began
        fail(call.future, WorkerLost(f"{where} was lost"))

    def _reconnect(self) -> None:
        """Waits for the scheduler to come back; then everything is sent anew."""
        where, until = public(self._address), time.monotonic() + self._wait
        self._tell(f"The scheduler {where} does not answer; waiting {self._wait:.0f} s for it.")
        self._waiting, self._sent = [*self._sent.values(), *self._waiting], {}
        self._workers.clear()
        self._supplied.clear()
        with contextlib.suppress(Exception):
            self._client.close(timeout=1)
        while self._ended is None:
            left = until - time.monotonic()
            if left <= 0:
                raise Stranded(
                    f"The scheduler {where} has not answered for {self._wait:.0f} s.",
                    "Start it and its workers, and run the same command again; recorded trials "
                    "are kept.",
                )
            with contextlib.suppress(Refused):
                self._client = self._open(min(5.0, max(left, 0.5)))
                break
            threading.Event().wait(min(LOOK, max(left, 0)))
        self._alone_since = time.monotonic()
        self._looked = 0.0

    def _close(self) -> None:
        """Cancels what is with Dask, and gives every call its end."""
        assert self._ended is not None
        calls = [*self._sent.values(), *self._waiting]
        with contextlib.suppress(queue.Empty):
            while True:
                if (act := self._queue.get_nowait()) is not None:
                    act()
        calls = list(dict.fromkeys([*calls, *self._sent.values(), *self._waiting]))
        for call in calls:
            if isinstance(self._ended, Refused) or not call.future.cancel():
                fail(call.future, self._ended)
        with contextlib.suppress(Exception):  # an earlier error must not be replaced
            theirs = [call.theirs for call in calls if call.theirs is not None]
            self._client.cancel(theirs)
            self._client.run(leave, workers=list(self._fit()), on_error="ignore")
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)


def _fault(error: BaseException) -> Stranded:
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return Stranded(
        f"The workers can no longer be reached: {said}.",
        "Run the same command again; recorded trials are kept.",
    )
