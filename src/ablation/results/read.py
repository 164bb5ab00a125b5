"""Reads tables of results: CSV, Parquet, JSON lines, and the runs of MLflow, Optuna and W&B."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused, public

if TYPE_CHECKING:
    import pandas as pd

WANDB = ("Name", "State", "Created")
"""Columns of every table that W&B's runs page exports."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of results, a row per run, the oldest first."""

    frame: pd.DataFrame
    name: str
    """Short name, which a report is labelled with."""
    origin: str
    """File or address that it was read from."""
    status: str | None = None
    """Column that says how a run ended, where the source always has one."""


def read(source: str, store: Path | None = None) -> Table:
    """Returns a table of results.

    Args:
        source: A file, ``mlflow:EXPERIMENT`` or ``optuna:STUDY``.
        store: Folder of ``mlflow.db`` and ``optuna.db``, which overrides the environment.

    Raises:
        Refused: If there is no such table, or it cannot be read.
    """
    kind, _, name = source.partition(":")
    if kind in _STORES and name and not Path(source).exists():
        return _STORES[kind](name, store)
    return _read_file(Path(source))


def _read_mlflow(name: str, store: Path | None) -> Table:
    from ablation import tracking
    from ablation.records.places import places

    where = places(store)
    if not where.record_exists:
        raise Refused(f"There are no runs in {public(where.tracking)}.", _WHERE)
    frame = tracking.foreign_runs(where.tracking, name)
    origin = f"MLflow experiment {name} in {public(where.tracking)}"
    return Table(frame=frame, name=name, origin=origin, status="status")


def _read_optuna(name: str, store: Path | None) -> Table:
    from ablation import mirror
    from ablation.records.places import places

    where = places(store)
    if not where.mirror_exists:
        raise Refused(f"There are no trials in {public(where.storage)}.", _WHERE)
    frame = mirror.foreign_trials(where.storage, name)
    origin = f"Optuna study {name} in {public(where.storage)}"
    return Table(frame=frame, name=name, origin=origin, status="state")


_WHERE = (
    "Give the folder of the database, --store FOLDER, or MLFLOW_TRACKING_URI, ABLATION_STORAGE."
)
_STORES: Mapping[str, Callable[[str, Path | None], Table]] = {
    "mlflow": _read_mlflow,
    "optuna": _read_optuna,
}


def _read_csv(path: Path, separator: str = ",") -> pd.DataFrame:
    """Returns every cell as its text: ``0.10`` and ``NA`` may be names of arms."""
    import pandas as pd

    with path.open(encoding="utf-8-sig") as file:
        head = file.readline()
    if ";" in head and "," not in head:
        separator = ";"
    return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _read_lines(path: Path) -> pd.DataFrame:
    import pandas as pd

    # Not by pandas, which reads floats to fifteen digits.
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return pd.DataFrame([json.loads(line) for line in lines if line.strip()])


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(path)


_READERS: Mapping[str, Callable[[Path], Any]] = {
    ".csv": _read_csv,
    ".tsv": lambda path: _read_csv(path, "\t"),
    ".parquet": _read_parquet,
    ".jsonl": _read_lines,
    ".ndjson": _read_lines,
}


def _read_file(path: Path) -> Table:
    if not path.exists():
        raise Refused(
            f"There is no file {path}.",
            "Give the path of a table of results, or of a report's folder.",
        )
    reader = _READERS.get(path.suffix.lower())
    if reader is None or not path.is_file():
        raise Refused(
            f"{path} is no table that can be judged: {', '.join(_READERS)} are.",
            "Convert it, or give a report's folder, mlflow:EXPERIMENT or optuna:STUDY.",
        )
    try:
        frame = reader(path)
    except (OSError, ValueError) as error:  # pandas' and pyarrow's parsers raise kinds of these
        why = next(iter(str(error).splitlines()), "")
        is_text = isinstance(error, UnicodeError)
        way_out = "Save it as UTF-8." if is_text else "Check that it is a table."
        raise Refused(f"{path} cannot be read: {why}", way_out) from error
    is_wandb = set(WANDB) <= set(frame)
    if is_wandb:  # whose newest run comes first
        frame = frame.sort_values("Created", kind="stable", ignore_index=True)
    return Table(
        frame=frame,
        name=path.stem,
        origin=path.name,
        status="State" if is_wandb else None,
    )
