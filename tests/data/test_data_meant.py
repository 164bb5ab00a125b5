"""Data are read as they are meant, or it is said how they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from ablation.errors import Refused
from ablation.task.text.config import DataConfig
from ablation.task.text.data import Encoded, prepare
from ablation.task.text.data.tokens import choose

Columns = dict[str, list[Any]]
Write = Callable[[Path, Columns], Path]
Open = Callable[..., Encoded]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    def open_(source: Path | str, **fields: Any) -> Encoded:
        return prepare(DataConfig(source=str(source), **fields), cache=tmp_path / "cache")

    return open_


def other(small: Columns, word: str) -> Columns:
    return small | {"text": [f"{word} {text}" for text in small["text"]]}


def file_text(columns: Columns) -> str:
    rows = zip(*other(columns, "so").values(), strict=True)
    return "\n".join("\t".join(row) for row in [tuple(columns), *rows]) + "\n"


@pytest.mark.parametrize("name", ["dev", "val", "valid", "validation", "eval", "Dev", "VALID"])
def test_usual_names_of_validation_are_taken(
    name: str, tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    write(tmp_path / "set" / f"{name}.csv", other(small, "so"))
    write(tmp_path / "set" / "train.csv", small)
    file = tmp_path / "set" / f"{name}.csv"
    file.rename(file.with_suffix(".tsv")).write_text(file_text(small))
    corpus = opened(tmp_path / "set")
    assert corpus.rows == {"train": 32, "validation": 40, "test": 8}
    assert f"validation 40 ({name}.tsv)" in corpus.notes[0]
    assert "test 8 (taken from train)" in corpus.notes[0]


def test_shards_are_one_split_in_their_order(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    parts = [{name: values[i : i + 4] for name, values in small.items()} for i in range(0, 40, 4)]
    for number, part in enumerate(parts):
        write(tmp_path / "of" / f"train-{number:05}-of-00010.parquet", part)
        write(tmp_path / "plain" / f"train_{number}.jsonl", part)
    whole = opened(write(tmp_path / "one" / "train.csv", small).parent)
    assert opened(tmp_path / "of").fingerprint == whole.fingerprint
    assert opened(tmp_path / "plain").fingerprint == whole.fingerprint
    (tmp_path / "of" / "train-00003-of-00010.parquet").unlink()
    with pytest.raises(Refused, match="9 of 10 shards"):
        opened(tmp_path / "of")


@pytest.mark.parametrize("splits", [False, True])
def test_a_folder_of_save_to_disk_is_read(
    splits: bool, tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    table = datasets.Dataset.from_dict(small)
    saved = datasets.DatasetDict({"train": table}) if splits else table
    saved.save_to_disk(str(tmp_path / "saved"))
    plain = opened(write(tmp_path / "one" / "train.csv", small).parent)
    assert opened(tmp_path / "saved").fingerprint == plain.fingerprint


def test_files_of_no_split_are_named(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    write(tmp_path / "set" / "unlabelled.csv", small)
    corpus = opened(write(tmp_path / "set" / "train.csv", small).parent)
    assert "not read: unlabelled.csv" in corpus.notes[0]


def test_three_lines_say_what_was_read(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    notes = opened(write(tmp_path / "set" / "train.csv", small).parent).notes
    assert notes == (
        "Rows of set: train 28 (train.csv), validation 4 (taken from train), test 8 (taken from "
        "train).",
        "Rows by class (train, validation, test): 'warm' 14/2/4, 'cold' 14/2/4.",
        "Script: Latin (100 % of the letters); tokens are words, 6.2 % of those in test are "
        "unknown.",
    )


def test_tabs_with_loose_quotes_are_read_row_by_row(tmp_path: Path, opened: Open) -> None:
    rows = [f'"{w} is said {i} times\t{w}' for i in range(20) for w in ("one", "two")]
    (tmp_path / "train.tsv").write_text("text\tlabel\n" + "\n".join(rows) + "\n")
    assert sum(opened(tmp_path / "train.tsv").rows.values()) == 40
    quoted = [f'"{w} said ""{i}"""\t{w}' for i in range(20) for w in ("one", "two")]
    plain = [f'{w} said "{i}",{w}' for i in range(20) for w in ("one", "two")]
    (tmp_path / "train.tsv").write_text("text\tlabel\n" + "\n".join(quoted) + "\n")
    (tmp_path / "plain.csv").write_text("text,label\n" + "\n".join(plain) + "\n")
    first, second = opened(tmp_path / "train.tsv"), opened(tmp_path / "plain.csv")
    assert first.fingerprint == second.fingerprint


