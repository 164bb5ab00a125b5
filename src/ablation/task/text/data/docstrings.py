"""The built-in corpus: docstrings of the running Python's standard library, by chapter.

Sources are parsed, never imported. Needs only the standard library itself.
"""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from ablation.task.text.data.chapters import CHAPTER_OF

MIN_WORDS = 4
"""Shorter docstrings are left out, because they hardly tell the chapter."""

_TESTS = {"test", "tests"}
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documents() -> list[tuple[str, str]]:
    """Returns (text, chapter) of every distinct docstring, in an order fixed by the sources.

    A text that occurs in two chapters is left out.
    """
    chapters: dict[str, set[str]] = {}
    texts: dict[str, str] = {}
    for path, chapter in _modules(Path(sysconfig.get_path("stdlib"))):
        for text in _docstrings(path):
            key = text.casefold()
            chapters.setdefault(key, set()).add(chapter)
            texts.setdefault(key, text)
    return [(text, min(chapters[key])) for key, text in texts.items() if len(chapters[key]) == 1]


def _modules(root: Path) -> Iterator[tuple[Path, str]]:
    """Yields (path, chapter) of the listed modules' source files, without tests."""
    for entry in sorted(root.iterdir()):
        chapter = CHAPTER_OF.get(entry.name.removesuffix(".py"))
        if chapter is None:
            continue
        for path in sorted(entry.rglob("*.py")) if entry.is_dir() else [entry]:
            if _TESTS.isdisjoint(path.relative_to(root).parts):
                yield path, chapter


def _docstrings(path: Path) -> Iterator[str]:
    """Yields the docstrings of one file, whitespace collapsed; none if it cannot be parsed."""
    with warnings.catch_warnings():
        # Newer Python versions warn about escapes in older files, which are not ours to fix.
        warnings.simplefilter("ignore")
        try:
            module = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            return
    for node in _statements(module):
        if isinstance(node, _DOCUMENTED):
            words = (ast.get_docstring(node, clean=False) or "").split()
            if len(words) >= MIN_WORDS:
                yield " ".join(words)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yields a node and the statements inside it, depth first; skips expressions."""
    yield node
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        children = getattr(node, field, ())
        # The body of a lambda is an expression; a statement's is a list.
        for child in children if isinstance(children, list) else ():
            yield from _statements(child)
