"""Finds the source of a corpus: the built-in corpus, local files, or the Hugging Face Hub.

A local path takes precedence over a Hub id of the same spelling; ``docstrings`` is always the
built-in corpus. Local files are read only for their checksums.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
import re
import sys
import sysconfig
from pathlib import Path
from typing import Literal

from ablation.errors import Refused
from ablation.records.digest import digest
from ablation.task.text.config import DataConfig
from ablation.task.text.data.encoded import SPLITS

BUILT_IN = "docstrings"

FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".json": "json"}
"""File name ending to loader."""

DOCSTRINGS_RULES = 1
"""Version of the rules in ``docstrings`` and ``chapters``; increase it with each change there."""

DOCSTRINGS_VALIDATION_SHARE = 0.15
DOCSTRINGS_TEST_SHARE = 0.25
"""Shares of all docstrings; the other 60 % are train."""

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)
_SHOWN = 8


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The source of a corpus, before it is read."""

    kind: Literal["built-in", "local", "hub"]
    name: str
    """Short name for records."""
    digest: str
    """Changes whenever the content may have changed."""
    files: dict[str, Path] = dataclasses.field(default_factory=dict)
    """Split to file; empty unless the source is local."""
    test_share: float = 0.2
    """Share of train that becomes test if the source has no test split."""
    validation_share: float = 0.1
    """Share of the remaining train that becomes validation if the source has no validation
    split."""


def locate(config: DataConfig) -> Source:
    """Returns the source that ``config`` names.

    Raises:
        Refused: If the source does not exist, or its files have an unknown type.
    """
    if config.source == BUILT_IN:
        return Source(
            kind="built-in",
            name=BUILT_IN,
            digest=_python(),
            test_share=DOCSTRINGS_TEST_SHARE,
            validation_share=DOCSTRINGS_VALIDATION_SHARE / (1 - DOCSTRINGS_TEST_SHARE),
        )
    path = _existing(config.source)
    if path is not None:
        return _local(path)
    if not _HUB_ID.fullmatch(config.source):
        raise Refused(
            f"No file or folder {config.source!r}, and the name is not a Hugging Face Hub id.",
            f"Give an existing path, a Hub id (name or owner/name), or {BUILT_IN!r}.",
        )
    name = config.source.rpartition("/")[2]
    return Source(kind="hub", name=name, digest=digest("hub", config.source, config.revision))


def _python() -> str:
    """Returns a digest of the running standard library and the rules of the corpus."""
    path = sysconfig.get_path("stdlib")
    version = platform.python_version()
    return digest("docstrings", DOCSTRINGS_RULES, sys.implementation.name, version, path)


def _existing(source: str) -> Path | None:
    try:
        path = Path(source).expanduser()
        return path if source and path.exists() else None
    except (OSError, RuntimeError):  # a name too long, a folder without access, an unknown user
        return None


def _local(path: Path) -> Source:
    try:
        files = _folder_files(path) if path.is_dir() else _single_file(path)
        contents = [(split, file.suffix.lower(), _sha256(file)) for split, file in files.items()]
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Refused(f"{path} cannot be read: {reason}.", "Give a readable path.") from error
    absolute = Path(os.path.normpath(path.absolute()))
    name = absolute.name if path.is_dir() else absolute.stem
    return Source(kind="local", name=name, digest=digest("local", contents), files=files)


def _single_file(path: Path) -> dict[str, Path]:
    if path.suffix.lower() not in FORMATS:
        raise Refused(
            f"{path} has the unknown file type {path.suffix!r}.",
            f"Give a file ending in {', '.join(FORMATS)}, or a folder of such files.",
        )
    return {"train": path}


def _folder_files(folder: Path) -> dict[str, Path]:
    """Returns split to file.

    Raises:
        Refused: If train is missing, or a split has two files.
    """
    found = sorted(path.name for path in folder.iterdir())
    way_out = f"Add a train file ({', '.join(FORMATS)}); validation and test are optional."
    if not found:
        raise Refused(f"The folder {folder} is empty.", way_out)
    files: dict[str, Path] = {}
    for name in found:
        path = folder / name
        if path.stem not in SPLITS or path.suffix.lower() not in FORMATS:
            continue
        if path.stem in files:
            pair = f"{files[path.stem].name}, {name}"
            raise Refused(
                f"The folder {folder} has two files for one split: {pair}.", "Keep one of them."
            )
        files[path.stem] = path
    if "train" not in files:
        shown = ", ".join(found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
        raise Refused(f"The folder {folder} has no train file; found: {shown}.", way_out)
    return {split: files[split] for split in SPLITS if split in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
