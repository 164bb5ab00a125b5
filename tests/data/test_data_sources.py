"""Sources: every form a corpus may come in, and everything that is refused."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pytest
from huggingface_hub.errors import RepositoryNotFoundError
from tokenizers import Tokenizer

import ablation.task.text.data.read
from ablation.errors import Refused
from ablation.task.text.config import DataConfig
from ablation.task.text.data import Encoded, prepare

Columns = dict[str, list[Any]]
Write = Callable[[Path, Columns], Path]
Open = Callable[..., Encoded]
FORMATS = ["parquet", "csv", "jsonl", "json"]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    def open_(source: Path | str, **fields: Any) -> Encoded:
        return prepare(DataConfig(source=str(source), **fields), cache=tmp_path / "cache")

    return open_


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        ("trec", (4898, 544, 500), (6, "words")),
        ("thucnews_titles", (20_000, 2_000, 2_000), (10, "characters")),
        ("bbc_news", (1460, 209, 417), (5, "words")),
        ("sst2", (6917, 872, 1821), (2, "words")),
    ],
)
def test_real_sets(
    name: str, rows: tuple[int, ...], expected: tuple[int, str], real: Path, opened: Open
) -> None:
    corpus = opened(real / name)
    assert tuple(corpus.rows.values()) == rows
    assert corpus.name == name
    assert (len(corpus.labels), corpus.tokenizer) == expected
    for split in map(corpus.split, corpus.rows):
        assert set(split.labels.tolist()) == set(range(len(corpus.labels)))
        # Little of any real split is unknown; more would mean two different tokenisations.
        assert (split.tokens == 1).mean() < 0.12


def test_validation_of_trec_is_a_tenth_of_every_class(real: Path, opened: Open) -> None:
    corpus = opened(real / "trec")
    train, validation = (np.bincount(corpus.split(x).labels) for x in ("train", "validation"))
    assert corpus.labels == ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
    # Shares count distinct texts: repeats inside train let a class stray by a few rows.
    assert (np.abs(validation - 0.1 * (train + validation)) <= 4).all()


HARD = [
    *("NA", "null", "", "nan", "007", "1e5", "True", "a,b", 'say "so"', "two\nlines", "\ttab"),
    *("naïve café", "新闻，标题", "\U0001f600", " padded ", "-", "1", "N/A", "#c", "'q'"),
]


@pytest.mark.parametrize(
    "label", [["07", "8"] * 10, ["07", "NA"] * 10, [3, 12] * 10, ["true", "1.0"] * 10]
)
def test_fingerprint_and_arrays_are_the_same_in_every_format(
    label: list[Any], tmp_path: Path, write: Write, opened: Open
) -> None:
    columns = {"id": [*range(19), 99], "text": HARD, "label": label}
    folders = [write(tmp_path / kind / f"train.{kind}", columns).parent for kind in FORMATS]
    first, *others = [opened(folder) for folder in folders]
    assert {other.fingerprint for other in others} == {first.fingerprint}
    assert {other.labels for other in others} == {tuple(sorted(set(map(str, label))))}
    tokens = [corpus.split("train").tokens.tolist() for corpus in (first, *others)]
    assert tokens == tokens[:1] * 4


def test_a_csv_file_may_begin_with_a_byte_order_mark(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    plain = write(tmp_path / "plain.csv", small)
    marked = tmp_path / "marked.CSV"
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    assert opened(marked).fingerprint == opened(plain).fingerprint


def test_a_csv_file_may_be_separated_by_semicolons(
    tmp_path: Path, write: Write, opened: Open
) -> None:
    columns = {"text": HARD, "label": ["a", "b"] * 10}
    plain, other = write(tmp_path / "plain.csv", columns), tmp_path / "other.csv"
    with (
        plain.open(newline="", encoding="utf-8") as rows,
        other.open("w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file, delimiter=";").writerows(csv.reader(rows))
    assert opened(other).fingerprint == opened(plain).fingerprint


def test_a_file_is_a_train_split(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    file = write(tmp_path / "all.of-it.jsonl", small)
    folder = write(tmp_path / "set" / "train.csv", small).parent
    one, other = opened(file), opened(folder)
    assert one.name == "all.of-it"
    assert one.source == str(file)
    assert one.rows == {"train": 28, "validation": 4, "test": 8}
    assert one.fingerprint == other.fingerprint


def test_columns_go_by_the_names_given(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    plain = opened(write(tmp_path / "plain.csv", small))
    for kind in FORMATS:
        file = write(tmp_path / f"named.{kind}", {"y": small["label"], "x z": small["text"]})
        assert opened(file, text="x z", label="y").fingerprint == plain.fingerprint


def test_odd_paths(
    tmp_path: Path, write: Write, small: Columns, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "[a] *b?" / ".hid den" / "train.json", small).parent
    (folder / "inside").mkdir()
    monkeypatch.chdir(folder)
    for spelling in (folder, ".", f"{folder}/../{folder.name}/", "inside/.."):
        assert opened(spelling).name == ".hid den"


def test_rows_keep_their_order_their_tokens_and_their_class(
    tmp_path: Path, write: Write, opened: Open
) -> None:
    label = [f"class {i * 7 % 11}" for i in range(33)]
    columns = {"text": [f"word{i} and number {i}" for i in range(33)], "label": label}
    for name in ("train", "validation", "test"):
        write(tmp_path / "set" / f"{name}.csv", columns)
    corpus = opened(tmp_path / "set")
    tokenizer = Tokenizer.from_file(str(corpus.folder / "tokenizer.json"))
    assert corpus.labels == tuple(sorted(set(label)))
    for split in map(corpus.split, corpus.rows):
        assert [corpus.labels[number] for number in split.labels] == label
        words = [tokenizer.id_to_token(token) for token in split.tokens]
        rows = [" ".join(words[a:b]) for a, b in pairwise(split.offsets)]
        assert rows == columns["text"]


def test_a_local_path_wins_over_a_hub_id(
    tmp_path: Path, write: Write, small: Columns, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "owner" / "name" / "train.csv", small)
    monkeypatch.chdir(tmp_path)
    corpus = opened("owner/name")
    assert (corpus.name, corpus.source) == ("name", "owner/name")


def test_a_text_without_a_token_is_one_unknown_token(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    write(tmp_path / "set" / "train.csv", small)
    write(tmp_path / "set" / "test.csv", {"text": ["red", "  ", ""], "label": ["warm"] * 3})
    split = opened(tmp_path / "set").split("test")
    assert split.offsets.tolist() == [0, 1, 2, 3]
    assert split.tokens[1:].tolist() == [1, 1]


def hub(columns: Columns, *, names: list[str] | None = None) -> datasets.Dataset:
    features = None
    if names:
        label = datasets.ClassLabel(names=names)
        features = datasets.Features({"text": datasets.Value("string"), "label": label})
    return datasets.Dataset.from_dict(columns, features=features)


@pytest.fixture
def on_hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Lets the Hub hold some splits; returns the list of what it is asked for."""

    def hold(**splits: datasets.Dataset) -> list[Any]:
        asked: list[Any] = []

        def load_dataset(*args: Any, **kwargs: Any) -> datasets.DatasetDict:
            asked.append((*args, kwargs["revision"], kwargs["cache_dir"]))
            return datasets.DatasetDict(splits)

        def dataset_info(_: object, *args: Any, **kwargs: Any) -> None:
            asked.append((*args, kwargs["revision"]))

        monkeypatch.setattr(ablation.task.text.data.read, "load_dataset", load_dataset)
        monkeypatch.setattr(ablation.task.text.data.read.HfApi, "dataset_info", dataset_info)
        return asked

    return hold


