"""An encoded corpus on disk: plain ``.npy`` arrays, and a ``meta.json`` with their checksums.

Needs only NumPy, so that a worker opens a corpus in milliseconds.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ablation.records.digest import digest

SPLITS = ("train", "validation", "test")
UNKNOWN = 1
"""Id of every token outside the vocabulary; 0 is padding."""

META = "meta.json"
TOKENIZER = "tokenizer.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """The encoded rows of one split: row i is ``tokens[offsets[i]:offsets[i + 1]]``."""

    tokens: npt.NDArray[np.int32]
    """Token ids of all rows, concatenated; every row has at least one."""
    offsets: npt.NDArray[np.int64]
    """Start of each row in ``tokens``, and the end of the last row: rows + 1 entries."""
    sentences: npt.NDArray[np.int64]
    """Start of each sentence in ``tokens``, and the end of the last; each row starts one."""
    labels: npt.NDArray[np.int64]
    """Class number of each row."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """A picklable handle of a corpus that is ready for training; the arrays are on disk."""

    folder: Path
    """Folder of the cached arrays."""
    name: str
    """Last part of the path or id: ``trec``, ``docstrings``, ``ag_news``."""
    source: str
    """The Hub id, ``docstrings``, or the path as given."""
    fingerprint: str
    """12 hex digits of the content: split, text and label of every row, in order."""
    labels: tuple[str, ...]
    """Sorted class names; the index is the class number."""
    vocabulary_size: int
    """Number of ids, including padding (0) and unknown (1)."""
    tokenizer: str
    """``words`` or ``characters``, even if the configuration has ``auto``."""
    max_length: int
    """Most tokens of a text."""
    rows: dict[str, int]
    """Split to its number of rows."""
    notes: tuple[str, ...]
    """Three sentences: what was read, the rows of each class, script and unknown tokens."""
    warnings: tuple[str, ...]
    """Sentences on what may make a result mean something else than it seems to."""

    def split(self, name: str) -> Split:
        """Returns one split, memory-mapped, so that processes share its pages."""
        fields = (field.name for field in dataclasses.fields(Split))
        return Split(*(np.load(self.folder / f"{name}.{field}.npy", "c") for field in fields))

    def tokens(self, name: str) -> int:
        """Returns the number of tokens of one split."""
        return _count_tokens(self.folder, name)

    def files(self) -> list[str]:
        """Returns the names of the corpus's files."""
        meta = json.loads((self.folder / META).read_text(encoding="utf-8"))
        return [META, *meta["files"]]

    def test_counts(self) -> list[int]:
        """Returns the number of test texts per class."""
        labels = self.split("test").labels
        counts: list[int] = np.bincount(labels, minlength=len(self.labels)).tolist()
        return counts

    def test_commonest(self) -> bytes:
        """Returns a packed bit per test text: whether it is of the commonest class there."""
        counts = self.test_counts()
        commonest = counts.index(max(counts))
        return np.packbits(self.split("test").labels == commonest).tobytes()

    def parameters(self) -> dict[str, Any]:
        """Returns properties of the data that are recorded as parameters of each run."""
        return {
            "data.fingerprint": self.fingerprint,
            "data.labels": ", ".join(self.labels),
            "data.tokenizer": self.tokenizer,
            "data.vocabulary_size": self.vocabulary_size,
        }

    def vocabulary(self) -> dict[str, int]:
        """Returns token to id for every token of the vocabulary."""
        text = (self.folder / TOKENIZER).read_text(encoding="utf-8")
        vocabulary: dict[str, int] = json.loads(text)["model"]["vocab"]
        return {token: id_ for token, id_ in vocabulary.items() if id_ > UNKNOWN}


@functools.lru_cache(maxsize=32)
def _count_tokens(folder: Path, name: str) -> int:
    """Returns the number of tokens of a split; the folder's name determines its content."""
    return len(np.load(folder / f"{name}.tokens.npy", "c"))


def save(folder: Path, splits: dict[str, Split], facts: dict[str, Any]) -> None:
    """Writes arrays, then ``meta.json`` with the fields of :class:`Encoded` and checksums.

    Args:
        folder: An existing folder; checksums also cover the files that it already holds.
        splits: The arrays.
        facts: Every field of :class:`Encoded` except ``folder``.
    """
    for name, split in splits.items():
        for field in dataclasses.fields(Split):
            np.save(folder / f"{name}.{field.name}.npy", getattr(split, field.name))
    checksums = {path.name: _checksum(path) for path in sorted(folder.iterdir())}
    meta = {"encoded": facts, "files": checksums, "checksum": digest(facts, checksums)}
    (folder / META).write_text(json.dumps(meta, indent=2, ensure_ascii=False), encoding="utf-8")


def load(folder: Path) -> Encoded | None:
    """Returns the corpus cached in ``folder``, or None if it is missing or damaged."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        facts, checksums = meta["encoded"], meta["files"]
        if meta["checksum"] != digest(facts, checksums):
            return None
        if any(_checksum(folder / name) != checksum for name, checksum in checksums.items()):
            return None
        lists = {name: tuple(facts[name]) for name in ("labels", "notes", "warnings")}
        return Encoded(folder=folder, **facts | lists)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def publish(built: Path, folder: Path) -> None:
    """Moves a complete folder to its place; other processes may do the same at the same time.

    The name determines the content, so the first process wins. A damaged folder is repaired file
    by file, ``meta.json`` last, so that readers always find it.
    """
    try:
        built.rename(folder)
    except OSError:
        if load(folder) is not None:
            return
        if folder.is_file():
            folder.unlink()
        folder.mkdir(exist_ok=True)
        for path in sorted(built.iterdir(), key=lambda path: path.name == META):
            path.replace(folder / path.name)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
