"""The built-in corpus: docstrings of the standard library that is running, by chapter.

Sources are parsed, never imported. Needs nothing but the standard library itself.
"""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from ablation.task.text.data.chapters import CHAPTER_OF

MIN_WORDS = 4
"""Docstrings of fewer words say too little to tell a chapter from."""

_TESTS = {"test", "tests"}
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documents() -> list[tuple[str, str]]:
    """Returns (text, chapter) of every docstring, once each, in an order fixed by the sources.

    A text that two chapters share is left out.
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
    """Yields source files of the modules in the table, tests left out."""
    for entry in sorted(root.iterdir()):
        chapter = CHAPTER_OF.get(entry.name.removesuffix(".py"))
        if chapter is None:
            continue
        for path in sorted(entry.rglob("*.py")) if entry.is_dir() else [entry]:
            if _TESTS.isdisjoint(path.relative_to(root).parts):
                yield path, chapter


def _docstrings(path: Path) -> Iterator[str]:
    """Yields the docstrings of one file, whitespace collapsed; none where it cannot be parsed."""
    with warnings.catch_warnings():
        # Newer versions warn of escapes in older files; they are not ours to mend.
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
    """Yields a node and the statements inside it, depth first; expressions are passed by."""
    yield node
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        children = getattr(node, field, ())
        # The body of a lambda is an expression; a statement's is a list.
        for child in children if isinstance(children, list) else ():
            yield from _statements(child)
