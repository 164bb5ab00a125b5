"""Folders and files that appear whole or not at all: written beside their place, then moved."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ablation.errors import Refused


@contextlib.contextmanager
def replacing(folder: Path, *, ours: frozenset[str]) -> Iterator[Path]:
    """Yields an empty folder that takes another's place when the block ends without an error.

    Entries of the old folder that are not ours, such as a reader's notes, are kept.

    Args:
        folder: The place; it may not exist yet.
        ours: Names of entries that go with the old folder.

    Raises:
        Refused: If the place is no folder, or cannot be written.
    """
    with (
        writable(folder.parent),
        tempfile.TemporaryDirectory(
            dir=folder.parent, prefix=f".{folder.name[:40]}-", ignore_cleanup_errors=True
        ) as beside,
    ):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise Refused(f"{folder} is no folder.", "Remove it, or give another place.")
        new, old = Path(beside) / "new", Path(beside) / "old"
        new.mkdir()
        yield new
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
        for left in old.iterdir() if old.exists() else ():
            if left.name not in ours and not (folder / left.name).exists():
                left.rename(folder / left.name)


def replace_text(path: Path, text: str) -> None:
    """Writes a text file beside its place and moves it there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Makes a folder and turns errors of the file system in the block into a `Refused`.

    Raises:
        Refused: If the folder cannot be written, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Refused(
            f"The report cannot be written in {folder}: {reason}.",
            "Free disk space there or give another folder: REPORTS=... (--reports).",
        ) from error
