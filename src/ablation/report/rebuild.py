"""Reports rebuilt from their folders alone, and what would differ."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ablation.report.build import build
from ablation.report.content import read


def rebuild(folder: Path) -> None:
    """Builds a report anew, in its place.

    Raises:
        Refused: If the folder holds no report.
    """
    folder = folder.resolve()
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as place:
        # Beside it, so that what is there goes only when all that replaces it is there.
        made, old = build(read(folder), Path(place)), Path(place) / ".old"
        folder.rename(old)
        made.rename(folder)


def differing(folder: Path) -> list[str]:
    """Returns the files of a report that a rebuild from it would change, add or remove.

    Raises:
        Refused: If the folder holds no report.
    """
    with tempfile.TemporaryDirectory() as place:
        one, two = _files(folder), _files(build(read(folder), Path(place)))
    return sorted(name for name in one | two if one.get(name) != two.get(name))


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
