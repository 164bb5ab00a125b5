"""One conductor per study, on any record: the lease is a run that says who works on a label.

MLflow cannot compare and set. So a start first writes a run of its own, and then lists those of
the label: who sees another's withdraws its own. As each writes before it reads, two starts may
both withdraw, and try again after a pause of random length, but never both go on.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ablation.errors import Refused
from ablation.tracking.home import search
from ablation.tracking.owner import Owner, clock, this_process
from ablation.tracking.store import failures
from ablation.tracking.tags import KIND, LABEL, source

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PULSE = "ablation.pulse"
"""Tag of a lease: a counter that its holder raises."""
HELD = "ablation.held"
"""Tag of a lease: when its holder began to work; a lease without it is a start's first step."""

BEAT = 10.0
"""Seconds between two pulses."""
DOUBT = 30.0
"""Seconds without a pulse after which a holder reads its own lease before it writes."""
DEAD = 60.0
"""Seconds by the reader's clock after which a lease whose pulse has not changed is dead."""
PATIENCE = DEAD + 30.0
"""Seconds after which a start gives up that neither gets the lease nor finds who has it."""
LIMIT = 15.0
"""Seconds that the end of a lease may take."""
AT_ONCE = 0.5
"""Seconds that the end of a lease may take after Ctrl-C or an error."""

_given_up: set[str] = set()
"""Leases of this process that ended, even if the record was away when they should be removed."""


class LeaseLost(Refused):
    """Another conductor took the study over, because this one was not heard of for a minute."""

    code = 1


class Lease:
    """The right to create, close and delete what is recorded of a label; renewed by a thread.

    Args:
        client: The store.
        run: MLflow's id of the lease.
    """

    def __init__(self, client: MlflowClient, run: str) -> None:
        self._client, self._run = client, run
        self._last, self._pulse = clock(), 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Makes sure that the lease is still held; reads it only after a long silence.

        Raises:
            LeaseLost: If it is gone.
        """
        if clock() - self._last < DOUBT:
            return
        info = self._client.get_run(self._run).info
        if info.lifecycle_stage != "active" or info.status != "RUNNING":
            raise LeaseLost(
                "Another process has taken this study over, since this one was silent for long.",
                "Run the same command again when it has ended; recorded trials are kept.",
            )
        self._beat()

    def release(self, within: float) -> None:
        """Ends the lease, which is then seen by nobody.

        Args:
            within: Seconds after which a record that does not answer is left. The lease is then
                taken for dead when this process is gone.
        """
        self._ended.set()
        _given_up.add(self._run)
        ending = threading.Thread(target=self._remove, name="lease's end", daemon=True)
        ending.start()
        ending.join(within)

    def _remove(self) -> None:
        self._thread.join()
        _remove(self._client, self._run)

    def _renew(self) -> None:
        while not self._ended.wait(BEAT):
            with contextlib.suppress(*failures()):  # a server that is away; the next beat may do
                self._beat()

    def _beat(self) -> None:
        self._pulse += 1
        self._client.set_tag(self._run, PULSE, str(self._pulse))
        self._last = clock()


@contextlib.contextmanager
def leased(client: MlflowClient, experiment: str, label: str) -> Iterator[Lease]:
    """Has the lease of a label in the block.

    Args:
        client: The store.
        experiment: MLflow's id of the label's experiment.
        label: The study label.

    Raises:
        Refused: If another process holds it, which is found at once on this machine. Of another
            machine's, the pulse is watched, for up to a minute.
    """
    held = _acquire(client, experiment, label)
    try:
        yield held
    except BaseException:
        held.release(AT_ONCE)
        raise
    held.release(LIMIT)


def _acquire(client: MlflowClient, experiment: str, label: str) -> Lease:
    watch, until = _Watch(), clock() + PATIENCE
    pause = 0.05
    while clock() < until:
        others = watch.living(_leases(client, experiment, label))
        if not others and (held := _try(client, experiment, label, watch)) is not None:
            return held
        watch.refuse_held(others, label)
        time.sleep(random.uniform(0, pause))
        pause = min(2.0, 2 * pause)
    raise Refused(
        f"Several processes are starting {label!r} at the same time.", "Run one of them again."
    )


def _try(client: MlflowClient, experiment: str, label: str, watch: _Watch) -> Lease | None:
    """Writes a lease, and returns it unless another one is there by then; else withdraws it."""
    began = clock()
    mine = _post(client, experiment, label)
    try:
        seen = [run for run in _leases(client, experiment, label) if _id(run) != mine]
        # One that was held up for long between the two may have been taken for dead.
        if not watch.living(seen) and clock() - began < DOUBT:
            for dead in seen:
                _remove(client, _id(dead))
            client.set_tag(mine, HELD, time.strftime("%Y-%m-%d %H:%M:%S"))
            return Lease(client, mine)
    except BaseException:
        _remove(client, mine)
        raise
    _remove(client, mine)
    return None


class _Watch:
    """Tells living leases from dead ones, by the reader's own clock."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, float]] = {}
        """Lease to its first pulse and when that was read."""

    def living(self, leases: list[Run]) -> list[Run]:
        """Returns the leases whose process is not gone, and whose pulse still changes."""
        return [run for run in leases if not self._is_dead(run)]

    def refuse_held(self, leases: list[Run], label: str) -> None:
        """Refuses a start while another is known to work.

        Raises:
            Refused: If a held lease is that of a process of this machine, or its pulse moves.
        """
        for run in leases:
            owner, pulse = Owner.from_tags(run.data.tags), run.data.tags.get(PULSE, "")
            if HELD in run.data.tags and (owner.is_here or self._first(run, pulse)[0] != pulse):
                raise Refused(
                    f"{str(owner).capitalize()} has been running {label!r} since "
                    f"{run.data.tags[HELD]}.",
                    "Wait until it has ended, or give another store.",
                )

    def _is_dead(self, run: Run) -> bool:
        pulse = run.data.tags.get(PULSE, "")
        first, at = self._first(run, pulse)
        is_still = first == pulse and clock() - at >= DEAD
        return is_still or _id(run) in _given_up or Owner.from_tags(run.data.tags).is_gone

    def _first(self, run: Run, pulse: str) -> tuple[str, float]:
        return self._seen.setdefault(_id(run), (pulse, clock()))


def _leases(client: MlflowClient, experiment: str, label: str) -> list[Run]:
    where = f"tags.`{KIND}` = 'lease' AND tags.`{LABEL}` = '{label}'"
    return list(search(client, [experiment], where))


def _post(client: MlflowClient, experiment: str, label: str) -> str:
    tags = {KIND: "lease", LABEL: label, PULSE: "0", **this_process().tags(), **source()}
    return _id(client.create_run(experiment, run_name="at work", tags=tags))


def _remove(client: MlflowClient, run: str) -> None:
    """Ends a lease and deletes its run; another start may have done so already."""
    with contextlib.suppress(*failures()):
        client.set_terminated(run, status="KILLED")
        client.delete_run(run)


def _id(run: Run) -> str:
    return str(run.info.run_id)
