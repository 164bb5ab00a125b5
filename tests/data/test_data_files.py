"""Parquet files without ``datasets``: the same rows, and only where nothing is to be refused."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from ablation.task.text.config import DataConfig
from ablation.task.text.data.files import _plain
from ablation.task.text.data.read import read_parquet

CONFIG = DataConfig()
TEXTS = ["one", "two words", "", "é\n"]
LABELS = {
    "string": ["a", "b", "NA", "1"],
    "large_string": ["a", "b", "NA", "1"],
    "int8": [0, -1, 2, 1],
    "uint64": [0, 1, 2, 2**63],
}


def table(texts: pa.Array, labels: pa.Array) -> pa.Table:
    return pa.table({"other": labels, "label": labels, "text": texts})


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("text", ["string", "large_string"])
def test_rows_are_those_of_datasets(kind: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "label=3" / "train.parquet"  # a folder's name is no column
    file.parent.mkdir()
    labels = pa.array(LABELS[kind], pa.type_for_alias(kind))
    pq.write_table(table(pa.array(TEXTS, pa.type_for_alias(text)), labels), file)
    found = _plain(file, CONFIG)
    assert found == read_parquet(file, "train", CONFIG, tmp_path)
    assert found is not None
    assert found.texts == TEXTS
    assert found.labels == [str(each) for each in LABELS[kind]]


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (["a", None], ["x", "y"]),
        (["a", "b"], ["x", ""]),
        (["a", "b"], ["x", None]),
        (["a", "b"], [1, None]),
        (["a", "b"], [True, False]),
        (["a", "b"], [0.5, 1.0]),
        ([1, 2], ["x", "y"]),
        (["a", "b"], pa.array(["x", "y"]).dictionary_encode()),
    ],
)
def test_what_may_be_refused_is_left_to_datasets(
    texts: list[object], labels: list[object] | pa.Array, tmp_path: Path
) -> None:
    pq.write_table(table(pa.array(texts), pa.array(labels)), tmp_path / "train.parquet")
    assert _plain(tmp_path / "train.parquet", CONFIG) is None


def test_a_file_that_is_damaged_lacks_a_column_or_names_its_classes_is_left_to_datasets(
    tmp_path: Path,
) -> None:
    file = tmp_path / "train.parquet"
    file.write_bytes(b"PAR1 and no more")
    assert _plain(file, CONFIG) is None
    pq.write_table(pa.table({"text": ["a"]}), file)
    assert _plain(file, CONFIG) is None
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    Dataset.from_dict({"text": ["a"], "label": [1]}, features=features).to_parquet(file)
    assert _plain(file, CONFIG) is None
    assert read_parquet(file, "train", CONFIG, tmp_path).labels == ["yes"]


@pytest.mark.parametrize("name", ["train.csv", "train.parquet"])
def test_local_files_do_not_load_datasets(name: str, tmp_path: Path) -> None:
    rows = {"text": [f"text {i}" for i in range(40)], "label": ["a", "b"] * 20}
    if name.endswith("csv"):
        lines = [f"{text},{label}" for text, label in zip(*rows.values(), strict=True)]
        (tmp_path / name).write_text("\n".join(["text,label", *lines]))
    else:
        pq.write_table(pa.table(rows), tmp_path / name)
    code = (
        "import sys, pathlib\n"
        "from ablation.task.text.config import DataConfig\n"
        "from ablation.task.text.data import prepare\n"
        "prepare(DataConfig(source=sys.argv[1]), cache=pathlib.Path(sys.argv[2]))\n"
        "assert not {'datasets', 'pandas', 'torch'} & set(sys.modules)\n"
    )
    source, cache = str(tmp_path / name), str(tmp_path / "cache")
    subprocess.run([sys.executable, "-c", code, source, cache], check=True)
