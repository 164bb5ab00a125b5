"""Reads the sources of user-defined code for the identity of a run, without running them."""

from __future__ import annotations

import ast
import errno
import functools
import hashlib
import importlib.util
import json
import re
import sys
import sysconfig
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ablation.errors import Refused

HARNESS = "ablation"
"""Package that is never followed: a version of its arithmetic is in every key."""


class Sources(NamedTuple):
    """The code that a user-defined function or class consists of."""

    hashes: Mapping[str, str]
    """File, named as its module is, to 12 hex digits; sorted by name."""
    installed: tuple[str, ...]
    """Top-level names of the other modules that are imported, sorted."""
    files: Mapping[str, Path] = {}
    """The same names to the files that are not installed packages', which a worker may lack."""


def source_of(name: str) -> str | None:
    """Returns what identifies ``package.module:Class``, or None for a name without a colon.

    Raises:
        Refused: If no such module, written in Python, can be found.

    >>> source_of("attention") is None
    True
    >>> "fractions.py" in source_of("fractions:Fraction")
    True
    """
    module, colon, _ = name.partition(":")
    return json.dumps(sources_of(module).hashes) if colon else None


def sources_of(module: str) -> Sources:
    """Returns the sources of an importable module and of what it imports; runs none of them.

    Raises:
        Refused: If no such module, written in Python, can be found.
    """
    root, file = _find(module)
    return gather_sources(module, file, [root])


def gather_sources(module: str, file: Path, roots: Sequence[Path]) -> Sources:
    """Returns the sources of a module and of every module that it imports, directly or not.

    An import is followed wherever in a file it is, as long as it leads to a file below one of the
    roots or the module's own folder.

    Args:
        module: The module's name.
        file: Its file.
        roots: Folders in which top-level modules are looked for: that of the module's package,
            and the study's.
    """
    folder = file.parent.parent if file.name == "__init__.py" else file.parent
    places = tuple(dict.fromkeys([*(root.resolve() for root in roots), folder.resolve()]))
    found: dict[str, Path] = {}
    installed: set[str] = set()
    shared = tuple(place for place in places if not _is_installed(place))
    own, waiting = module.partition(".")[0], [*_files_of(module, places).items(), (module, file)]
    while waiting:
        name, path = waiting.pop()
        if name in found:
            continue
        found[name] = path
        for wanted in imports_of(name, path):
            top = wanted.partition(".")[0]
            files = _files_of(wanted, places if top == own else shared)
            waiting += files.items()
            if not files:
                installed.add(top)
    hashes = {_shown(name, path): source_hash(path) for name, path in sorted(found.items())}
    files = {
        _shown(name, path): path
        for name, path in sorted(found.items())
        if not any(_is_installed(parent) for parent in path.resolve().parents)
    }
    others = tuple(sorted(installed - {HARNESS} - sys.stdlib_module_names))
    return Sources(hashes, others, files)


def imports_of(module: str, file: Path) -> list[str]:
    """Returns the absolute dotted names that a file imports, inside functions too.

    ``from a import b`` gives ``a.b``, whether that is a module or not.
    """
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names: list[str] = []
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            parts = (above if node.level else []) + ([node.module] if node.module else [])
            names += [".".join([*filter(None, parts), alias.name]) for alias in node.names]
    return [name for name in names if name.partition(".")[0] != HARNESS]


def source_hash(file: Path) -> str:
    """Returns 12 hex digits over a file's code; comments, docstrings, blank lines do not count.

    Neither does the statement ``study = ...``, so that another caveat or another level changes
    nothing in a function that is defined in its study's file.
    """
    return hashlib.sha256("\x1f".join(_code(_text(file))).encode()).hexdigest()[:12]


def _code(text: str) -> Iterator[str]:
    """Yields the tokens that matter, alike in all versions of Python."""
    lines = _without_study(text).splitlines(keepends=True)
    marks = {tokenize.NEWLINE: "\n", tokenize.INDENT: "\t", tokenize.DEDENT: "\b"}
    statement: list[str] = []
    for kind, string in _tokens(lines):
        if kind in {tokenize.COMMENT, tokenize.NL}:
            continue
        if kind not in marks:
            statement.append((" " if kind == tokenize.STRING else "") + string)
            continue
        # A statement that is one string, as a docstring is, does nothing.
        if not (len(statement) == 1 and statement[0].startswith(" ")):
            yield from statement
            if statement or kind != tokenize.NEWLINE:
                yield marks[kind]
        statement = []


