"""The built-in corpus: what it holds, checked against the modules themselves."""

import importlib
import inspect
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import ablation.task.text.data.read
from ablation.task.text.config import DataConfig
from ablation.task.text.data import Encoded, prepare
from ablation.task.text.data.chapters import CHAPTER_OF, CHAPTERS
from ablation.task.text.data.docstrings import documents
from ablation.task.text.data.splits import Rows, complete, fingerprint, same


@pytest.fixture(scope="module")
def found() -> list[tuple[str, str]]:
    before = set(sys.modules)
    found = documents()
    # The sources are parsed, not imported; the one module is that of the paths.
    assert all(name.startswith("_sysconfigdata") for name in set(sys.modules) - before)
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, found: list[tuple[str, str]]) -> Encoded:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ablation.task.text.data.read, "documents", lambda: found
        )  # parse once, not twice
        return prepare(DataConfig(), cache=tmp_path_factory.mktemp("cache"))


def test_every_module_is_in_one_chapter() -> None:
    listed = [module for modules in CHAPTERS.values() for module in modules.split()]
    assert len(listed) == len(set(listed)) == len(CHAPTER_OF)


def test_listed_modules_exist_here_or_in_another_version() -> None:
    # Gone by 3.13, or not there before 3.12, 3.14, 3.15.
    gone = "asynchat asyncore cgi cgitb crypt distutils imp mailcap nntplib pipes smtpd telnetlib"
    late = "_py_warnings _pydatetime annotationlib compression profiling"
    elsewhere = {*gone.split(), *late.split(), "_bootsubprocess", "uu", "xdrlib"}
    assert set(CHAPTER_OF) - sys.stdlib_module_names <= elsewhere


def test_documents_are_many_distinct_and_long_enough(found: list[tuple[str, str]]) -> None:
    lengths = [len(text.split()) for text, _ in found]
    assert 5_000 < len(found) < 8_000
    assert min(lengths) == 4
    assert 13 <= np.median(lengths) <= 19
    assert len({same(text) for text, _ in found}) == len(found)
    assert all(text == " ".join(text.split()) for text, _ in found)


def test_no_class_is_tiny_or_overwhelming(found: list[tuple[str, str]]) -> None:
    counts = Counter(chapter for _, chapter in found)
    assert set(counts) == set(CHAPTERS)
    assert min(counts.values()) > 0.05 * len(found)
    assert max(counts.values()) < 0.25 * len(found)


@pytest.mark.parametrize("name", ["shutil", "json.decoder", "difflib", "email.message", "sched"])
def test_documents_of_a_module_are_those_it_shows_when_imported(
    name: str, found: list[tuple[str, str]]
) -> None:
    module = importlib.import_module(name)
    # What namedtuple makes has docstrings that are in no source.
    own = [x for x in vars(module).values() if not hasattr(x, "_fields")]
    inside = [x for top in own if inspect.isclass(top) for x in vars(top).values()]
    owned = [x for x in own + inside if inspect.isclass(x) or inspect.isfunction(x)]
    plain = [module, *(x for x in owned if x.__module__ == name)]
    texts = {" ".join(x.__doc__.split()) for x in plain if x.__doc__}
    long = {same(text) for text in texts if len(text.split()) >= 4}
    chapters = {same(text): chapter for text, chapter in found}
    # A text that another chapter shares is left out; everything else must be there.
    present = long & set(chapters)
    assert len(present) >= 0.9 * len(long) > 0
    assert {chapters[text] for text in present} == {CHAPTER_OF[name.partition(".")[0]]}


def test_only_sources_of_listed_modules_are_read_and_tests_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {
        "json/__init__.py": '"""One  two\n three four"""',
        "json/inner/deep.py": "if 1:\n  async def f():\n    def g(): 'five six seven eight'",
        "json/tests/x.py": '"""a test is left out"""',
        "json/test/x.py": '"""a test is left out"""',
        "site-packages/json.py": '"""a package installed later"""',
        "nowhere_listed.py": '"""a module without a chapter"""',
        "sched.py": "this cannot be parsed",
        "shutil.py": "'shared by two other chapters'; '\\d'",
        "random.py": '"""Shared by two  other chapters"""',
        "queue.py": 'class C:\n  "three words only"\n  "not a docstring at all"',
    }
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    texts = ["One two three four", "five six seven eight"]
    assert documents() == [(text, "internet") for text in texts]


def test_splits_are_sixty_fifteen_twentyfive_in_every_class(corpus: Encoded) -> None:
    counts = {
        name: np.bincount(corpus.split(name).labels, minlength=len(corpus.labels))
        for name in corpus.rows
    }
    whole = sum(counts.values())
    for name, share in {"train": 0.6, "validation": 0.15, "test": 0.25}.items():
        assert np.abs(counts[name] - share * whole).max() <= 1.5


def test_no_text_is_in_two_splits(corpus: Encoded, found: list[tuple[str, str]]) -> None:
    texts, labels = map(list, zip(*found, strict=True))
    shares = {"test_share": 0.25, "validation_share": 0.15 / 0.75}
    splits = complete({"train": Rows(texts, labels)}, **shares)
    assert fingerprint(splits) == corpus.fingerprint
    sides = [{same(text) for text in rows.texts} for rows in splits.values()]
    assert sum(map(len, sides)) == len(set().union(*sides)) == len(found)


def test_it_is_named_and_recorded(corpus: Encoded) -> None:
    assert (corpus.name, corpus.source, corpus.tokenizer) == ("docstrings", "docstrings", "words")
    assert corpus.labels == tuple(sorted(CHAPTERS))


def test_a_folder_of_that_name_does_not_replace_it(
    corpus: Encoded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docstrings").mkdir()
    monkeypatch.chdir(tmp_path)
    assert prepare(DataConfig(), cache=corpus.folder.parent) == corpus
