"""Wrong input of every kind: two lines with cause and way out, exit code 2, nothing written."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ablation import cli

LONGEST = 700
"""Letters of a line."""

STUDY = """
from math import inf, nan
from ablation.config import Constant, Normal, RunConfig, Uniform
from ablation.spec import Study

given = dict(
    name="s", question="Q?", factor="model.dropout", levels=(0.1, 0.2), baseline=0.1, seeds=2
)
study = Study(**(given | dict({})))
"""
ARMS = "factor=None, levels=(), baseline='a', arms="

FIELDS: dict[str, str] = {
    "name=7": "name of a study must be a text; got 7",
    "name='S'": "matches [a-z][a-z0-9_]*",
    "name=''": "matches [a-z][a-z0-9_]*",
    "name='../x'": "matches [a-z][a-z0-9_]*",
    "name='a' * 300": "at most 100 letters",
    "name='s\\n'": "matches [a-z][a-z0-9_]*",
    "question=None": "question of a study must be a text; got None",
    "title=7": "title of a study must be a text; got 7",
    "title=b'x'": "title of a study must be a text",
    "factor=3": "factor of a study must be a text or None; got 3",
    "factor='model.dropot'": "Did you mean 'model.dropout'?",
    "factor=''": "No field ''",
    "levels='abc'": "levels of a study must be a list or tuple; got 'abc'",
    "levels=0.1": "levels of a study must be a list or tuple",
    "levels=(x for x in (0.1, 0.2))": "levels of a study must be a list or tuple",
    "levels=(0.1, object)": "dropout cannot be <class",
    "levels=(0.1, nan)": "dropout must be in [0, 1); got nan",
    "levels=(0.1, 10**400)": "dropout cannot be 1000",
    "levels=(0.1,)": "has 1 arm(s)",
    "levels=()": "has 0 arm(s)",
    "baseline=None": "names no baseline",
    "metric=None": "metric of a study must be",
    "metric='acuracy'": "Did you mean 'accuracy'?",
    "margin='1'": "margin of a study must be a number or None; got '1'",
    "margin=inf": "A margin must be > 0 and at most 1",
    "margin=nan": "A margin must be > 0 and at most 1",
    "margin=500": "A margin must be > 0 and at most 1",
    "margin=True": "margin of a study must be a number or None; got True",
    "floor=500.0": "floor must be finite and at most 1",
    "floor=-inf": "floor must be finite",
    "floor='low'": "floor of a study must be",
    "collapse=inf": "collapse must be >= 0 and at most 1",
    "collapse=nan": "collapse must be >= 0",
    "collapse='quarter'": "collapse of a study must be",
    "scope='all'": "scope of a study must be",
    "seeds=10**9": "at most 10,000 seeds; got 1,000,000,000",
    "seeds=0": "at least 1 seed; got 0",
    "seeds=2.0": "seeds of a study must be a whole number; got 2.0",
    "seeds='2'": "seeds of a study must be a whole number; got '2'",
    "seeds=True": "seeds of a study must be a whole number; got True",
    "looks=(1.5,)": "looks of a study must be a list or tuple, each item a whole number",
    "looks=5": "looks of a study must be a list or tuple",
    "looks=(5, 10**9)": "at most 10,000 seeds",
    "looks=(5, 5)": "Looks must be ascending",
    "looks=(5, 8), spend=(nan, nan)": "spend must hold one number > 0 per look",
    "looks=(5, 8), spend=(0.01,)": "spend must hold one number > 0 per look",
    "looks=(5, 8), spend='ab'": "spend of a study must be a list or tuple",
    "numerics='yes'": "numerics of a study must be True or False",
    "caveats='Only a toy corpus.'": "caveats of a study must be a list or tuple",
    "caveats=(7,)": "caveats of a study must be a list or tuple, each item a text",
    "config=None": "config of a study must be a RunConfig; got None",
    "task=None": "task of a study must be a Task",
    "run=7": "run of a study must be a function or None",
    "data='trec'": "data of a study must be a list or tuple",
    "unknown=1": "unexpected keyword argument 'unknown'",
    ARMS + "{'a': {}, '': {'model.dropout': 0.2}}": "is named ''; a name is 1 to 200 printable",
    ARMS + "{'a': {}, ' ': {'model.dropout': 0.2}}": "is named ' '",
    ARMS + "{'a': {}, 'b\\n': {'model.dropout': 0.2}}": "printable letters",
    ARMS + "{'a': {}, 'b' * 300: {'model.dropout': 0.2}}": "printable letters",
    ARMS + "{'a': {}, 7: {'model.dropout': 0.2}}": "arms of a study must be a mapping",
    ARMS + "{'a': {}, 'b': {'seed_offset': 'x'}}": "seed_offset of arm 'b' must be a whole number",
    ARMS + "{'a': {}, 'b': {'seed_offset': -1}}": "seed_offset of arm 'b' must be a whole number",
    ARMS + "{'a': {}, 'b': {'seed_offset': 10**30}}": "seed_offset of arm 'b' must be a whole",
    ARMS + "{'a': {}, 'b': {'seed_offset': True}}": "seed_offset of arm 'b' must be a whole",
    ARMS + "{'a': {}, 'b': {'model.dropout': 2.0}}": "dropout must be in [0, 1); got 2.0",
    ARMS + "[('a', {})]": "arms of a study must be a mapping",
    "factor='model.attention.bias_init', levels=('zeros', Uniform(1e39)), baseline='zeros'":
        "bound must be finite in float32 and >= 0; got 1e+39",
    "factor='model.attention.bias_init', levels=('zeros', Constant(-1e39)), baseline='zeros'":
        "value must be finite in float32; got -1e+39",
    "factor='model.attention.init_std', levels=(0.1, 1e39), baseline=0.1": "finite in float32",
    "factor='model.attention.dtype', levels=('float32', 'float16'), baseline='float32'":
        "fill must be",
}  # fmt: skip

FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "defines no variable `study`"),
    "exit": (b"import sys\nsys.exit(0)\n", "line 2, raised SystemExit: 0"),
    "syntax": (b"study = (\n", "line 1, raised SyntaxError"),
    "raises": (b"raise ValueError('x' * 9000)\n", "line 1, raised ValueError: xxx"),
    "lines": (b"raise ValueError('one\\ntwo\\nthree')\n", "raised ValueError: one"),
    "null": (b"study = 1\0\n", "raised SyntaxError"),
    "latin": (b"study = '\xe9'\n", "raised SyntaxError"),
    "codec": (b"# coding: nonesuch\nstudy = 1\n", "raised SyntaxError"),
    "endless": (b"def f(): return f()\nf()\n", "raised RecursionError"),
    "memory": (b"raise MemoryError\n", "raised MemoryError"),
    "import": (b"import nonesuch\n", "raised ModuleNotFoundError: No module named 'nonesuch'"),
    "other": (b"study = 'init_std'\n", "defines no variable `study`"),
}

ADDRESSES: dict[str, str] = {
    "ABLATION_STORAGE=nonsense": "is not the address of an SQLite file",
    "ABLATION_STORAGE=sqlite://": "is not the address of an SQLite file",
    "ABLATION_STORAGE=sqlite:///:memory:": "is not the address of an SQLite file",
    "ABLATION_STORAGE=redis://me:geheim@host/0": "redis://host/0' is not the address",
    "ABLATION_STORAGE=http://host": "is not the address",
    "ABLATION_STORAGE=postgresql://": "is not the address",
    "ABLATION_STORAGE=postgresql://me:geheim@host:port/db": "is not the address",
    "ABLATION_STORAGE=postgresql+psycopg://me:geheim@host:99999/db": "is not the address",
    "MLFLOW_TRACKING_URI=nonsense": "or a tracking server",
    "MLFLOW_TRACKING_URI=./mlruns": "or a tracking server",
    "MLFLOW_TRACKING_URI=file:///mlruns": "or a tracking server",
    "MLFLOW_TRACKING_URI=databricks": "or a tracking server",
    "MLFLOW_TRACKING_URI=http://": "or a tracking server",
    "MLFLOW_TRACKING_URI=http://me:geheim@:5000": "or a tracking server",
    "MLFLOW_TRACKING_URI=https://me:ge@heim@host:x/": "or a tracking server",
}

ARGUMENTS: dict[tuple[str, ...], str] = {
    ("plan", "nonesuch"): "No study 'nonesuch'",
    ("plan", "x" * 300): "No study 'xxx",
    ("plan", "../s"): "neither the name of a study nor the path",
    ("plan", ""): "neither the name of a study nor the path",
    ("plan", "folder.py"): "No study 'folder.py'",
    ("plan", "dangling.py"): "No study 'dangling.py'",
    ("plan", f"{'x' * 300}.py"): "No study 'xxx",
    ("status", "s.py", "--store", ""): "'--store': '' names no folder",
    ("status", "s.py", "--store", "s.py"): "'s.py' is no folder",
    ("run", "s.py", "--reports", "s.py"): "'s.py' is no folder",
    ("run", "s.py", "--workers", "0"): "workers are possible; got 0",
    ("run", "s.py", "--workers", "1000000"): "workers are possible; got 1000000",
    ("run", "s.py", "--device", "tpu"): "No device 'tpu'",
    ("run", "s.py", "--seeds", "many"): "Invalid value for '--seeds'",
    ("run",): "Missing argument",
    ("run", "s.py", "--nonsense"): "No such option",
    ("run", "s.py", "--workers-at", "tcp://h:1", "--workers-from", "m:f"): "exclude each other",
    ("run", "s.py", "--workers-at", "tcp://h:1", "--workers", "2"): "knows its own workers",
    ("run", "s.py", "--workers-at", "nonsense://h:1"): "No Dask scheduler answers",
    ("run", "s.py", "--workers-from", "nonsense"): "names no factory of an executor",
    ("run", "s.py", "--workers-from", "no_such_module:f"): "raised ModuleNotFoundError",
    ("run", "s.py", "--workers-from", "os:getcwd"): "returned str, no concurrent.futures.Executor",
    ("run", "s.py", "--workers-from", "os:nothing"): "raised AttributeError",
    ("doctor",): "Missing option '--workers-at'",
    ("doctor", "--workers-at", "nonsense"): "has no port",
    ("walk",): "No such command 'walk'",
    ("ui", "--port", "70000"): "There is no port 70000",
    ("ui",): "Nothing is recorded",
    ("report", "s.py"): "Nothing is recorded",
    ("report", "s.py", "--store", "broken"): "broken",
    ("backup", "copy"): "Nothing is recorded",
    ("rebuild", "nowhere"): "holds no report",
    ("rebuild", "s.py"): "holds no report",
    ("rebuild", "--check", "folder.py"): "holds no report",
}


def json_lines(*rows: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "train.jsonl").write_text("\n".join(rows) + "\n")


def text(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


ROW = '{"text": "a", "label": "x"}'
DATA: dict[str, tuple[Callable[[Path], object], tuple[str, ...], str]] = {
    "null": (text("train.json", "null"), (), "Row 1 of .* is no object, but None"),
    "null rows": (json_lines(ROW, "null"), (), "Row 2 of .* is no object, but None"),
    "a number": (text("train.json", "[1, 2]"), (), "Row 1 of .* is no object, but int"),
    "deep": (text("train.json", "[" * 100_000), (), "cannot be read as json"),
    "a null text": (json_lines('{"text": null, "label": 1}'), (), "Row 1 of train has no text"),
    "mixed classes": (json_lines(ROW, '{"text": "b", "label": [1]}'), (), "list in row 2"),
    "a lacking key": (json_lines(ROW, '{"text": "b"}'), (), "Row 2 of .* has no column 'label'"),
    "half a line": (json_lines(ROW, '{"text": "b'), (), "cannot be read as json"),
    "two labels": (text("train.csv", "text,label,label\na,x,y\n"), (), "has 2 columns 'label'"),
    "backslash": (text("train.csv", 'text,label\n"a \\"b\\", c",x\n'), (), "does not escape it"),
    "a comma": (text("train.csv", "text,label\na, b,x\n"), (), "Row 1 of .* has 3 fields"),
    "no column": (text("train.csv", "txt,label\na,x\n"), (), "Did you mean 'txt'"),
    "a pipe": (lambda folder: os.mkfifo(folder / "train.csv"), (), "is no regular file"),
    "a folder": (lambda folder: (folder / "train.csv").mkdir(), (), "no train file"),
    "two validations": (
        lambda folder: [text(f"{n}.csv", "")(folder) for n in ("train", "dev", "val")], (),
        "two files for one split: dev.csv, val.csv",
    ),
    "a shard is missing": (text("train-0-of-2.csv", "text,label\n"), (), "1 of 2 shards"),
    "few rows": (text("train.csv", "text,label\na,x\nb,y\n"), (), "too few texts of each class"),
    "the wrong column": (
        text("train.csv", "text,label,id\na,x,1\nb,y,2\nc,x,3\n"), ("--label", "id"),
        "3 classes in column 'id', hardly two of each",
    ),
    "no name": (text("train.csv", "text,label\na,x\n"), ("--label", ""), "has no column ''"),
    "saved": (text("state.json", "{"), (), "cannot be read as a saved data set"),
    "a bad parquet": (text("train.parquet", "PAR1"), (), "cannot be read as parquet"),
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a study that is right, and things that are none."""
    for name in ("MLFLOW_TRACKING_URI", "ABLATION_STORAGE", "ABLATION_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("MPLBACKEND", "MATPLOTLIBRC"):
        monkeypatch.setenv(name, "")  # so that what the command sets is put back
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.chdir(tmp_path)
    Path("s.py").write_text(STUDY.format(""))
    for folder in ("folder.py", "studies", "broken", "set"):
        Path(folder).mkdir()
    Path("broken/mlflow.db").write_text("no database, whoever reads it" * 99)
    Path("dangling.py").symlink_to("nowhere.py")
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Returns what a command prints that refuses its input in two lines and writes nothing."""
    before = sorted(Path().rglob("*"))
    sys.argv = ["ablation", *arguments]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert ended.value.code == 2, err
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2, err
    assert all(0 < len(line) <= LONGEST for line in lines)
    assert "Traceback" not in err
    assert "geheim" not in err
    assert sorted(Path().rglob("*")) == before
    return err


@pytest.fixture(autouse=True)
def arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.mark.parametrize("changes", FIELDS)
def test_a_wrong_field_is_refused(
    changes: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.py").write_text(STUDY.format(changes))
    assert FIELDS[changes] in refused(capsys, "plan", "s.py")


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_study_file_is_refused(
    name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = FILES[name]
    Path("s.py").write_bytes(content)
    assert words in refused(capsys, "plan", "s.py")


@pytest.mark.parametrize("given", ADDRESSES)
def test_a_wrong_address_is_refused(
    given: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*given.split("=", 1))
    assert ADDRESSES[given] in refused(capsys, "run", "s.py")


@pytest.mark.parametrize("given", ARGUMENTS)
def test_wrong_arguments_are_refused(
    given: tuple[str, ...], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ARGUMENTS[given] in refused(capsys, *given)


@pytest.mark.parametrize("case", DATA)
def test_wrong_data_are_refused(
    case: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    make, options, words = DATA[case]
    make(place / "set")
    assert re.search(words, refused(capsys, "plan", "s.py", "--data", "set", *options))


def test_the_table_is_long_enough() -> None:
    tables: list[Mapping[Any, Any]] = [FIELDS, FILES, ADDRESSES, ARGUMENTS, DATA]
    assert sum(map(len, tables)) >= 90


def test_a_list_names_the_studies_that_are_not_usable(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy("s.py", "studies/s.py")
    Path("studies/latin.py").write_bytes(b"study = '\xe9'\n")
    Path("studies/a.py").mkdir()
    Path("studies/link.py").symlink_to("nowhere")
    sys.argv = ["ablation", "list"]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out = capsys.readouterr().out
    assert not ended.value.code
    assert "Not usable: " in out
    assert "latin.py" in out
    assert "Q?" in out
