"""The map in docs/architecture.md is true: imports point one way, each library has one place."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ablation

ROOT = Path(ablation.__file__).parent
TESTS = Path(__file__).parent
MAP = (TESTS.parent / "docs/architecture.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """Returns the cells of the first table under a heading of the map, without its first row."""
    _, _, section = MAP.partition(f"\n## {heading}\n")
    rows = re.findall(r"^\|(.*)\|$", section.partition("\n## ")[0], flags=re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]


PACKAGES = {row[0].strip("`"): row[2].split(", ") for row in table("The packages")}
PLACES = {
    library: {package for package, only in PACKAGES.items() if library in only}
    for only in PACKAGES.values()
    for library in only
    if library
}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imports(path: Path) -> set[str]:
    """Returns the dotted names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_the_map_shows_every_package_and_no_other() -> None:
    assert {package(path) for path in FILES} == set(PACKAGES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_order(path: Path) -> None:
    order = list(PACKAGES)
    above = order[: order.index(package(path)) + 1]
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("ablation.")}
    assert ours <= set(above)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_has_its_place(path: Path) -> None:
    libraries = {name.split(".")[0] for name in imports(path)} & set(PLACES)
    assert all(package(path) in PLACES[library] for library in libraries)


def test_nothing_outside_the_text_subject_knows_that_it_is_one() -> None:
    """A study's default task and the faces that study files import are all that names it."""
    naming = {
        str(path.relative_to(ROOT))
        for path in FILES
        if any(name.startswith("ablation.task.text") for name in imports(path))
        and not path.is_relative_to(ROOT / "task/text")
    }
    assert naming == {"config.py", "model.py", "study/spec.py"}


def test_only_the_text_subject_imports_its_libraries() -> None:
    """The other task, and all of the harness, run where none of them is installed."""
    libraries = {"torch", "tokenizers", "datasets", "sentencex"}
    importing = {
        str(path.relative_to(ROOT))
        for path in FILES
        if {name.split(".")[0] for name in imports(path)} & libraries
        and not path.is_relative_to(ROOT / "task/text")
    }
    assert importing == set()


def test_every_private_door_is_watched_by_a_test() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    doors = table("Private doors")
    assert doors
    for _, place, _, test in doors:
        assert (ROOT / place.strip("`")).is_file()
        assert f"def {test.strip('`')}(" in sources


def test_the_map_names_files_that_exist() -> None:
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", MAP))
    assert named
    for name in named:
        assert any((root / name).is_file() for root in (ROOT, ROOT / "task/text", TESTS.parent)), (
            name
        )
