"""Modules import in one order, and each library has one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ablation

ROOT = Path(ablation.__file__).parent
ORDER = (
    "errors", "records", "config", "stats", "spec", "data", "plan", "model", "train", "tracking",
    "analysis", "mirror", "execute", "figures", "report", "notebook", "cli",
    "__main__",
)  # fmt: skip
PLACES = {
    "scipy": {"stats"},
    "datasets": {"data"},
    "tokenizers": {"data"},
    "sentencex": {"data"},
    "torch": {"model", "train", "execute"},
    "mlflow": {"tracking"},
    "optuna": {"mirror", "execute"},
    "seaborn": {"figures"},
    "matplotlib": {"figures"},
    "jinja2": {"report"},
    "typer": {"cli"},
}


def imports(path: Path) -> set[str]:
    """Returns the dotted names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def module(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_order(path: Path) -> None:
    above = ORDER[: ORDER.index(module(path)) + 1]
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("ablation.")}
    assert ours <= set(above)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_has_its_place(path: Path) -> None:
    libraries = {name.split(".")[0] for name in imports(path)} & set(PLACES)
    assert all(module(path) in PLACES[library] for library in libraries)
