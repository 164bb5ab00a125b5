"""Asks a Dask scheduler and its workers, and carries out a call in one of them."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ablation.errors import Refused, public
from ablation.execute.cluster import own_process, station
from ablation.execute.cluster.fitness import Expected, Facts, cache_of_worker, facts, unfit
from ablation.execute.cluster.parcels import Manifest, lacking, receive
from ablation.execute.cluster.station import Answer, Errand

CONNECT = 10.0
"""Seconds that a scheduler has to answer at the start."""
ANSWER = 60.0
"""Seconds that a worker has to answer; one that does not is taken to be frozen."""
SILENT = "it does not answer"
INSTALL = "pip install 'attention-ablation[dask]'"


def connect(address: str, timeout: float = CONNECT) -> Any:
    """Returns a client of a Dask scheduler.

    Args:
        address: Such as ``tcp://host:8786``.
        timeout: Seconds that it has to answer.

    Raises:
        Refused: If Dask is not installed, the address has no port, or no scheduler answers.
    """
    scheme, _, where = address.rpartition("://")
    if scheme != "inproc" and not where.rpartition(":")[2].rstrip("/").isdecimal():
        raise Refused(
            f"{public(address)!r} has no port: a scheduler's address is host:port.",
            "Give it as `dask scheduler` prints it, such as tcp://host:8786.",
        )
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
        within = f" within {timeout:.0f} s" if isinstance(error, OSError) else ""
        raise Refused(
            f"No Dask scheduler answers at {public(address)!r}{within}: "
            f"{' '.join(f'{type(error).__name__} {error}'.split())[:200]}.",
            "Start one with `dask scheduler`; it prints its address, such as tcp://host:8786.",
        ) from error


async def _ask_scheduler(address: str, timeout: float) -> None:
    from distributed.core import rpc

    async with rpc(address, timeout=timeout) as there:
        found = await asyncio.wait_for(there.identity(), timeout)
    if found["type"] != "Scheduler":
        raise ValueError(f"it is a {found['type']}")


def workers_there(client: Any) -> Mapping[str, Mapping[str, Any]]:
    """Returns address to what the scheduler knows of each worker.

    Args:
        client: Dask's client.

    Raises:
        OSError: If the scheduler does not answer.
    """
    known: Mapping[str, Any] = client.scheduler_info()
    if "workers" not in known:  # a client that never heard it answers with nothing
        raise OSError("the scheduler does not answer")
    there: Mapping[str, Mapping[str, Any]] = known["workers"]
    return there


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


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A worker that was asked."""

    name: str
    """Address and host."""
    threads: int
    facts: Facts | None
    refused: str
    """Why it must not train, or an empty string."""


def answers_of(
    client: Any, fn: Callable[..., Any], *args: Any, workers: list[str], more: float = 0.0
) -> dict[str, Any]:
    """Calls a function in workers; returns address to its value or error.

    Args:
        client: Dask's client.
        fn: The function.
        *args: Its arguments.
        workers: Addresses; at least one.
        more: Seconds beyond :data:`ANSWER` that each has; after them it has a `TimeoutError`.

    Raises:
        TimeoutError: If it is the scheduler that does not answer.
    """
    given = {"on_error": "return", "callback_timeout": ANSWER + more}
    try:
        answers: dict[str, Any] = client.run(fn, *args, workers=workers, **given)
        return answers
    except TimeoutError:  # of one worker, perhaps
        client.sync(client.scheduler.identity, callback_timeout=CONNECT)

    async def ask_one(address: str) -> Any:
        try:
            found = await client.run(fn, *args, workers=[address], asynchronous=True, **given)
            return found[address]
        except TimeoutError as error:
            return error

    async def ask_all() -> list[Any]:
        return await asyncio.gather(*map(ask_one, workers))

    return dict(zip(workers, client.sync(ask_all), strict=True))


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
    answers = answers_of(client, greet, libraries, workers=list(there))
    return {
        address: _known(address, there[address], answer, wanted)
        for address, answer in answers.items()
        if isinstance(answer, TimeoutError) or not isinstance(answer, OSError)  # it has left
    }


def _known(address: str, there: Mapping[str, Any], answer: Any, wanted: Expected) -> Known:
    threads = int(there["nthreads"])
    if isinstance(answer, TimeoutError):
        return Known(name=address, threads=threads, facts=None, refused=SILENT)
    if not isinstance(answer, Facts):
        said = " ".join(f"{type(answer).__name__}: {answer}".split())[:200]
        reason = f"it cannot load this package ({said})"
        return Known(name=address, threads=threads, facts=None, refused=reason)
    reason = unfit(wanted, answer, float(there.get("memory_limit") or 0) / threads)
    return Known(name=f"{address} on {answer.host}", threads=threads, facts=answer, refused=reason)
