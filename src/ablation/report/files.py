"""The files of a report that its content is kept in, and read from again."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.analysis.effects import judge
from ablation.analysis.fresh import with_fresh
from ablation.errors import Refused
from ablation.records.declaration import Declaration
from ablation.records.taken import taken_from_json, taken_to_json
from ablation.report import foreign
from ablation.report.content import DETAILS, HASHES, Content

FORMAT = 1
"""Of ``study.json``; a report of another format is refused, not guessed at."""

TESTS = "tests.parquet"
"""File of the table about the test examples, in a report whose task has one."""

KEYS = ["arm", "seed", "epoch"]
"""Columns that identify a row of ``curves.csv``; every other one is a curve, ``split/metric``."""

TEXTS = {"study": str, "config": str, "arm": str, "split": str, "metric": str, "run_id": str}
"""Columns of the tables that are read as the text they are."""


def write(content: Content, folder: Path) -> None:
    """Writes what the report is rebuilt from.

    Args:
        content: The content.
        folder: An existing folder.

    Raises:
        ValueError: If a table of the study's own is named like another key of ``study.json``.
    """
    content.runs.to_csv(folder / "runs.csv", index=False, lineterminator="\n")
    _wide(content.curves).to_csv(folder / "curves.csv", index=False, lineterminator="\n")
    content.examples.to_parquet(folder / "examples.parquet", index=False)
    if content.tests is not None:
        content.tests.to_parquet(folder / TESTS, index=False)
    stored = {
        "format": FORMAT,
        "label": content.label,
        "wording": dict(content.wording),
        "current": content.current,
        "declared": dict(content.declared),
        "declaration": content.declaration.to_json(),
        "record": dict(content.record),
        "environments": [dict(each) for each in content.environments],
        "numerics": None,
    }
    if content.about:
        stored["about"] = dict(content.about)
    if content.taken:
        stored["taken"] = taken_to_json(content.taken)
    if content.fresh is not None:
        stored["fresh"] = _table(content.fresh)
    used = {*stored, "runs", "taken", "fresh", "about"} - {"numerics"}
    if not used.isdisjoint(content.tables):
        raise ValueError(
            f"a study's own table has a name that study.json does not use; got "
            f"{sorted(used & set(content.tables))}. Rename it."
        )
    stored |= {name: _table(table) for name, table in content.tables.items()}
    stored["runs"] = _table(content.details[DETAILS])
    (folder / "study.json").write_text(_text(stored), encoding="utf-8")


def read(folder: Path) -> Content:
    """Reads a report's content from its folder alone.

    Raises:
        Refused: If the folder holds no report, or one that another version wrote.
    """
    with foreign.trusted_by_nobody(folder):
        return _read(folder)


def _read(folder: Path) -> Content:
    stored = summary(folder)
    runs = _read_csv(folder, "runs.csv", TEXTS | {"status": str, "reason": object})
    runs["reason"] = runs["reason"].astype(object).where(runs["reason"].notna(), None)
    details = pd.DataFrame(stored["runs"]["rows"], columns=stored["runs"]["columns"])
    declaration = Declaration.from_json(stored["declaration"])
    taken = taken_from_json(stored.get("taken", {}))
    _refuse_seeds(folder, runs, declaration)
    examples = _examples(folder, declaration)
    tables = {
        name: pd.DataFrame(value["rows"], columns=value["columns"])
        for name, value in stored.items()
        if _is_table(value) and name != "runs"
    }
    fresh = tables.pop("fresh", None)
    judged = judge(runs, details[HASHES], declaration, examples, taken)
    return Content(
        label=stored["label"],
        declaration=declaration,
        wording=stored["wording"],
        declared=stored["declared"],
        current=stored["current"],
        judged=with_fresh(judged, fresh),
        about=_about(folder, stored),
        tests=_tests(folder, declaration),
        taken=taken,
        fresh=fresh,
        runs=runs,
        curves=_long(folder, runs),
        examples=examples,
        details=details,
        environments=stored["environments"],
        record=stored["record"],
        tables=tables,
    )


def summary(folder: Path) -> dict[str, Any]:
    """Returns what ``study.json`` holds, its shapes checked.

    Raises:
        Refused: If it is missing or damaged, or another version wrote it.
    """
    stored = foreign.parse(folder, foreign.read_bytes(folder, "study.json"))
    if stored.get("format") != FORMAT:
        raise Refused(
            f"{folder / 'study.json'} has the format {str(stored.get('format'))[:60]!r}; this "
            f"version reads {FORMAT}.",
            "Build the report anew: ablation report NAME",
        )
    foreign.check(folder, stored)
    return stored


def is_recorded(folder: Path) -> bool:
    """Returns whether a folder holds a readable report on runs that MLflow has."""
    try:
        return "address" in summary(folder)["record"]
    except Refused:
        return False


def _wide(curves: pd.DataFrame) -> pd.DataFrame:
    """Returns a row per run and epoch, a column per curve; arms and curves keep their order."""
    names = curves["split"].astype(str) + "/" + curves["metric"].astype(str)
    frame = curves.assign(name=names, place=pd.factorize(curves["arm"])[0])
    table = frame.pivot(index=["place", *KEYS], columns="name", values="value")
    return table.reset_index().drop(columns="place")


def _long(folder: Path, runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the curves frame that ``_wide`` was given."""
    table = _read_csv(folder, "curves.csv", {"arm": str})
    long = table.assign(place=pd.factorize(table["arm"])[0]).melt(
        ["place", *KEYS], var_name="name", value_name="value"
    )
    names = long["name"].astype(str).str.split("/", n=1)
    configs = dict(zip(runs["arm"], runs["config"], strict=True))
    long = long.assign(
        study=runs["study"].iloc[0] if len(runs) else "",
        config=long["arm"].map(configs),
        split=names.str[0].astype(str),
        metric=names.str[1].astype(str),
        value=long["value"].astype("float64"),
    ).dropna(subset=["value"])
    long = long.sort_values(["place", "seed", "split", "metric", "epoch"], kind="stable")
    columns = ["study", "config", "arm", "seed", "split", "metric", "epoch", "value"]
    return long[columns].reset_index(drop=True)