def test_a_hub_corpus_is_pinned_kept_and_named(
    on_hub: Callable[..., list[Any]], small: Columns, opened: Open, tmp_path: Path
) -> None:
    numbers = small | {"label": [1, 0] * 20}
    asked = on_hub(train=hub(numbers, names=["cool", "warm"]), unsupervised=hub({"text": ["a"]}))
    corpus = opened("owner/some_set", revision="abc123")
    downloads = str(tmp_path / "cache" / "downloads" / "datasets")
    assert asked == [("owner/some_set", "abc123"), ("owner/some_set", "abc123", downloads)]
    assert (corpus.name, corpus.source) == ("some_set", "owner/some_set")
    assert corpus.labels == ("cool", "warm")
    assert tuple(corpus.rows) == ("train", "validation", "test")
    assert opened("owner/some_set", revision="abc123") == corpus
    assert len(asked) == 2
    assert opened("owner/some_set", revision="def456").folder != corpus.folder


@pytest.mark.parametrize("hidden", [[-1] * 40, [None] * 40, [1, -1] * 20])
def test_hidden_labels_are_refused(
    hidden: list[Any], on_hub: Callable[..., list[Any]], small: Columns, opened: Open
) -> None:
    train = small | {"label": [1, 0] * 20}
    for names in (["cool", "warm"], None):
        on_hub(train=hub(train, names=names), test=hub(small | {"label": hidden}, names=names))
        with pytest.raises(Refused, match=r"test.*hidden labels") as refusal:
            opened("owner/set")
        assert "test" in refusal.value.way_out


