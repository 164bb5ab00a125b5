"""Reports rebuilt from their folders alone, and what would differ."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ablation.report.build import build
from ablation.report.content import read


def rebuild(folder: Path) -> None:
    """Builds a report anew, in its place.

    Raises:
        Refused: If the folder holds no report.
    """
    _build_as(folder.name, folder, folder.parent)


def differing(folder: Path) -> list[str]:
    """Returns the files of a report that a rebuild from it would change, add or remove.

    Raises:
        Refused: If the folder holds no report.
    """
    with tempfile.TemporaryDirectory() as place:
        _build_as(folder.name, folder, Path(place))
        one, two = _files(folder), _files(Path(place) / folder.name)
    return sorted(name for name in one | two if one.get(name) != two.get(name))


def _build_as(name: str, folder: Path, reports: Path) -> None:
    """Builds what the folder holds under its own name, which may not be the study's."""
    with tempfile.TemporaryDirectory() as place:
        made = build(read(folder), Path(place))
        shutil.rmtree(reports / name, ignore_errors=True)
        shutil.copytree(made, reports / name)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
