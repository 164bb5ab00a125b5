"""Tells whether a worker may train: it must have the same code as the conductor."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import platform
import shutil
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from ablation.execute.stamp import PROCESSOR, surroundings, versions_of
from ablation.records.digest import digest
from ablation.task.devices import visible_gpus
from ablation.task.sources import file_hash

PACKAGE = "attention-ablation"
TORCH = "torch"
TRIM = "MALLOC_TRIM_THRESHOLD_"
"""Environment variable of the C library by which Dask's nanny slows down training."""
HOST = "ablation.host"
"""Tag: the machine that trained."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """The code and memory that a worker must have."""

    python: str
    """Such as ``3.11``."""
    package: str
    """Version of this package and a hash of its sources."""
    torch: str | None
    """Version of PyTorch without that of its build; None if the task does not use it."""
    memory: float | None = None
    """Bytes that a trial may take, if the study declares that."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The code, place and memory of a worker, by its own account."""

    host: str
    python: str
    package: str
    torch: str | None
    processor: str
    cores: int
    memory: int
    """Bytes of the machine."""
    gpus: tuple[str, ...]
    trim: str | None
    """The value of :data:`TRIM`."""
    cache: str
    """Folder in which it keeps data and sources."""
    free: int
    """Bytes that are free there; 0 if it cannot be written."""
    tags: Mapping[str, str]
    """Its versions and processor, as tags for a run."""


def cache_of_worker() -> Path:
    """Returns the folder in which a worker keeps data and sources."""
    return Path(os.environ.get("ABLATION_CACHE", ".cache/ablation")).absolute()


@functools.cache
def package() -> str:
    """Returns the version of this package and a hash of its sources."""
    root = Path(__file__).resolve().parents[2]
    sources = [(path.relative_to(root).as_posix(), file_hash(path))
               for path in sorted(root.rglob("*.py"))]  # fmt: skip
    return f"{versions_of([PACKAGE]).get(PACKAGE, 'unknown')} ({digest(sources)})"


def expected(libraries: Iterable[str], memory: float | None = None) -> Expected:
    """Returns what workers must have for a task.

    Args:
        libraries: The task's libraries.
        memory: Bytes that a trial may take, or None.
    """
    torch = _torch() if TORCH in libraries else None
    return Expected(python=_python(), package=package(), torch=torch, memory=memory)


def facts(libraries: tuple[str, ...]) -> Facts:
    """Returns what this process, a worker, is.

    Args:
        libraries: The task's libraries.
    """
    cache = cache_of_worker()
    return Facts(
        host=socket.gethostname(),
        python=_python(),
        package=package(),
        torch=_torch(),
        processor=_tags(libraries)[PROCESSOR],
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        gpus=visible_gpus(),
        trim=os.environ.get(TRIM),
        cache=str(cache),
        free=_free(cache),
        tags=_tags(libraries),
    )


@functools.cache  # what a process has loaded does not change
def _tags(libraries: tuple[str, ...]) -> Mapping[str, str]:
    return {**surroundings(("numpy", *libraries)), HOST: socket.gethostname()}


def unfit(wanted: Expected, found: Facts, limit: float = 0.0) -> str:
    """Returns why a worker must not train, or an empty string.

    Args:
        wanted: What it must have.
        found: What it has.
        limit: Bytes that the engine leaves it; 0 for no limit.
    """
    pairs = [
        ("Python", found.python, wanted.python),
        ("attention-ablation", found.package, wanted.package),
        ("torch", found.torch, found.torch if wanted.torch is None else wanted.torch),
    ]
    for name, has, needs in pairs:
        if has != needs:
            is_same = has and has.partition(" (")[0] == (needs or "").partition(" (")[0]
            other = ": the same version, other sources" if is_same else ""
            return f"it has {name} {has or 'not at all'}, and the study runs with {needs}{other}"
    if not found.free:
        return f"its cache {found.cache} cannot be written"
    has_memory = min(found.memory, limit or found.memory)
    if wanted.memory is not None and wanted.memory > has_memory:
        needs = f"{wanted.memory / 2**30:.1f} GB"
        return f"it has {has_memory / 2**30:.1f} GB of memory, and a trial may take {needs}"
    return ""


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])


@functools.cache
def _torch() -> str | None:
    return versions_of([TORCH]).get(TORCH, "").partition("+")[0] or None


def _free(cache: Path) -> int:
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        if os.access(cache, os.W_OK):
            return shutil.disk_usage(cache).free
    return 0
