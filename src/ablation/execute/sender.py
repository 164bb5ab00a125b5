"""Sends acknowledged trials to the record, in a thread of its own: training never waits for it."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from ablation import tracking
from ablation.errors import Refused, public
from ablation.records import causes

if TYPE_CHECKING:
    from pathlib import Path

    from ablation.records.outcome import Outcome
    from ablation.tracking import Early, Home, Lease, Outbox, Parcel

T = TypeVar("T")

SILENT = 15.0
"""Seconds after which it is said that the record does not answer."""
PATIENCE = 300.0
"""Seconds to wait for the record when a study opens, a look asks it, or all is trained."""
TRIES = 6
"""Times that a request is made which a server answers with an error of its own."""
LEAVING = 1.5
"""Seconds to send what is left after Ctrl-C or an error."""
PAUSES = (0.2, 1.0, 3.0, 5.0)
"""Seconds between two tries to reach a record that is away; the last one again and again."""
GLANCE = 0.1
"""Seconds between two looks of the conductor at what it waits for."""


class Unsent(Refused):
    """The record does not answer, and nothing can be done without it."""

    code = 1


class _Left(Exception):
    """The conductor ended before a request succeeded."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    call: Callable[[], Any]
    is_last: bool = False
    """Whether it is carried out although one before it failed."""


