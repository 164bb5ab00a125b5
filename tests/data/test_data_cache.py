"""The cache: what is opened is what was built, whatever happened to the folder in between."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablation.errors import Refused
from ablation.task.text.config import DataConfig
from ablation.task.text.data import SPLITS, Encoded, prepare

Columns = dict[str, list[Any]]
Write = Callable[[Path, Columns], Path]

PREPARE = """
import sys, time, pathlib
import numpy
from ablation.task.text.config import DataConfig
start = time.process_time()
from ablation.task.text.data import prepare
encoded = prepare(DataConfig(source=sys.argv[1]), cache=pathlib.Path(sys.argv[2]))
seconds = time.process_time() - start
tokens = encoded.split("train").tokens
heavy = {"datasets", "tokenizers", "torch", "pandas", "pyarrow", "huggingface_hub"}
print(encoded.fingerprint, tokens.tobytes().hex(), sorted(heavy & set(sys.modules)), seconds)
"""


def elsewhere(source: Path, cache: Path, **environment: str) -> list[str]:
    """Prepares in a process of its own; returns fingerprint, tokens, heavy modules, seconds."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREPARE, str(source), str(cache)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    fingerprint, tokens, *heavy, seconds = done.stdout.split(" ")
    return [fingerprint, tokens, " ".join(heavy), seconds]


@pytest.fixture
def source(tmp_path: Path, write: Write, small: Columns) -> Path:
    return write(tmp_path / "set" / "train.csv", small).parent


@pytest.fixture
def corpus(source: Path, tmp_path: Path) -> Encoded:
    return prepare(DataConfig(source=str(source)), cache=tmp_path / "cache")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_opening_gives_what_building_gave(corpus: Encoded, source: Path) -> None:
    built = contents(corpus.folder)
    assert prepare(DataConfig(source=str(source)), cache=corpus.folder.parent) == corpus
    assert contents(corpus.folder) == built


def test_only_the_corpus_is_left_in_the_cache(corpus: Encoded) -> None:
    assert list(corpus.folder.parent.iterdir()) == [corpus.folder]
    assert {path.suffix for path in corpus.folder.iterdir()} == {".npy", ".json"}


def test_another_process_opens_it_at_once_and_without_heavy_imports(
    corpus: Encoded, source: Path
) -> None:
    opened = [elsewhere(source, corpus.folder.parent) for _ in range(2)]
    assert opened[0][2] == "[]"
    assert min(float(seconds) for *_, seconds in opened) < 0.1


def test_arrays_are_mapped_and_of_the_documented_types(corpus: Encoded) -> None:
    copy = pickle.loads(pickle.dumps(corpus))
    assert copy == corpus
    assert len(pickle.dumps(corpus)) < 2_000
    assert tuple(copy.rows) == SPLITS
    for name, rows in copy.rows.items():
        split = copy.split(name)
        arrays = (split.tokens, split.offsets, split.labels)
        assert [array.dtype.name for array in arrays] == ["int32", "int64", "int64"]
        assert all(isinstance(array, np.memmap) for array in arrays)
        assert split.offsets.shape == (rows + 1,)
        assert split.labels.shape == (rows,)
        assert (np.diff(split.offsets) > 0).all()
        assert (split.offsets[0], split.offsets[-1]) == (0, len(split.tokens))
        assert split.tokens.min() > 0
        assert split.tokens.max() < copy.vocabulary_size
        assert set(split.labels.tolist()) <= set(range(len(copy.labels)))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def relabel(path: Path) -> None:
    """Valid JSON of the right form, but not what was written."""
    path.write_text(path.read_text(encoding="utf-8").replace("warm", "worm"), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, damage) for name in ("train.tokens.npy", "test.labels.npy", "meta.json")
          for damage in (Path.unlink, truncate, flip, empty)),
        ("meta.json", relabel),
    ],
)  # fmt: skip
def test_a_damaged_folder_is_rebuilt(
    name: str, damage: Callable[[Path], None], corpus: Encoded, source: Path
) -> None:
    built = contents(corpus.folder)
    damage(corpus.folder / name)
    assert prepare(DataConfig(source=str(source)), cache=corpus.folder.parent) == corpus
    assert contents(corpus.folder) == built
    assert list(corpus.folder.parent.iterdir()) == [corpus.folder]


