"""A crew of Dask workers: they join and leave as they like, and check themselves."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import BrokenExecutor, Future
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ablation.errors import Refused, public
from ablation.execute.cluster.call import Call
from ablation.execute.cluster.endings import fail, settle, unreached
from ablation.execute.cluster.roster import Roster
from ablation.execute.cluster.scheduler import CONNECT, connect, leave, run_there
from ablation.execute.cluster.station import Answer
from ablation.execute.crew import Stranded
from ablation.execute.processes import WorkerLost

if TYPE_CHECKING:
    from ablation.execute.cluster.packing import Packing
    from ablation.execute.processes import Limits

WAIT = 60.0
"""Seconds that a scheduler which stopped answering has to come back."""
LOOK = 1.0
"""Seconds between two looks at which workers there are."""
END = 10.0
"""Seconds that the crew's thread has to end; what it has not settled by then fails."""
RESENT = 10
"""Times that a call is sent again after an answer that is no end of it."""


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
        self._waiting: list[Call] = []
        self._sent: dict[str, Call] = {}
        self._looked = 0.0
        self._ran: WeakKeyDictionary[Future[Any], str] = WeakKeyDictionary()
        self._ended: BaseException | None = None
        self._ending = threading.Lock()
        """Held where a call is queued, which is not done once the crew has ended."""
        self._open(CONNECT)
        with contextlib.suppress(OSError):  # the crew's thread looks again, and waits
            self._look()
        self._thread = threading.Thread(target=self._keep, name="dask crew", daemon=True)
        self._thread.start()

    @property
    def at_once(self) -> int:
        """Number of calls that the workers run at once, at least 1."""
        return max(1, sum(each.threads for each in self.roster.fit().values()))

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
        call = Call(self._packing.pack(fn, args, limits), avoided=frozenset(avoided))
        with self._ending:
            if self._ended is None:
                self._queue.put(lambda: self._waiting.append(call))
                return call.future
        call.future.set_exception(self._ended)
        return call.future

    def worker_of(self, future: Future[Any]) -> str | None:
        """Returns the address of the worker that ran a call; None if none did."""
        return self._ran.get(future) or None

    def put_aside(self, worker: str) -> bool:
        """Gives a worker no more calls; returns False if it is the last one, which goes on."""
        reason = "trials of several arms failed on it that succeed elsewhere"
        return self.roster.put_aside(worker, reason)

    def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterable[Any]:
        """Runs a function on every item here: what a study maps is about its record."""
        return map(fn, *iterables)

    def is_broken(self, error: BaseException) -> bool:
        """Returns whether a worker was lost."""
        return isinstance(error, BrokenExecutor)

    def end(self) -> None:
        """Cancels all calls and ends what runs them; the Dask workers live on."""
        self._end_with(WorkerLost("the workers were ended"))
        self._queue.put(None)
        self._thread.join(END)
        if self._thread.is_alive():
            self._settle_all()

    def _end_with(self, error: BaseException) -> None:
        with self._ending:
            self._ended = self._ended or error

    def _open(self, timeout: float) -> None:
        """Connects to the scheduler."""
        client = connect(self._address, timeout)
        client.subscribe_topic(
            self._session, lambda event: self._queue.put(lambda: self._heard(event[1]))
        )
        self._client = client
        self.roster = Roster(client, self._address, self._packing, self._tell)

    # What follows runs in the crew's thread alone.

    def _keep(self) -> None:
        try:
            while self._ended is None:
                self._step()
        except BaseException as error:
            self._end_with(error if isinstance(error, Refused) else unreached(error))
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
        """Loses the calls of workers that left, and sends anew what none of those left has."""
        there = self.roster.look()
        for key, call in list(self._sent.items()):
            if call.began and call.began not in there:
                self._lose(key)
            elif not call.began and not call.workers & self.roster.fit().keys():
                self._again(key)
        self._looked = time.monotonic()

    def _hand_out(self) -> None:
        while self._waiting and self.roster.fit():
            call = self._waiting[0]
            if not (fit := self.roster.supply(call.errand.manifest)):
                break
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
        self.roster.check(is_needed=bool(self._waiting))

    def _heard(self, told: Mapping[str, Any]) -> None:
        call = self._sent.get(told["key"])
        if call is None:
            return
        if told["progress"]:
            call.show(told["progress"])
        elif call.began:  # Dask has given it to another worker, so the first was lost
            self._lose(told["key"])
        else:
            call.begin(told["worker"])

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
        if answer.kind == "unfit":
            self.roster.refuse(answer.worker, str(answer.value))
        self.roster.ask_again(answer.worker)
        self._again(key)

    def _again(self, key: str) -> None:
        """Sends a call anew, which nobody has carried out."""
        call = self._sent.pop(key)
        call.cancel()
        if call.sent > RESENT:
            fail(call.future, WorkerLost(f"it was sent {call.sent} times, and never carried out"))
        else:
            self._waiting.append(call)

    def _lose(self, key: str) -> None:
        call = self._sent.pop(key)
        call.cancel()
        where = f"the Dask worker {call.began}" if call.began else "its Dask worker"
        self._ran[call.future] = call.began
        fail(call.future, WorkerLost(f"{where} was lost"))

    def _reconnect(self) -> None:
        """Waits for the scheduler to come back; then everything is sent anew."""
        where, until = public(self._address), time.monotonic() + self._wait
        self._tell(f"The scheduler {where} does not answer; waiting {self._wait:.0f} s for it.")
        self._waiting, self._sent = [*self._sent.values(), *self._waiting], {}
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
                self._open(min(5.0, max(left, 0.5)))
                self._tell(f"The scheduler {where} answers again.")
                break
            threading.Event().wait(min(LOOK, max(left, 0)))
        self._looked = 0.0

    def _close(self) -> None:
        """Gives every call its end, and cancels what is with Dask."""
        calls = self._settle_all()
        with contextlib.suppress(Exception):  # an earlier error must not be replaced
            theirs = [call.theirs for call in calls if call.theirs is not None]
            self._client.cancel(theirs)
            fit = list(self.roster.fit())
            self._client.run(leave, workers=fit, on_error="ignore", callback_timeout=END / 2)
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)

    def _settle_all(self) -> list[Call]:
        """Fails every call without an end, and returns them."""
        assert self._ended is not None
        before = [*self._sent.values(), *self._waiting]
        with contextlib.suppress(queue.Empty):
            while True:
                act = self._queue.get_nowait()
                with contextlib.suppress(Exception):
                    if act is not None:
                        act()
        calls = list(dict.fromkeys([*before, *self._sent.values(), *self._waiting]))
        for call in calls:  # a future that is only cancelled would be waited for without end
            fail(call.future, self._ended)
        return calls