def _tokens(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yields kind and text of each token; an f-string is one, as it was before Python 3.12."""
    begun: list[tuple[int, int]] = []
    for token in tokenize.generate_tokens(iter([*lines, ""]).__next__):
        name = tokenize.tok_name[token.type]
        if name in {"FSTRING_START", "TSTRING_START"}:
            begun.append(token.start)
        elif name in {"FSTRING_END", "TSTRING_END"}:
            start = begun.pop()
            if not begun:
                yield tokenize.STRING, _between(lines, start, token.end)
        elif not begun:
            yield token.type, token.string


def _between(lines: Sequence[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    (first, left), (last, right) = start, end
    if first == last:
        return lines[first - 1][left:right]
    return "".join([lines[first - 1][left:], *lines[first : last - 1], lines[last - 1][:right]])


def _without_study(text: str) -> str:
    """Returns the text with the lines of the top-level statement ``study = ...`` left blank."""
    if "study" not in text:
        return text
    lines = text.splitlines(keepends=True)
    for node in _parse(text).body:
        assigns = isinstance(node, ast.Assign | ast.AnnAssign)
        if assigns and re.match(r"study(: [\w.]+)? = [\w.]*Study\(", ast.unparse(node)):
            assert node.end_lineno is not None
            for line in range(node.lineno - 1, node.end_lineno):
                lines[line] = "\n"
    return "".join(lines)


def _files_of(name: str, places: Sequence[Path]) -> dict[str, Path]:
    """Returns the modules that importing a dotted name runs, with their files, outermost first."""
    parts = name.split(".")
    for place in places:
        found: dict[str, Path] = {}
        for depth in range(1, len(parts) + 1):
            where, module = place.joinpath(*parts[:depth]), ".".join(parts[:depth])
            if (package := where / "__init__.py").is_file():
                found[module] = package
            elif (file := where.with_name(f"{where.name}.py")).is_file():
                found[module] = file
                break
            elif not where.is_dir():
                break
        if found:
            return found
    return {}


def _is_installed(place: Path) -> bool:
    """Returns whether a folder holds installed packages, beside which anything may be."""
    standard = Path(sysconfig.get_path("stdlib")).resolve()
    return place.name in {"site-packages", "dist-packages"} or place == standard


def _shown(module: str, file: Path) -> str:
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if file.name == "__init__.py" else f"{path}.py"


def _find(module: str) -> tuple[Path, Path]:
    """Returns the folder that a module is imported from, and its file."""
    top, _, _ = module.partition(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    origin = [] if spec is None or folders or not spec.origin else [spec.origin]
    for root in [Path(place).parent for place in (*folders, *origin)]:
        files = _files_of(module, [root])
        if module in files:
            return root, files[module]
    raise Refused(
        f"The module {module!r} cannot be found as Python source.",
        "Put it beside the study file or in this folder, or install it.",
    )


def _text(file: Path) -> str:
    with tokenize.open(file) as opened:
        return opened.read()


@functools.lru_cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


def _tree(file: Path) -> ast.Module:
    """Returns the syntax tree of a file.

    Raises:
        Refused: If it is no Python.
    """
    try:
        return _parse(_text(file))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise Refused(
            f"{file}{f', line {line},' if line else ''} is not valid Python: {error}.",
            "Fix the file.",
        ) from error


@functools.lru_cache
def content_of(path: str, what: str, field: str) -> str:
    """Returns the SHA-256 of a file.

    Args:
        path: The file.
        what: A noun for its content, for the message.
        field: The configuration's field that names it, for the message.

    Raises:
        Refused: If the file cannot be read.
    """
    try:
        return file_hash(Path(path))
    except OSError as error:
        rule = f"The {what} {path!r} cannot be read: {error.strerror}."
        raise Refused(rule, f"Change {field}.") from error


def file_hash(path: Path) -> str:
    """Returns the SHA-256 of a file.

    Raises:
        OSError: If it cannot be read.
    """
    if path.exists() and not path.is_file():  # a pipe or a device may have no end
        raise OSError(errno.EINVAL, "it is no regular file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
