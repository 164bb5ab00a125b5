"""What is printed for programs is one object, and the schema in docs/ describes all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ablation import cli
from ablation.analysis.effects import EFFECTS

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "docs/json.schema.json").read_text())
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,),
    "number": (int, float), "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def faults(value: Any, schema: dict[str, Any], at: str = "") -> list[str]:
    """Where a value departs from a schema, by the keywords that ours uses."""
    if "$ref" in schema:
        return faults(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], at)
    if "oneOf" in schema:
        tried = [faults(value, each, at) for each in schema["oneOf"]]
        return [] if [] in tried else min(tried, key=len)
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{at}: {value!r}"]
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    allowed = tuple(kind for name in kinds for kind in TYPES[name])
    if not isinstance(value, allowed) or (isinstance(value, bool) and "boolean" not in kinds):
        return [f"{at}: {value!r} is no {kinds}"]
    inner: list[tuple[str, Any, Any]] = []
    if isinstance(value, list):
        inner = [(f"{at}[{place}]", each, schema["items"]) for place, each in enumerate(value)]
    elif isinstance(value, dict):
        known = schema["properties"]
        inner = [
            (f"{at}.{name}", value[name], known[name]) for name in known.keys() & value.keys()
        ]
        if odd := known.keys() ^ value.keys():  # stricter than a schema: the two are one
            return [f"{at}.{name}" for name in odd]
    return [said for where, each, of in inner for said in faults(each, of, where)]


def printed(*arguments: str) -> Any:
    result = CliRunner().invoke(cli.app, list(arguments))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_schema_tells_what_it_is_for() -> None:
    assert faults({"index": "a"}, SCHEMA) == []
    assert faults({"index": 1}, SCHEMA)
    assert faults({"index": "a", "more": 1}, SCHEMA)
    assert faults({}, SCHEMA)
    assert list(SCHEMA["$defs"]["effect"]["properties"]) == list(EFFECTS)


@pytest.mark.parametrize("command", ["plan", "status"])
def test_plan_and_status(
    command: str, tiny_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = printed(command, str(tiny_study), "--json")
    assert faults(told, SCHEMA) == []
    (study,) = told["plans" if command == "plan" else "studies"]
    assert study["label"] == "tiny"
    if command == "plan":
        assert (study["planned"], study["missing"]) == (6, 6)
        assert [arm["arm"] for arm in study["arms"]] == ["0.0", "0.05", "1.0"]
    else:
        assert {trial["state"] for trial in study["trials"]} == {"WAITING"}
        assert len(study["trials"]) == 6


def test_the_verdicts_of_a_report() -> None:
    told = printed("judge", str(ROOT / "docs/samples/pooling"), "--json")
    assert faults(told, SCHEMA) == []
    assert told["judged"][0]["effects"][0]["arm"] == told["judged"][0]["baseline"] == "attention"


@pytest.mark.slow
def test_a_table_of_several_data_sets(tmp_path: Path) -> None:
    told = printed(
        "judge", str(ROOT / "tests/results/folds.jsonl"), "--arm", "classifier", "--seed", "fold",
        "--metric", "accuracy", "--baseline", "nbc", "--margin", "2", "--dataset", "data",
        "--reports", str(tmp_path), "--json",
    )  # fmt: skip
    assert faults(told, SCHEMA) == []
    sets = [each["dataset"] for each in told["judged"]]
    assert sets == ["ecoli", "eucalyptus", "glass", "iris"]
    assert told["over_sets"]["answer"].startswith(
        "It makes a difference on at least 1 of 4 data sets"
    )
    for folder in (*(each["report"] for each in told["judged"]), told["over_sets"]["report"]):
        assert (Path(folder) / "index.html").exists()
    page = (tmp_path / "folds+sets/README.md").read_text()
    assert "chosen with the results at hand" in page
