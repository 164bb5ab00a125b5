"""Packs calls for workers elsewhere: what each needs, and what it must be there."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused
from ablation.execute.cluster.fitness import expected
from ablation.execute.cluster.parcels import Manifest, contents_of, hash_of
from ablation.execute.cluster.station import Errand, identity_of, job_in
from ablation.execute.processes import Limits

if TYPE_CHECKING:
    from ablation.execute.worker import Job
    from ablation.task import Task


class Packing:
    """The calls of one task, and the files that they need.

    Args:
        task: The task.
        memory: Bytes that a trial may take, or None.
    """

    def __init__(self, task: Task, memory: float | None = None) -> None:
        self._task = task
        self.expected = expected(task.libraries, memory)
        self._files: dict[str, Path] = {}
        """Hash of every file so far to its path."""
        self._beside: dict[str, str] = {}
        self._known: dict[bytes, tuple[Manifest, str]] = {}
        """Configuration and data to what was found of them: read once, as the plan did."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """The task's libraries."""
        return tuple(self._task.libraries)

    def pack(self, fn: Callable[..., Any], args: tuple[Any, ...], limits: Limits | None) -> Errand:
        """Returns a call as it is sent to a worker.

        Args:
            fn: A module-level function.
            args: Its arguments; the first may be a trial.
            limits: Limits of the call.

        Raises:
            Refused: If the trial cannot leave this machine, or a source is not what it was.
        """
        job = job_in(args)
        manifest, identity = (Manifest(), "") if job is None else self._of(job)
        return Errand(
            fn=fn,
            args=args,
            limits=limits or Limits(),
            expected=self.expected,
            manifest=manifest,
            identity=identity,
            libraries=self.libraries,
            preload=tuple(self._task.preload),
            environment=self._task.environment,
        )

    def contents(self, wanted: Iterable[str]) -> Mapping[str, bytes]:
        """Returns hash to content of some files.

        Raises:
            Refused: If one cannot be read any more.
        """
        try:
            return contents_of(wanted, self._files)
        except OSError as error:
            raise Refused(
                f"{error.filename} cannot be sent to the workers: {error.strerror}.",
                "Run the same command again; recorded trials are kept.",
            ) from error

    def size(self, wanted: Iterable[str]) -> int:
        """Returns the bytes of some files."""
        return sum(self._files[each].stat().st_size for each in wanted)

    def _of(self, job: Job) -> tuple[Manifest, str]:
        key = pickle.dumps((job.config, job.data))
        if key not in self._known:
            self._known[key] = self._read(job)
        return self._known[key]

    def _read(self, job: Job) -> tuple[Manifest, str]:
        if job.travel is None:
            raise Refused(
                "The study's task does not say which files its trials read, so no other machine "
                "can train them.",
                "Run it without --workers-at, or give the Task a `travel`.",
            )
        try:
            parcel = job.travel.parcel(job.config, job.data)
            shared = {name: self._hash(path) for name, path in parcel.shared.items()}
            beside = {name: self._hash(path) for name, path in parcel.beside.items()}
            identity = identity_of(job)
        except (OSError, ValueError) as error:
            if isinstance(error, Refused):
                raise
            raise Refused(
                f"What the trials read cannot be sent to the workers: {error}.",
                "Run the same command again; recorded trials are kept.",
            ) from error
        # One folder for all arms where no two files have the same name, so that no worker has to
        # change its process between two arms.
        if any(self._beside.get(name, of) != of for name, of in beside.items()):
            self._beside = {}
        self._beside |= beside
        return Manifest(shared=shared, beside=dict(self._beside)), identity

    def _hash(self, path: Path) -> str:
        found = hash_of(path)
        self._files[found] = path
        return found