def _about(folder: Path, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the facts about the data, their shapes checked; empty where there are none."""
    about: Mapping[str, Any] = stored.get("about", {})
    fault = next(foreign.faults(about, foreign.ABOUT, "about"), "") if about else ""
    if fault or not all(len(fact) == len(("name", "value")) for fact in about.get("facts", [])):
        raise foreign.no_report(folder, fault or "about has a fact that is no name and value")
    return about


def _refuse_seeds(folder: Path, runs: pd.DataFrame, declaration: Declaration) -> None:
    """Refuses a run whose seed the declaration has no place for: pages have a column for each."""
    if len(runs) and not runs["seed"].between(0, declaration.most_seeds - 1).all():
        raise foreign.no_report(folder, "runs.csv has a seed that was not declared")


def _examples(folder: Path, declaration: Declaration) -> pd.DataFrame:
    """Reads scores by example, once their number is known to be one that fits in memory."""
    tests = 0 if declaration.quantum <= 0 else 1 / declaration.quantum
    if len(declaration.arms) * declaration.most_seeds * tests > foreign.MOST_SCORES:
        raise foreign.no_report(folder, "examples.parquet is larger than a report's")
    return _read_parquet(folder, "examples.parquet")


def _tests(folder: Path, declaration: Declaration) -> pd.DataFrame | None:
    """Reads the table about the test examples; None where the folder has none."""
    if not os.path.lexists(folder / TESTS):  # a link is there, and refused
        return None
    frame = _read_parquet(folder, TESTS)
    is_text = all(isinstance(value, str) for name in frame for value in frame[name])
    known = declaration.quantum
    if "class" not in frame or not is_text or (known > 0 and len(frame) != round(1 / known)):
        raise foreign.no_report(folder, f"{TESTS} has other rows than the test split")
    return frame


def _read_parquet(folder: Path, name: str) -> pd.DataFrame:
    """Reads a table, once its size is known to be one that fits in memory."""
    from pyarrow import BufferReader, parquet

    file = parquet.ParquetFile(BufferReader(foreign.read_bytes(folder, name)))
    groups = [file.metadata.row_group(place) for place in range(file.metadata.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    if file.metadata.num_rows > foreign.MOST_ROWS or unpacked > foreign.OTHER:
        raise foreign.no_report(folder, f"{name} is larger than a report's")
    frame: pd.DataFrame = file.read().to_pandas()
    return frame


def _read_csv(folder: Path, name: str, types: Mapping[str, Any]) -> pd.DataFrame:
    """Reads floats exactly, and a name such as ``NA`` or ``0.10`` as the text that it is."""
    path = io.BytesIO(foreign.read_bytes(folder, name))
    header = [str(name) for name in pd.read_csv(path, nrows=0)]
    path.seek(0)
    texts = {name: kind for name, kind in types.items() if name in header}
    numbers = {name: [""] for name in header if texts.get(name) is not str}
    return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=numbers)


def _rows(frame: pd.DataFrame) -> list[list[Any]]:
    """Returns the rows as they are, None where there is nothing."""
    table = frame.astype(object)
    rows: list[list[Any]] = table.where(table.notna(), None).to_numpy().tolist()
    return rows


def _table(frame: pd.DataFrame) -> dict[str, Any]:
    return {"columns": [str(name) for name in frame], "rows": _rows(frame)}


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"columns", "rows"}


def _text(stored: Mapping[str, Any]) -> str:
    """Returns JSON in which each row of a table has a line of its own."""
    parts = []
    for name, value in stored.items():
        if _is_table(value):
            rows = ",\n".join(f"  {_json(row)}" for row in value["rows"])
            body = f'{{"columns": {_json(value["columns"])}, "rows": [\n{rows}\n ]}}'
        else:
            body = _json(value, indent=1).replace("\n", "\n ")
        parts.append(f" {_json(name)}: {body}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