class Sender:
    """Makes requests to the record in the order in which they come, each until it succeeds.

    A record that is away is waited for; any other error is raised in the conductor, which calls
    all methods. A trial is acknowledged once :meth:`keep` has returned.

    Args:
        home: The study label.
        outbox: Keeps the parcels.
        lease: Is checked before each parcel is sent.
        tell: Shows a line to the user.
        sent: Called in the thread with each parcel that is recorded, and its outcome.
        early: Called in the thread with a trial's key; returns and forgets the run that showed its
            training, if there is one.
    """

    def __init__(
        self,
        home: Home,
        outbox: Outbox,
        lease: Lease,
        *,
        tell: Callable[[str], None],
        sent: Callable[[Parcel, Outcome | None], None],
        early: Callable[[str], Early | None],
    ) -> None:
        self.tell = tell
        self._home, self.outbox, self._lease = home, outbox, lease
        self._sent, self._early = sent, early
        self._opened: dict[Path, Early] = {}
        self._resent: dict[str, tuple[Outcome, Parcel]] = {}
        self._where = public(str(home.client.tracking_uri))
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._open = 0
        """Number of tasks that are not done."""
        self._parcels = 0
        self._changed = threading.Condition()
        self._leaving, self._over = threading.Event(), threading.Event()
        self._fault: BaseException | None = None
        self._busy_since: float | None = None
        self._reason = ""
        self._told: float | None = None
        """When the silence began that the user was told of."""
        self._thread = threading.Thread(target=self._work, name="sender", daemon=True)
        self._thread.start()

    @property
    def unsent(self) -> int:
        """Number of trials that are acknowledged and not recorded."""
        return self._parcels

    @property
    def resent(self) -> int:
        """Number of trials that :meth:`send_left` recorded, in however many tries."""
        return len(self._resent)

    def send_left(self) -> None:
        """Sends what an earlier end left; a request for :meth:`ask`."""
        tracking.send_left(self._home, self.outbox, self.check, self._resent)

    def keep(self, parcel: Parcel) -> Path:
        """Keeps a parcel on the disk and returns its file, for :meth:`queue`.

        Raises:
            OSError: If the disk is full or cannot be written; nothing is kept then.
        """
        return self.outbox.put(parcel)

    def queue(self, path: Path) -> None:
        """Has a parcel sent that is kept in a file of the outbox."""
        with self._changed:
            self._parcels += 1
        self._add(lambda: self._send(path))

    def later(self, call: Callable[[], Any]) -> None:
        """Has a request made after those before it."""
        self._add(call)

    def when_idle(self, call: Callable[[], Any]) -> None:
        """Has a request made unless others are waiting."""
        if not self._open:
            self._add(call)

    def ask(self, call: Callable[[], T]) -> T:
        """Returns what a request returns, made after those before it; Ctrl-C ends the wait.

        Raises:
            Unsent: If the record does not answer for :data:`PATIENCE` seconds.
        """
        future: Future[T] = Future()
        self._add(lambda: future.set_result(call()))
        self._wait(future.done, patience=PATIENCE)
        return future.result()

    def watch(self) -> None:
        """Tells once that the record does not answer, and once that it does again.

        Raises:
            Exception: What made a request fail, if it is not that the record is away.
        """
        if self._fault is not None:
            raise self._fault
        since = self._busy_since
        if self._told is not None and since != self._told:
            self._told = None
            self.tell(f"The record in {self._where} answers again.")
        if self._told is None and since is not None and time.monotonic() - since >= SILENT:
            self._told = since
            why = f" ({self._reason})" if self._reason else ""
            self.tell(
                f"The record in {self._where} does not answer{why}. Training goes on; trained "
                f"trials wait in {self.outbox.folder}."
            )

    def drain(self) -> None:
        """Waits until all requests are made.

        Raises:
            Unsent: If the record does not answer for :data:`PATIENCE` seconds.
        """
        self._wait(lambda: not self._open, patience=PATIENCE)

    def end(self, last: Callable[[], Any]) -> None:
        """Makes a last request after all others, and ends the thread."""
        self._add(last)
        self.drain()
        self._tasks.put(None)
        self._thread.join()

    def leave(self, last: Callable[[], Any]) -> None:
        """Ends after Ctrl-C or an error: sends what can be sent at once, makes a last request.

        What is left is in the outbox. The thread may hang in a request, which ends with the
        process.
        """
        since = self._busy_since
        is_silent = since is not None and time.monotonic() - since > LEAVING
        self._leaving.set()
        self._add(last, is_last=True)
        self._tasks.put(None)
        self._thread.join(GLANCE if is_silent else LEAVING)
        self._over.set()

    def abandon(self) -> None:
        """Makes no more requests."""
        self._leaving.set()
        self._over.set()
        self._tasks.put(None)

    def check(self) -> None:
        """Makes sure, in the thread, that what is recorded is still this conductor's to record.

        Raises:
            LeaseLost: If another conductor took the study over.
        """
        if self._over.is_set():  # the conductor has given up the study's lock
            raise _Left
        self._lease.check()

    def _add(self, call: Callable[[], Any], *, is_last: bool = False) -> None:
        with self._changed:
            self._open += 1
        self._tasks.put(_Task(call=call, is_last=is_last))

    def _wait(self, is_over: Callable[[], bool], patience: float) -> None:
        began = time.monotonic()
        while not is_over():
            self.watch()
            since = self._busy_since
            if since and time.monotonic() - max(since, began) > patience:
                raise Unsent(
                    f"The record in {self._where} has not answered for {patience:.0f} seconds; "
                    f"{self._parcels} trained trials wait in {self.outbox.folder}.",
                    "Start it again, then send them: ablation sync",
                )
            with self._changed:
                self._changed.wait(GLANCE)
        self.watch()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None and not self._over.is_set():
            if self._fault is None or task.is_last:
                try:
                    self._finish(task.call)
                except _Left:
                    pass
                except BaseException as error:
                    self._fault = self._fault or error
            self._busy_since = None
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def _finish(self, call: Callable[[], Any]) -> None:
        """Makes a request again while the record is away, and a few times if it is faulty."""
        pauses, faults = iter(PAUSES), 0
        self._reason, self._busy_since = "", time.monotonic()
        while True:
            try:
                call()
                return
            except Exception as error:
                faults += tracking.is_faulty(error)
                if not tracking.is_away(error) or faults >= TRIES:
                    raise
                if self._leaving.is_set():
                    raise _Left from error
                self._reason = causes.first_line(error)
            self._leaving.wait(next(pauses, PAUSES[-1]))

    def _send(self, path: Path) -> None:
        self.check()
        parcel = self.outbox.read(path)
        if parcel is None:
            raise OSError(f"the file {path} was changed or removed")
        early = self._opened.get(path) or self._early(parcel.key)
        early = early or tracking.open_run(self._home, parcel)
        self._opened[path] = early  # the next try goes on with it
        outcome = tracking.complete(self._home, parcel, early, self.check)
        self._sent(parcel, outcome)
        self.outbox.remove(path)
        del self._opened[path]
        with self._changed:
            self._parcels -= 1
