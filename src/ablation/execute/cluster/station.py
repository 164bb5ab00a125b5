"""Carries out a call in a worker elsewhere, which checks that it trains what the plan says."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, Literal, Protocol

from filelock import FileLock, Timeout

from ablation.execute.cluster.fitness import Expected, Facts, facts, unfit
from ablation.execute.cluster.own_process import own_process
from ablation.execute.cluster.parcels import Manifest, lacking, lay_out, receive
from ablation.execute.processes import Limits, WorkerLost
from ablation.execute.try_point import Attempt
from ablation.execute.worker import Job, Ran, crash_file
from ablation.records.digest import digest

EVERY = 0.5
"""Seconds between two looks at a running call."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """A call as it is sent to a worker elsewhere."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    limits: Limits
    expected: Expected
    manifest: Manifest
    identity: str = ""
    """Hash of configuration and sources; empty if the call is no trial."""
    libraries: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    """Modules that the process has before the call."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Variables of the process."""
    contents: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    """Hash to content of files that the worker may lack."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The end of a call in a worker elsewhere."""

    kind: Literal["value", "error", "lacks", "unfit", "unwanted"]
    value: Any = None
    """The returned value, the exception, the hashes of lacking files, or the reason."""
    progress: str = ""
    """Progress file of a trial without a value."""
    crash: str = ""
    """Traceback that a signal left."""
    left: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    """Suffix to content of what a lost trial left beside its folder, such as its log."""
    host: str = ""
    worker: str = ""
    """The engine's address of the worker."""


class Watch(Protocol):
    """The engine's view of a running call."""

    def is_wanted(self) -> bool:
        """Returns whether the conductor still waits for the call."""

    def tell(self, progress: str) -> None:
        """Sends the conductor what was added to the trial's progress file."""


class Unwatched:
    """An engine that cannot say more about a call."""

    def is_wanted(self) -> bool:
        """Returns True."""
        return True

    def tell(self, progress: str) -> None:
        """Does nothing."""


class _Unfit(Exception):
    """This worker must not carry out the call."""


def job_in(args: tuple[Any, ...]) -> Job | None:
    """Returns the job of a call's first argument, if it has one."""
    first = args[0] if args else None
    if isinstance(first, Attempt):
        return first.job
    return first if isinstance(first, Job) else None


def with_job(args: tuple[Any, ...], job: Job) -> tuple[Any, ...]:
    """Returns a call's arguments with another job."""
    first = args[0]
    new = dataclasses.replace(first, job=job) if isinstance(first, Attempt) else job
    return (new, *args[1:])


def identity_of(job: Job) -> str:
    """Returns the hash of a job's configuration and sources, which are read anew.

    Raises:
        ValueError: If a source is not what the plan says.
    """
    if job.travel is None:
        return ""
    identity = job.travel.identify(job.config, job.data)
    for name, found in identity.sources.items():
        if job.sources and job.sources.get(name, found) != found:
            raise ValueError(f"{name} is not what it was when the study was planned")
    return digest(
        dict(identity.values), list(identity.contents), identity.numerics, job.data.fingerprint
    )


def carry_out(errand: Errand, watch: Watch | None = None) -> Answer:
    """Carries out a call in a process of its own and returns how it ended.

    Args:
        errand: The call.
        watch: The engine's view of it.
    """
    here = facts(errand.libraries)
    if reason := unfit(errand.expected, here):
        return Answer(kind="unfit", value=reason, host=here.host)
    cache = Path(here.cache)
    with contextlib.ExitStack() as stack:
        try:
            receive(errand.contents, cache)
            if missing := lacking(errand.manifest, cache):
                return Answer(kind="lacks", value=missing, host=here.host)
            folder = lay_out(errand.manifest, cache)
            own = stack.enter_context(_own_folder(job_in(errand.args), cache))
        except (OSError, ValueError) as error:
            return Answer(kind="unfit", value=f"its cache fails: {error}", host=here.host)
        return _run(_arrived(errand, here, folder, own), here, folder, watch or Unwatched())


