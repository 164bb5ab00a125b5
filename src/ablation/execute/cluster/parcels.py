"""Files by content: what a call needs, what a worker lacks of it, and where it is laid out."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ablation.records.digest import digest
from ablation.task.sources import file_hash

BLOBS = "blobs"
BESIDE = "beside"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The names of the files that a call needs, each with the SHA-256 of its content."""

    shared: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Name below the worker's cache to hash."""
    beside: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Name in the folder in which the call runs to hash."""

    @property
    def folder(self) -> str:
        """Name of the folder of what is beside, below the worker's cache."""
        return f"{BESIDE}/{digest(self.beside)}"

    @property
    def hashes(self) -> frozenset[str]:
        """The hashes of all files."""
        return frozenset((*self.shared.values(), *self.beside.values()))


def hash_of(path: Path) -> str:
    """Returns the SHA-256 of a file, which is read once as long as it is not written to.

    Raises:
        OSError: If it cannot be read.
    """
    seen = path.stat()
    return _hash(str(path), seen.st_ino, seen.st_size, seen.st_mtime_ns)


@functools.lru_cache(maxsize=100_000)
def _hash(path: str, *_: int) -> str:
    return file_hash(Path(path))


def lacking(manifest: Manifest, cache: Path) -> frozenset[str]:
    """Returns the hashes of the files that a cache has not, or has damaged."""
    wanted = {name: of for name, of in manifest.shared.items() if not _is(cache / name, of)}
    needed = {*wanted.values(), *manifest.beside.values()}
    return frozenset(each for each in needed if not _is(_blob(cache, each), each))


def receive(contents: Mapping[str, bytes], cache: Path) -> None:
    """Keeps files in a cache.

    Args:
        contents: Hash to content.
        cache: The cache.

    Raises:
        ValueError: If a content is not that of its hash.
        OSError: If it cannot be written.
    """
    for wanted, content in contents.items():
        if hashlib.sha256(content).hexdigest() != wanted:
            raise ValueError(f"a file of {len(content)} bytes was damaged on its way")
        blob = _blob(cache, wanted)
        blob.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=blob.parent, delete=False) as file:
            file.write(content)
        Path(file.name).replace(blob)


def lay_out(manifest: Manifest, cache: Path) -> Path:
    """Puts files where a call looks for them; returns the folder of what is beside.

    Args:
        manifest: The files, none of which the cache lacks.
        cache: The cache.
    """
    for name, wanted in manifest.shared.items():
        if not _is(cache / name, wanted):
            _link(_blob(cache, wanted), cache / name)
    folder = cache / manifest.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, wanted in manifest.beside.items():
        if not _is(folder / name, wanted):
            _link(_blob(cache, wanted), folder / name)
    return folder


def contents_of(wanted: Iterable[str], files: Mapping[str, Path]) -> dict[str, bytes]:
    """Returns hash to content of some files.

    Raises:
        OSError: If one cannot be read, or is not what it was when it was hashed.
    """
    found: dict[str, bytes] = {}
    for each in wanted:
        found[each] = files[each].read_bytes()
        if hashlib.sha256(found[each]).hexdigest() != each:
            raise OSError(0, "it was changed while the study ran", str(files[each]))
    return found


def _blob(cache: Path, wanted: str) -> Path:
    return cache / BLOBS / wanted


def _is(path: Path, wanted: str) -> bool:
    try:
        return hash_of(path) == wanted
    except OSError:
        return False


def _link(blob: Path, path: Path) -> None:
    """Puts a file at another place too; other processes may do the same at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        new = Path(folder) / "new"
        try:
            os.link(blob, new)
        except OSError:  # a file system without links
            shutil.copyfile(blob, new)
        with contextlib.suppress(FileNotFoundError):
            new.replace(path)