def test_a_file_in_place_of_the_folder_is_replaced(corpus: Encoded, source: Path) -> None:
    aside = corpus.folder.rename(corpus.folder.with_name("aside"))
    corpus.folder.write_text("not a folder")
    assert prepare(DataConfig(source=str(source)), cache=corpus.folder.parent) == corpus
    assert contents(corpus.folder) == contents(aside)


def test_meta_that_is_valid_but_of_another_form_is_not_trusted(
    corpus: Encoded, source: Path
) -> None:
    for content in ("[]", "{}", '{"encoded": {}, "files": {}, "checksum": ""}'):
        (corpus.folder / "meta.json").write_text(content)
        assert prepare(DataConfig(source=str(source)), cache=corpus.folder.parent) == corpus


def test_processes_may_race_and_their_hash_seeds_do_not_matter(
    corpus: Encoded, source: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "race"
    with ThreadPoolExecutor(3) as pool:
        outcomes = pool.map(lambda seed: elsewhere(source, cache, PYTHONHASHSEED=seed), "012")
        found = [outcome[:2] for outcome in outcomes]
    assert found == [[corpus.fingerprint, corpus.split("train").tokens.tobytes().hex()]] * 3
    assert [path.name for path in cache.iterdir()] == [corpus.folder.name]
    assert contents(cache / corpus.folder.name) == contents(corpus.folder)


def test_changed_data_and_changed_settings_are_other_corpora(
    corpus: Encoded, source: Path, write: Write, small: Columns
) -> None:
    cache = corpus.folder.parent
    same = {"source": str(source)}
    others = [
        prepare(DataConfig(**same, max_length=3), cache=cache),
        prepare(DataConfig(**same, vocabulary_size=5), cache=cache),
        prepare(DataConfig(**same, tokenizer="characters"), cache=cache),
    ]
    assert {other.fingerprint for other in others} == {corpus.fingerprint}
    assert [other.max_length for other in others] == [3, 128, 128]
    assert others[1].vocabulary_size == 5
    assert np.diff(others[0].split("train").offsets).max() == 3
    # Same size, same time of change as far as a file system can tell: only the bytes differ.
    before = (source / "train.csv").stat()
    write(source / "train.csv", small | {"label": ["cold", "warm"] * 20})
    os.utime(source / "train.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = prepare(DataConfig(**same), cache=cache)
    assert changed.fingerprint != corpus.fingerprint
    assert len({corpus.folder, changed.folder, *(other.folder for other in others)}) == 5


def test_work_of_a_killed_process_is_removed_after_a_day(corpus: Encoded, source: Path) -> None:
    cache = corpus.folder.parent
    for name, age in (("old", 100_000), ("new", 10)):
        left = cache / f".work-{name}"
        left.mkdir()
        then = left.stat().st_mtime - age
        os.utime(left, (then, then))
    prepare(DataConfig(source=str(source), max_length=9), cache=cache)
    assert [path.name for path in cache.glob(".work-*")] == [".work-new"]


def test_a_refusal_leaves_the_cache_as_it_was(
    corpus: Encoded, tmp_path: Path, write: Write, small: Columns
) -> None:
    bad = write(tmp_path / "bad" / "train.csv", small | {"label": ["one"] * 40}).parent
    before = sorted(corpus.folder.parent.rglob("*"))
    with pytest.raises(Refused):
        prepare(DataConfig(source=str(bad)), cache=corpus.folder.parent)
    assert sorted(corpus.folder.parent.rglob("*")) == before
    with pytest.raises(Refused):
        prepare(DataConfig(source=str(bad)), cache=tmp_path / "new" / "cache")
    assert not (tmp_path / "new").exists()


def test_meta_holds_every_field(corpus: Encoded) -> None:
    meta = json.loads((corpus.folder / "meta.json").read_text(encoding="utf-8"))["encoded"]
    fields = {name: getattr(corpus, name) for name in Encoded.__slots__ if name != "folder"}
    lists = {name: list(fields[name]) for name in ("labels", "notes", "warnings")}
    assert meta == fields | lists