@contextlib.contextmanager
def _own_folder(job: Job | None, cache: Path) -> Iterator[Path | None]:
    """Yields the path of a trial's own folder, which no other call has in the block.

    A later call of the trial finds it again. Another conductor may train the same trial here, or
    a call that was given up may still run; that one has the folder then, and this gets another.
    """
    if job is None or job.folder is None:
        yield None
        return
    for number in itertools.count():
        top = cache / (f"scratch-{number}" if number else "scratch") / job.folder.parent.name
        top.mkdir(parents=True, exist_ok=True)
        lock = FileLock(top / f".{job.folder.name}.lock")
        with contextlib.suppress(Timeout):
            lock.acquire(blocking=False)
            break
    try:
        yield top / job.folder.name
    finally:
        lock.release()


def _run(errand: Errand, here: Facts, folder: Path, watch: Watch) -> Answer:
    args, job = errand.args, job_in(errand.args)
    progress = None if job is None else job.progress
    with own_process(folder, errand.preload, errand.environment) as (workers, end):
        future = workers.submit_limited(errand.limits, _perform, errand.fn, args, errand.identity)
        try:
            if not _is_watched_to_its_end(future, progress, watch):
                end()
                return Answer(kind="unwanted", host=here.host)
            value = future.result()
        except _Unfit as error:
            return Answer(kind="unfit", value=str(error), host=here.host)
        except WorkerLost as error:
            end()
            return Answer(
                kind="error", value=error, host=here.host,
                progress=_text(progress), crash=_text(progress and crash_file(progress)),
                left=_beside(job),
            )  # fmt: skip
        except Exception as error:
            return Answer(kind="error", value=error, host=here.host)
        finally:
            for path in [] if progress is None else [progress, crash_file(progress)]:
                path.unlink(missing_ok=True)
    if isinstance(value, Ran):
        value = dataclasses.replace(value, facts={**here.tags, **value.facts})
    return Answer(kind="value", value=value, host=here.host)


def _is_watched_to_its_end(future: Future[Any], progress: Path | None, watch: Watch) -> bool:
    """Sends a call's progress until it ends; returns False if nobody can wait for it any more."""
    sent = 0
    try:
        while not wait([future], EVERY).done:
            if not watch.is_wanted():
                return False
            new = _text(progress)[sent:]
            new = new[: new.rfind("\n") + 1]
            if new:
                watch.tell(new)
                sent += len(new)
    except Exception:  # the engine's or the disk's: never an end of the call
        return False
    return True


def _arrived(errand: Errand, here: Facts, folder: Path, own: Path | None) -> Errand:
    """Returns a call with the paths of this worker."""
    if (job := job_in(errand.args)) is None:
        return errand
    cache, config, data = Path(here.cache), job.config, job.data
    if job.travel is not None:
        config, data = job.travel.arrive(config, data, cache, folder)
    name = "trial" if job.progress is None else job.progress.stem
    # Of this thread alone, also where several hosts share a cache.
    place = cache / "running" / f"{here.host}-{os.getpid()}-{threading.get_ident()}"
    place.mkdir(parents=True, exist_ok=True)
    given = {"config": config, "data": data, "progress": place / f"{name}.jsonl", "folder": own}
    return dataclasses.replace(
        errand, args=with_job(errand.args, dataclasses.replace(job, **given))
    )


def _perform(fn: Callable[..., Any], args: tuple[Any, ...], identity: str) -> Any:
    """Calls the function in the process, unless its sources are others here."""
    job = job_in(args)
    if identity and job is not None:
        try:
            found = identity_of(job)
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise _Unfit(f"it cannot read what it would train: {said}") from None
        if found != identity:
            raise _Unfit(
                f"it would train a configuration or sources with the hash {found}, and the study "
                f"has {identity}"
            )
    return fn(*args)


def _beside(job: Job | None) -> dict[str, bytes]:
    """Returns suffix to content of the files beside a trial's folder that have its name."""
    if job is None or job.folder is None:
        return {}
    files = [path for path in job.folder.parent.glob(f"{job.folder.name}.*") if path.is_file()]
    return {path.suffix: path.read_bytes() for path in files}


def _text(path: Path | None) -> str:
    with contextlib.suppress(OSError):
        return "" if path is None else path.read_text(encoding="utf-8", errors="replace")
    return ""