def test_a_hub_corpus_without_train_is_refused(
    on_hub: Callable[..., list[Any]], small: Columns, opened: Open
) -> None:
    on_hub(dev=hub(small), corpus=hub(small))
    with pytest.raises(Refused, match="no split train; found: dev, corpus"):
        opened("owner/set")


def test_a_hub_id_or_revision_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch, opened: Open
) -> None:
    def unknown(*_: object, **__: object) -> None:
        response = SimpleNamespace(headers={}, request=None)
        raise RepositoryNotFoundError("404", response=response)

    monkeypatch.setattr(ablation.task.text.data.read.HfApi, "dataset_info", unknown)
    with pytest.raises(Refused, match="has no 'owner/set' at revision 'abc'"):
        opened("owner/set", revision="abc")


def test_a_hub_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch, opened: Open
) -> None:
    def hang(*_: object, **__: object) -> None:
        time.sleep(5)

    monkeypatch.setattr(ablation.task.text.data.read, "HUB_SECONDS", 0.1)
    monkeypatch.setattr(ablation.task.text.data.read.HfApi, "dataset_info", hang)
    start = time.perf_counter()
    with pytest.raises(Refused, match="cannot be reached"):
        opened("owner/set")
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize(
    "environment", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://[::1]:9"}]
)
def test_without_network_a_hub_id_fails_soon_in_two_lines(
    environment: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import sys, pathlib; from ablation.task.text.config import DataConfig\n"
        "from ablation.task.text.data import prepare\n"
        "try: prepare(DataConfig(source='docstring'), cache=pathlib.Path(sys.argv[1]))\n"
        "except ValueError as refusal: print(refusal)"
    )
    home = tmp_path / "home"
    home.mkdir()
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "cache")],
        env=os.environ | environment | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert time.perf_counter() - start < 25
    first, second = done.stdout.splitlines()
    assert "cannot be reached" in first
    assert "Did you mean 'docstrings'?" in first
    assert "local folder or file" in second
    assert done.stderr == ""
    assert [*home.iterdir()] == []
    assert not (tmp_path / "cache").exists()


def raw(path: str, content: bytes) -> Callable[[Path, Write, Columns], Path]:
    def make(folder: Path, write: Write, small: Columns) -> Path:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return folder / path.partition("/")[0]

    return make


def table(path: str, **changed: list[Any]) -> Callable[[Path, Write, Columns], Path]:
    def make(folder: Path, write: Write, small: Columns) -> Path:
        if not path.startswith("train"):
            write(folder / "set" / "train.parquet", small)
        return write(folder / "set" / path, small | changed).parent

    return make


def renamed(path: str) -> Callable[[Path, Write, Columns], Path]:
    def make(folder: Path, write: Write, small: Columns) -> Path:
        return write(folder / path, {"sentence": small["text"], "label": small["label"]})

    return make


def nothing(folder: Path, write: Write, small: Columns) -> Path:
    (folder / "set").mkdir()
    return folder / "set"


def twice(folder: Path, write: Write, small: Columns) -> Path:
    write(folder / "set" / "train.parquet", small)
    return write(folder / "set" / "train.csv", small).parent


