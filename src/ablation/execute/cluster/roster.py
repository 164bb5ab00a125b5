"""The workers of a Dask scheduler: which there are, which may train, and which files each has."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ablation.errors import public
from ablation.execute.cluster.endings import GRACE, stranded
from ablation.execute.cluster.scheduler import (
    SILENT,
    Known,
    answers_of,
    ask,
    ask_workers,
    take,
    workers_there,
)

if TYPE_CHECKING:
    from ablation.execute.cluster.packing import Packing
    from ablation.execute.cluster.parcels import Manifest

ALONE = 60.0
"""Seconds after which it is said that there is no worker."""
SPEED = 1e6
"""Bytes a second that a worker receives at least."""


class Roster:
    """The workers that are found by one connection to a scheduler.

    Args:
        client: Dask's client.
        address: The scheduler's address.
        packing: Knows what workers must have, and the files.
        tell: Shows a line to the user.
    """

    def __init__(
        self, client: Any, address: str, packing: Packing, tell: Callable[[str], None]
    ) -> None:
        self._client, self._where = client, public(address)
        self._packing, self._tell = packing, tell
        self._workers: dict[str, Known] = {}
        self._supplied: dict[str, set[str]] = {}
        """Address to the hashes of the files that the worker has."""
        self._alone_since = self._none_fit_since = time.monotonic()

    def fit(self) -> dict[str, Known]:
        """Returns address to worker of those that may train."""
        return {at: known for at, known in list(self._workers.items()) if not known.refused}

    def __str__(self) -> str:
        """Returns how many workers may train, such as ``3 workers on 2 hosts``."""
        fit = self.fit().values()
        hosts = len({known.facts.host for known in fit if known.facts is not None})
        workers = f"{len(fit)} worker{'s' if len(fit) > 1 else ''}"
        return f"{workers} on {hosts} host{'s' if hosts > 1 else ''}"

    def look(self) -> Collection[str]:
        """Gets to know the workers that have joined; returns the addresses of all there are.

        Raises:
            OSError: If the scheduler does not answer.
        """
        there = workers_there(self._client)
        for address in self._workers.keys() - there.keys():
            del self._workers[address]
            self._supplied.pop(address, None)
        new = {at: each for at, each in there.items() if at not in self._workers}
        self._workers |= ask_workers(
            self._client, self._packing.libraries, self._packing.expected, new
        )
        for known in (self._workers[at] for at in new if at in self._workers):
            if known.refused:
                self._tell(f"Worker {known.name} is put aside: {known.refused}.")
        self._say_if_alone(bool(there))
        return there.keys()

    def _say_if_alone(self, has_workers: bool) -> None:
        if has_workers:
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since >= ALONE:
            self._alone_since = float("inf")
            self._tell(f"No worker has joined {self._where} for {ALONE:.0f} s; waiting for one.")

    def check(self, *, is_needed: bool) -> None:
        """Makes sure that there is a worker that may train, or that one may still join.

        Args:
            is_needed: Whether a call waits for one.

        Raises:
            Stranded: If for some seconds none of those that are there may train.
        """
        if self.fit() or not self._workers:
            self._none_fit_since = time.monotonic()
        elif is_needed and time.monotonic() - self._none_fit_since >= GRACE:
            refused = {known.name: known.refused for known in self._workers.values()}
            raise stranded(refused, self._where)

    def put_aside(self, address: str, reason: str) -> bool:
        """Gives a worker no more calls; returns False if it is the last one, which goes on."""
        fit = self.fit()
        if address not in fit or len(fit) == 1:
            return False
        self._workers[address] = dataclasses.replace(fit[address], refused=reason)
        return True

    def refuse(self, address: str, reason: str) -> None:
        """Gives a worker no more calls that cannot carry them out, and tells the user."""
        if address in self._workers:
            known = self._workers[address]
            self._workers[address] = dataclasses.replace(known, refused=reason)
            self._tell(f"Worker {known.name} is put aside: {reason}.")

    def supply(self, manifest: Manifest) -> dict[str, Known]:
        """Sends each worker the files that it lacks, once; returns those that may train.

        Raises:
            OSError: If the scheduler does not answer.
        """
        needed = manifest.hashes
        asked = [at for at in self.fit() if not needed <= self._supplied.get(at, set())]
        answers = answers_of(self._client, ask, manifest, workers=asked) if asked else {}
        wanting: dict[frozenset[str], list[str]] = {}
        for address, missing in answers.items():
            if isinstance(missing, frozenset):
                wanting.setdefault(missing, []).append(address)
            elif isinstance(missing, TimeoutError):
                self.refuse(address, SILENT)
        for missing, addresses in wanting.items():
            for each in sorted(missing):  # one after the other, so that one is in memory
                addresses = self._send(each, addresses)  # noqa: PLW2901 - who failed is left out
            for address in addresses:
                self._supplied.setdefault(address, set()).update(needed)
        return self.fit()

    def ask_again(self, address: str) -> None:
        """Makes the next call ask a worker anew which files it lacks."""
        self._supplied.pop(address, None)

    def _send(self, wanted: str, addresses: list[str]) -> list[str]:
        """Returns the workers that have kept a file; the others are put aside."""
        if not addresses:
            return []
        contents = self._packing.contents([wanted])
        seconds = len(contents[wanted]) / SPEED
        answers = answers_of(self._client, take, contents, workers=addresses, more=seconds)
        for address, error in answers.items():
            if isinstance(error, TimeoutError):
                self.refuse(address, SILENT)
            elif error is not None:
                self.refuse(address, f"it cannot keep a file: {error}")
        return [address for address, error in answers.items() if error is None]