def warned(corpus: Encoded) -> str:
    return "\n".join(corpus.warnings)


def test_texts_of_test_that_are_in_train_are_counted(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    write(tmp_path / "set" / "test.csv", small | {"text": [t.upper() for t in small["text"]]})
    corpus = opened(write(tmp_path / "set" / "train.csv", small).parent)
    assert "40 of 40 texts of test (100 %) are in train" in warned(corpus)


def test_classes_that_differ_by_case_or_space_are_named(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    labels = ["warm", "cold", "Warm", "cold "] * 10
    corpus = opened(write(tmp_path / "train.csv", small | {"label": labels}))
    assert "apart: 'warm' (" in warned(corpus)
    assert "'cold ' (" in warned(corpus)


def test_accents_written_in_two_ways_are_made_one(tmp_path: Path, opened: Open) -> None:
    for split, accent in {"train": "\u00fc", "test": "u\u0308"}.items():
        rows = [f"{accent}bel {w}{i},{w}" for i in range(20) for w in ("neg", "pos")]
        (tmp_path / f"{split}.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    corpus = opened(tmp_path)
    assert "made one (NFC) in the texts: 40 of test" in warned(corpus)
    test = corpus.split("test")
    assert test.tokens[0] == corpus.vocabulary()["\u00fcbel"]


def test_a_class_that_a_split_lacks_is_named(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    write(tmp_path / "set" / "test.csv", {"text": ["so"] * 4, "label": ["warm"] * 4})
    corpus = opened(write(tmp_path / "set" / "train.csv", small).parent)
    assert "test has no row of 1 of 2 classes: 'cold'." in warned(corpus)


def test_a_rare_class_is_named(tmp_path: Path, write: Write, opened: Open) -> None:
    labels = ["warm"] * 150 + ["cold"] * 150 + ["wet"]
    columns = {"text": [f"text {i}" for i in range(301)], "label": labels}
    write(
        tmp_path / "set" / "test.csv", {"text": ["a", "b", "c"], "label": ["warm", "cold", "wet"]}
    )
    write(tmp_path / "set" / "validation.csv", {"text": ["d"] * 9, "label": ["warm"] * 9})
    corpus = opened(write(tmp_path / "set" / "train.csv", columns).parent)
    assert "1 of 3 classes have less than 1 % of the 301 rows of train each: 'wet' (1)." in warned(
        corpus
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('he said \\"no\\" {}', "hold a backslash before a quote"),
        ('one "\nred {},warm\nblue', "hold a line that ends in a class"),
        ('"a text {}"', "begin and end with a quote"),
    ],
)
def test_odd_quotes_are_counted(
    text: str, words: str, tmp_path: Path, write: Write, opened: Open
) -> None:
    columns = {"text": [text.format(i) for i in range(40)], "label": ["warm", "cold"] * 20}
    corpus = opened(write(tmp_path / "train.csv", columns))
    assert f"40 of 40 texts {words}" in warned(corpus)


def test_plain_data_give_no_warning(
    tmp_path: Path, write: Write, small: Columns, opened: Open
) -> None:
    assert opened(write(tmp_path / "train.csv", small)).warnings == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("อาหารที่นี่อร่อยมาก", "characters"),
        ("ອາຫານແຊບຫຼາຍ", "characters"),
        ("អាហារឆ្ងាញ់ណាស់", "characters"),
        ("这里的菜很好吃", "characters"),
        ("mixed ภาษา words mostly English", "words"),
        ("맛있는 음식이 많아요", "words"),
        ("Вкусная еда", "words"),
    ],
)
def test_scripts_without_spaces_take_characters(text: str, kind: str) -> None:
    assert choose([text]) == kind
