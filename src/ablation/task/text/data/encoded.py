"""An encoded corpus on disk: plain ``.npy`` arrays and a ``meta.json`` that vouches for them.

Needs only NumPy, so that a worker opens a corpus in milliseconds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ablation.records.digest import digest

SPLITS = ("train", "validation", "test")
UNKNOWN = 1
"""Id of every token without one of its own; 0 is padding."""

META = "meta.json"
TOKENIZER = "tokenizer.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """The encoded rows of one split: row i is ``tokens[offsets[i]:offsets[i + 1]]``."""

    tokens: npt.NDArray[np.int32]
    """Token ids of all rows, one after the other; every row has at least one."""
    offsets: npt.NDArray[np.int64]
    """Where each row starts, and where the last one ends: rows + 1 entries."""
    sentences: npt.NDArray[np.int64]
    """Where each sentence starts in ``tokens``, and where the last one ends; rows start one."""
    labels: npt.NDArray[np.int64]
    """Class number of each row."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """A corpus ready for training: light, picklable, its arrays on disk."""

    folder: Path
    """The cached arrays; a worker opens them from here."""
    name: str
    """Last part of the path or id: ``trec``, ``docstrings``, ``ag_news``."""
    source: str
    """The Hub id, ``docstrings``, or the path as given."""
    fingerprint: str
    """12 hex digits of the content: split, text and label of every row, in order."""
    labels: tuple[str, ...]
    """Sorted class names; the index is the class number."""
    vocabulary_size: int
    """Ids in use, padding (0) and unknown (1) included."""
    tokenizer: str
    """What ``auto`` came to: ``words`` or ``characters``."""
    max_length: int
    """Tokens kept of a text."""
    rows: dict[str, int]
    """Rows of each split."""

    def split(self, name: str) -> Split:
        """Returns one split, memory-mapped: pages are shared between processes."""
        fields = (field.name for field in dataclasses.fields(Split))
        return Split(*(np.load(self.folder / f"{name}.{field}.npy", "c") for field in fields))

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
        """Returns what the data turned out to be, as parameters of a run's record."""
        return {
            "data.fingerprint": self.fingerprint,
            "data.labels": ", ".join(self.labels),
            "data.tokenizer": self.tokenizer,
            "data.vocabulary_size": self.vocabulary_size,
        }

    def vocabulary(self) -> dict[str, int]:
        """Returns token to id, for every token that has one of its own."""
        text = (self.folder / TOKENIZER).read_text(encoding="utf-8")
        vocabulary: dict[str, int] = json.loads(text)["model"]["vocab"]
        return {token: id_ for token, id_ in vocabulary.items() if id_ > UNKNOWN}


def save(folder: Path, splits: dict[str, Split], facts: dict[str, Any]) -> None:
    """Writes arrays, then ``meta.json`` with the fields of :class:`Encoded` and checksums.

    Args:
        folder: Exists; may already hold further files, which the checksums then cover.
        splits: The arrays.
        facts: Every field of :class:`Encoded` but ``folder``.
    """
    for name, split in splits.items():
        for field in dataclasses.fields(Split):
            np.save(folder / f"{name}.{field.name}.npy", getattr(split, field.name))
    checksums = {path.name: _checksum(path) for path in sorted(folder.iterdir())}
    meta = {"encoded": facts, "files": checksums, "checksum": digest(facts, checksums)}
    (folder / META).write_text(json.dumps(meta, indent=2, ensure_ascii=False), encoding="utf-8")


def load(folder: Path) -> Encoded | None:
    """Returns the corpus cached in ``folder``, or None where a byte is missing or changed."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        facts, checksums = meta["encoded"], meta["files"]
        if meta["checksum"] != digest(facts, checksums):
            return None
        if any(_checksum(folder / name) != checksum for name, checksum in checksums.items()):
            return None
        return Encoded(folder=folder, **facts | {"labels": tuple(facts["labels"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def publish(built: Path, folder: Path) -> None:
    """Moves a complete folder to its place, where another process may be doing the same.

    The content is determined by the name, so whoever comes first is right. A damaged folder is
    repaired file by file, ``meta.json`` last: no reader ever finds it missing.
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