NULL = [None, *["text"] * 39]
REFUSED = {
    "no such path": (lambda folder, *_: folder / "none", "No file or folder", "Hub id"),
    "no such path, spaces": (lambda *_: "my data", "No file or folder", "Hub id"),
    "a text for a path": (lambda *_: "a text " * 99, "No file or folder", "Hub id"),
    "no such user": (lambda *_: "~nobody-of-that-name/set", "No file or folder", "Hub id"),
    "empty name": (lambda *_: "", "No file or folder", "Hub id"),
    "empty folder": (nothing, "is empty", "train"),
    "no train": (raw("set/test.csv", b"text,label\n"), "no train file; found: test.csv", "train"),
    "unknown type": (raw("all.txt", b"text"), "unknown file type '.txt'", ".parquet"),
    "no type": (raw("all", b"text"), "unknown file type ''", ".parquet"),
    "two trains": (twice, "two files for one split: train.csv", "Keep one"),
    "not parquet": (raw("all.parquet", b"PAR1 nothing"), "cannot be read as parquet", "Repair"),
    "empty parquet": (raw("all.parquet", b""), "cannot be read as parquet", "Repair"),
    "not json": (raw("all.jsonl", b"{'text'"), "cannot be read as json", "Repair"),
    "empty csv": (raw("all.csv", b""), "no column 'text'; found: nothing", "TEXT=... LABEL=..."),
    "ragged csv": (raw("a.csv", b"text,label\na,b\na,b,c\n"), "Row 2 of.*3 fields", "quotes"),
    "index csv": (raw("a.csv", b"text,label\n0,a,b\n1,a,c\n"), "Row 1 of.*3 fields", "quotes"),
    "short csv": (raw("a.csv", b"text,label\na,b\na\n"), "Row 2 of.*1 fields", "quotes"),
    "latin csv": (raw("a.csv", b"text,label\n\xe9,b\n"), "cannot be read as csv", "UTF-8"),
    "semicolons": (raw("a.csv", b"sentence;label\na;b\n"), "found: 'sentence', 'label'", "TEXT="),
    "bad line": (raw("all.jsonl", b'{"text": "a", "label": "x"}\n\n{"text"'), "line 3", "Repair"),
    "no header": (raw("a.csv", b"good,pos\nbad,neg\n"), "line.*found: 'good', 'pos'", "TEXT="),
    "column, csv": (renamed("a.csv"), "no column 'text'; found: 'sentence', 'label'", "--text"),
    "column, json": (renamed("a.json"), "no column 'text'; found: 'sentence'", "TEXT="),
    "column, parquet": (renamed("a.parquet"), "no column 'text'; found: 'sentence'", "TEXT="),
    "null text": (table("train.parquet", text=NULL), "Row 1 of train has no text", "Fill"),
    "null label": (table("train.parquet", label=NULL), "Row 1 of train has no class", "Fill"),
    "no label, csv": (raw("a.csv", b"text,label\na,x\nb,\n"), "Row 2 of train has no cl", "Fill"),
    "numbers as text": (table("train.jsonl", text=[7] * 40), "hold text; found: int", "TEXT="),
    "real labels": (table("train.parquet", label=[0.5] * 40), "integers; found: float", "LABEL="),
    "list labels": (table("train.parquet", label=[["a"]] * 40), "integers; found: list", "LABEL="),
    "one class": (table("train.parquet", label=["a"] * 40), "one class: 'a'", "two classes"),
    "new in test": (table("test.csv", label=["a"] * 40), "test has.*lacks: 'a'", "leave test"),
    "new in validation": (table("validation.csv", label=["a"] * 40), "lacks: 'a'", "validation"),
    "empty test, csv": (table("test.csv", text=[], label=[]), "test is empty", "row"),
    "empty test": (table("test.parquet", text=[], label=[]), "test is empty", "row"),
    "empty test, json": (table("test.json", text=[], label=[]), "test is empty", "row"),
    "no rows at all": (raw("all.jsonl", b"\n"), "is empty", "row"),
    "too few rows": (raw("a.csv", b"text,label\na,x\nb,y\n"), "validation is empty", "row"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_two_lines_and_writes_nothing(
    case: str, tmp_path: Path, write: Write, small: Columns, capfd: pytest.CaptureFixture[str]
) -> None:
    make, words, way_out = REFUSED[case]
    source = make(tmp_path, write, small)
    with pytest.raises(Refused, match=words) as refusal:
        prepare(DataConfig(source=str(source)), cache=tmp_path / "cache")
    assert way_out in refusal.value.way_out
    assert str(refusal.value).count("\n") == 1
    assert len(refusal.value.rule) < 800 + len(str(tmp_path))
    assert capfd.readouterr() == ("", "")
    assert not (tmp_path / "cache").exists()
