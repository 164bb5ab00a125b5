"""Readers of study files and data under random input: a value or two lines, no other error."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablation.errors import Refused
from ablation.records.addresses import checked
from ablation.study.load import load
from ablation.study.spec import Study
from ablation.task.text.config import DataConfig
from ablation.task.text.data import prepare
from ablation.task.text.data.tables import read_table

EASY = settings(deadline=None, max_examples=80)

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner)
    | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FIELDS = sorted({*Study.__dataclass_fields__} - {"complete_arms", "folder"})


def two_lines(call: Callable[[], object]) -> None:
    refusal = None
    try:
        call()
    except Refused as error:
        refusal = error
    if refusal is not None:
        assert refusal.rule
        assert refusal.way_out


@EASY
@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=2))
def test_any_value_of_any_field_is_taken_or_refused(changes: dict[str, Any]) -> None:
    usual = {"name": "s", "question": "Q?", "factor": "model.dropout", "levels": (0.1, 0.2),
             "baseline": 0.1}  # fmt: skip
    two_lines(lambda: Study(**(usual | changes)))


@EASY
@given(st.lists(VALUES, max_size=4), VALUES, st.sampled_from(
    ["model.dropout", "model.pooling", "train.epochs", "model.attention.fill", "data.tokenizer"]
))  # fmt: skip
def test_any_levels_are_taken_or_refused(levels: list[Any], baseline: Any, factor: str) -> None:
    two_lines(
        lambda: Study(name="s", question="Q?", factor=factor, levels=levels, baseline=baseline)
    )


@EASY
@given(st.binary(max_size=60))
def test_any_bytes_of_a_study_file_are_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.py"
        path.write_bytes(
            b"# " + content.replace(b"\n", b"").replace(b"\r", b"") + b"\nstudy = 1\n"
        )
        with pytest.raises(Refused):
            load(str(path), Path(folder))


@EASY
@given(st.text(max_size=40))
def test_any_name_of_a_study_is_refused(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises(Refused):
        load(name, Path(folder))


@EASY
@given(st.text(max_size=60) | st.from_regex(r"\A(sqlite|postgresql|https?)://.{0,40}\Z"))
def test_any_address_is_taken_or_refused(address: str) -> None:
    two_lines(lambda: checked(address, "ABLATION_STORAGE", server=True))


JSON_ROWS = st.lists(st.fixed_dictionaries({}, optional={"text": VALUES, "label": VALUES}) | PLAIN)
LINES = st.lists(st.text(max_size=20) | st.sampled_from(["text,label", "a,x", '"', "\\", "\t"]))


@EASY
@given(
    st.sampled_from(["csv", "tsv", "json", "jsonl"]),
    st.binary(max_size=80)
    | LINES.map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))
    | LINES.map(lambda lines: "\n".join(["text,label", *lines]).encode("utf-8", "replace"))
    | JSON_ROWS.map(lambda rows: json.dumps(rows).encode())
    | JSON_ROWS.map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
)
def test_any_table_is_read_or_refused(kind: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"train.{kind}"
        path.write_bytes(content)
        two_lines(lambda: read_table(path, "train", DataConfig()))


TEXTS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=20)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(TEXTS, st.sampled_from(["a", "A", "b ", "b"])), max_size=30))
def test_any_corpus_is_prepared_or_refused(rows: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.json"
        path.write_text(json.dumps([{"text": text, "label": label} for text, label in rows]))
        two_lines(lambda: prepare(DataConfig(source=str(path)), cache=Path(folder) / "cache"))
