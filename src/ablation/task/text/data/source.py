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

FORMATS = (".parquet", ".csv", ".tsv", ".jsonl", ".json")
"""Endings of files that can be read."""

USUAL = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation",
    "val": "validation", "dev": "validation", "eval": "validation", "test": "test",
    "testing": "test",
}  # fmt: skip
"""Name of a file or split, in small letters, to the split that it is."""

_SHARD = re.compile(r"(?P<name>.+?)[-_.](?P<number>\d+)(?:-of-(?P<all>\d+))?")
_SAVED = ("dataset_dict.json", "state.json")
"""Files that ``save_to_disk`` writes into the folder of a dictionary of data sets, or of one."""

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

    kind: Literal["built-in", "local", "saved", "hub"]
    name: str
    """Short name for records."""
    digest: str
    """Changes whenever the content may have changed."""
    files: dict[str, tuple[Path, ...]] = dataclasses.field(default_factory=dict)
    """Split to its files, in the order of their rows; empty unless the source is local."""
    ignored: tuple[str, ...] = ()
    """Names of files that could be read but belong to no split."""
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
        if config.revision is not None:
            raise Refused(
                f"{config.source!r} is a local path, which has no revision; got "
                f"{config.revision!r}.",
                "Leave the revision out, or name a Hub id that is no path here.",
            )
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


def split_of(name: str) -> str | None:
    """Returns the split that a file's or split's name means, or None.

    >>> split_of("dev"), split_of("Test"), split_of("unsupervised")
    ('validation', 'test', None)
    """
    return USUAL.get(name.lower())


def _local(path: Path) -> Source:
    saved = path.is_dir() and any((path / name).is_file() for name in _SAVED)
    try:
        files, ignored = ({}, ()) if saved else _files_of(path)
        read = sorted(path.rglob("*.arrow")) if saved else [x for xs in files.values() for x in xs]
        splits = [split for split, paths in files.items() for _ in paths]
        contents = [(file.suffix.lower(), _sha256(file)) for file in read]
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Refused(f"{path} cannot be read: {reason}.", "Give a readable path.") from error
    absolute = Path(os.path.normpath(path.absolute()))
    return Source(
        kind="saved" if saved else "local",
        name=absolute.name if path.is_dir() else absolute.stem,
        digest=digest("saved" if saved else "local", splits, contents),
        files=files,
        ignored=ignored,
    )


def _files_of(path: Path) -> tuple[dict[str, tuple[Path, ...]], tuple[str, ...]]:
    if path.is_dir():
        return _folder_files(path)
    if path.suffix.lower() not in FORMATS:
        raise Refused(
            f"{path} has the unknown file type {path.suffix!r}.",
            f"Give a file ending in {', '.join(FORMATS)}, or a folder of such files.",
        )
    return {"train": (path,)}, ()


def _folder_files(folder: Path) -> tuple[dict[str, tuple[Path, ...]], tuple[str, ...]]:
    """Returns split to files, and the names of the other files that could be read.

    Raises:
        Refused: If train is missing, a split is there twice, or a shard is missing.
    """
    names = sorted(path.name for path in folder.iterdir())
    way_out = f"Add a train file ({', '.join(FORMATS)}); validation and test are optional."
    if not names:
        raise Refused(f"The folder {folder} is empty.", way_out)
    groups: dict[str, dict[str, list[Path]]] = {}
    ignored = []
    for name in names:
        path = folder / name
        if path.suffix.lower() not in FORMATS or path.is_dir():
            continue
        shard = _SHARD.fullmatch(path.stem)
        split = split_of(path.stem) or (shard and split_of(shard["name"]))
        if split:
            form = f"{shard['name'] if shard else path.stem}{path.suffix}"
            groups.setdefault(split, {}).setdefault(form, []).append(path)
        else:
            ignored.append(name)
    if "train" not in groups:
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        raise Refused(f"The folder {folder} has no train file; found: {shown}.", way_out)
    files = {split: _one_form(folder, forms) for split, forms in groups.items()}
    return {split: files[split] for split in SPLITS if split in files}, tuple(ignored)


def _one_form(folder: Path, forms: dict[str, list[Path]]) -> tuple[Path, ...]:
    """Returns the files of a split in order, which are one file or all its shards."""
    first, *others = forms.values()
    if others:
        pair = f"{first[0].name}, {others[0][0].name}"
        raise Refused(
            f"The folder {folder} has two files for one split: {pair}.", "Keep one of them."
        )
    shards = [_SHARD.fullmatch(path.stem) for path in first]
    wanted = {int(shard["all"]) for shard in shards if shard and shard["all"]}
    if wanted and wanted != {len(first)}:
        raise Refused(
            f"The folder {folder} has {len(first)} of {max(wanted)} shards, such as "
            f"{first[0].name}.",
            "Add the others.",
        )
    return tuple(sorted(first, key=lambda path: (len(path.stem), path.stem)))


def _sha256(path: Path) -> str:
    if not path.is_file():  # a pipe or a device may have no end
        raise Refused(f"{path} is no regular file.", "Give a copy that is one.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
