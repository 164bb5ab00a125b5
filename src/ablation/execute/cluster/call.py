"""A call that a Dask worker carries out, as its conductor keeps it until its end."""

from __future__ import annotations

import contextlib
import dataclasses
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ablation.execute.cluster.station import Errand, job_in


@dataclasses.dataclass(eq=False, slots=True)
class Call:
    """A call and where it is."""

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
    """Number of times that it was sent."""

    @property
    def progress(self) -> Path | None:
        """The trial's progress file here."""
        job = job_in(self.errand.args)
        return None if job is None else job.progress

    def begin(self, worker: str) -> None:
        """Notes that a worker has begun with it; what an earlier one told is forgotten."""
        self.began = worker
        if self.progress is not None:
            with contextlib.suppress(OSError):
                self.progress.unlink(missing_ok=True)

    def show(self, progress: str) -> None:
        """Appends to the trial's progress file here what its worker tells of it."""
        if self.progress is not None:
            with contextlib.suppress(OSError), self.progress.open("a", encoding="utf-8") as file:
                file.write(progress)

    def cancel(self) -> None:
        """Cancels it at Dask, which would try it elsewhere by itself, and tell nobody."""
        with contextlib.suppress(Exception):
            self.theirs.cancel()
