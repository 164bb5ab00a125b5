"""Reports rebuilt from their folders alone, and what would differ.

A folder may come from anybody: it decides the content of the report and nothing else.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ablation.records.whole import replacing, writable
from ablation.report import foreign
from ablation.report.build import OURS, fill
from ablation.report.files import read


def rebuild(folder: Path) -> None:
    """Builds a report anew, in its place.

    Raises:
        Refused: If the folder holds no report, or cannot be replaced.
    """
    folder = folder.resolve()
    with foreign.trusted_by_nobody(folder):
        content = read(folder)  # before anything is written
        with replacing(folder, ours=OURS) as new:
            fill(content, new)


def differing(folder: Path) -> list[str]:
    """Returns the files of a report that a rebuild from it would change, add or remove.

    Raises:
        Refused: If the folder holds no report.
    """
    folder = folder.resolve()
    with foreign.trusted_by_nobody(folder):
        content = read(folder)
        with writable(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory() as place:
            fill(content, Path(place))
            one, two = _files(folder), _files(Path(place))
    return sorted(name for name in one | two if one.get(name) != two.get(name))


def _files(folder: Path) -> dict[str, bytes]:
    found = list(itertools.islice(_names(folder), foreign.MOST_FILES + 1))
    if len(found) > foreign.MOST_FILES:
        raise foreign.no_report(folder, f"it has more than {foreign.MOST_FILES} files")
    return {name: foreign.read_bytes(folder, name) for name in found}


def _names(folder: Path) -> Iterator[str]:
    """Yields the files in the folder and in ``figures``; links and other folders are left out."""
    for place in (folder, folder / "figures"):
        if place.is_dir() and not place.is_symlink():
            for path in place.iterdir():
                if path.is_file() and not path.is_symlink():
                    yield path.relative_to(folder).as_posix()
