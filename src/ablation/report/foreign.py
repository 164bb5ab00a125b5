"""Reads the files of a report folder that may come from anybody: no links, bounded, typed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ablation.errors import Refused

MIB = 1 << 20
LARGEST = {"study.json": 64 * MIB, "runs.csv": 256 * MIB, "curves.csv": 512 * MIB}
"""Bytes that a file of a report may have; a study of 3,000 arms and 8 seeds takes a tenth."""
OTHER = 512 * MIB
"""Bytes that any other file may have."""

MOST_FILES = 2000
"""Files in a report's folder; a report has about thirty."""
MOST_CELLS = 2_000_000
"""Arms times seeds."""
MOST_SCORES = 4_000_000_000
"""Arms times seeds times examples of test, a byte each while they are judged."""
MOST_ROWS = 20_000_000
"""Rows of a table of scores by example."""

LABEL = re.compile(r"(?![.-])[\w.@-]{1,200}")
"""The label of a study: a file name on every system, and a word in a shell."""
ADDRESS = re.compile(r"https?://[\w.:\[\]-]+(/[\w./-]*)?")
"""The address of a tracking server that a page may link to."""
RUN = re.compile(r"[\w-]+", re.ASCII)
"""An id that MLflow gives to a run."""

TABLE = {"columns": [str], "rows": [list]}
STUDY: Mapping[str, Any] = {
    "label": str,
    "wording": {"question": str},
    "current": str,
    "declared": dict,
    "environments": [dict],
    "record": dict,
    "runs": TABLE,
    "declaration": {
        "name": str,
        "arms": [{"name": str, "config": str, "values": dict}],
        "baseline": str,
        "metric": str,
        "looks": [list],
        "data": str,
    },
}
"""Keys of ``study.json`` and the shapes of their values; further keys are allowed."""
ROW = {"arm": str, "n": int, "right": int, "weights": [float], "spread": [float]}
ABOUT = {"facts": [[str]], "texts": [{"label": str, "words": [str], "arms": [ROW]}]}
"""Keys of its ``about``, where it has one."""
RECORD = {"address": str, "experiment": str, "test_evaluations": int}
"""Keys of its ``record`` where MLflow has the runs; of a table's record, every value is a text."""


def read_bytes(folder: Path, name: str) -> bytes:
    """Returns the content of a file in a folder; follows no link and waits for no pipe.

    Raises:
        Refused: If it is missing, no regular file, or too large.
    """
    path = folder / name
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        # The file is judged by its open handle, so that it cannot be exchanged in between.
        with os.fdopen(os.open(path, flags), "rb") as file:
            known = os.fstat(file.fileno())
            most = LARGEST.get(name, OTHER)
            if stat.S_ISREG(known.st_mode) and known.st_size <= most:
                return file.read(most)
            fault = "is larger than a report's" if stat.S_ISREG(known.st_mode) else "is no file"
    except OSError as error:
        fault = f"cannot be read: {os.strerror(error.errno or 0)}"
    raise no_report(folder, f"{name} {fault}")


def no_report(folder: Path, fault: str) -> Refused:
    """Returns the refusal of a folder that holds no report."""
    return Refused(
        f"{folder} holds no report: {fault}.", "Give a folder that `ablation report` wrote."
    )


def parse(folder: Path, text: bytes) -> dict[str, Any]:
    """Returns the content of ``study.json``.

    Raises:
        Refused: If it is no JSON object with finite numbers.
    """
    try:
        stored = json.loads(text.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise no_report(folder, "study.json cannot be read") from error
    if not isinstance(stored, dict):
        raise no_report(folder, "study.json is no object")
    return stored


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def check(folder: Path, stored: Mapping[str, Any]) -> None:
    """Checks shapes and sizes of what ``study.json`` holds.

    Raises:
        Refused: If a key is missing, a value has another type, the label cannot name a folder, or
            the study is larger than any that can be run.
    """
    fault = next(faults(stored, STUDY, ""), "")
    if not fault:
        record = stored["record"]
        shape = RECORD if "address" in record else dict.fromkeys(record, str)
        fault = next(faults(record, shape, "record"), "")
    if fault:
        raise no_report(folder, f"study.json {fault}")
    if not LABEL.fullmatch(stored["label"]):
        raise no_report(folder, f"{stored['label'][:60]!r} is no label of a study")
    declared = stored["declaration"]
    if len({arm["name"] for arm in declared["arms"]}) < len(declared["arms"]):
        raise no_report(folder, "study.json has two arms of one name")
    seeds: list[Any] = [look[0] if look else None for look in declared["looks"]]
    counts = all(type(count) is int and 0 < count <= MOST_CELLS for count in seeds)
    if not seeds or not counts or len(declared["arms"]) * seeds[-1] > MOST_CELLS:
        raise no_report(folder, "study.json declares no possible number of arms and seeds")


def faults(value: Any, shape: Any, where: str) -> Iterator[str]:
    """Yields where a value departs from a shape.

    Args:
        value: What was read.
        shape: A type; a list of one shape, for lists of any length; or a mapping of key to
            shape, for mappings that hold these keys and perhaps others.
        where: Path of the value, for the message.
    """
    kind = type(shape) if isinstance(shape, list | dict) else shape
    if type(value) is not kind:
        yield f"has a wrong {where or 'content'}"
    elif isinstance(shape, list):
        for place, item in enumerate(value):
            yield from faults(item, shape[0], f"{where}[{place}]")
    elif isinstance(shape, dict):
        for key, inner in shape.items():
            path = f"{where}.{key}".lstrip(".")
            if key in value:
                yield from faults(value[key], inner, path)
            else:
                yield f"has no {path}"


def link(address: str, experiment: str) -> str:
    """Returns the address below which a report's runs have their pages; empty if unsafe."""
    if not (ADDRESS.fullmatch(address) and RUN.fullmatch(experiment)):
        return ""
    return f"{address}/#/experiments/{experiment}/runs"


@contextlib.contextmanager
def trusted_by_nobody(folder: Path) -> Iterator[None]:
    """Turns whatever a report's content makes the code raise into a two-line `Refused`.

    For code that reads a folder and writes nowhere but into a folder of its own, the errors of
    which are a `Refused` already.
    """
    try:
        yield
    except Refused:
        raise
    except Exception as error:  # OSError is also what damaged Parquet raises
        first = next(iter(str(error).strip().splitlines()), "")[:160]
        fault = f"its files do not fit together ({type(error).__name__}: {first})"
        raise no_report(folder, fault) from error
