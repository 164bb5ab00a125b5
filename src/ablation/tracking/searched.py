"""Records the trials of tunings and searches, and reads them back; test is no part of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablation.records import addresses
from ablation.records.outcome import EpochRecord
from ablation.records.paths import flatten
from ablation.records.told import Told
from ablation.task import Prepared
from ablation.tracking import tables
from ablation.tracking.entities import KEY, PARENT, curves_of, milliseconds
from ablation.tracking.home import Home, find_home, labels_taken
from ablation.tracking.late import log
from ablation.tracking.store import connect
from ablation.tracking.tags import DATA, KIND, LABEL, TAG_LENGTH, TUNING, long_in, set_long, source

if TYPE_CHECKING:
    from ablation.study.searched import Search

IMPORTANCES = "ablation.importances"
"""Tag of the parent run, in parts: the importances of a joint search, with their null."""
TOLD = "ablation.told"
"""Tag, in parts: the trial as exact JSON, all that a later trial of the search knows of it."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A trial of a search, ready to be recorded."""

    search: Search
    told: Told
    config: Any
    records: Sequence[EpochRecord]
    began: float
    """Seconds since the epoch, UTC."""
    device: str


def record_told(home: Home, ended: Ended, data: Prepared, versions: Mapping[str, str]) -> str:
    """Records a trial of a search as a run of kind ``tuning``; returns the run's id.

    A pruned trial is FINISHED and has its last epoch as a tag; the end is written last.

    Args:
        home: The study label.
        ended: The trial.
        data: The data that it was trained on.
        versions: Commit and library versions, as tags.
    """
    told, trial, client = ended.told, ended.search, home.client
    began = milliseconds(ended.began)
    # Its end comes at once, so no run is left open for longer than it takes to write it.
    run = client.create_run(
        home.experiment,
        start_time=began,
        run_name=f"{trial.arm} · tuning {told.number:02d}",
        tags={**_tags(home, ended, data), **versions},
    )
    run_id: str = run.info.run_id
    named = {"arm": trial.arm, "seed": told.seed, "number": told.number}
    parameters = {**flatten(ended.config), **named, **data.parameters()}
    texts = {name: str(value) for name, value in parameters.items()}
    log(client, run_id, points=curves_of(ended.records, ended.began), params=texts)
    status = "FAILED" if told.state == "FAIL" else "FINISHED"
    client.set_terminated(run_id, status=status, end_time=began + milliseconds(told.seconds))
    return run_id


def _tags(home: Home, ended: Ended, data: Prepared) -> dict[str, str]:
    told, text = ended.told, ended.told.to_text()
    parts = [text[at : at + TAG_LENGTH] for at in range(0, len(text), TAG_LENGTH)]
    tags = {
        KIND: TUNING, DATA: data.fingerprint, LABEL: home.label,
        KEY: ended.search.key(told.number), "ablation.arm": ended.search.arm,
        "ablation.seed": str(told.seed), "ablation.device": ended.device,
        "ablation.state": told.state, PARENT: home.parent, **source(),
        **{f"{TOLD}.{place}": part for place, part in enumerate(parts)},
    }  # fmt: skip
    if told.state == "PRUNED":
        tags["ablation.pruned"] = str(max(told.curve))
    return tags


def told_of(home: Home) -> dict[str, tuple[Told, str]]:
    """Returns key to trial and run id, for every ended trial of the label's searches."""
    if not home.shared:
        with tables.reading(str(home.client.tracking_uri)) as query:
            return _from_tables(query, home.experiment, home.label)
    rows = [(each.info.start_time, each.info.run_id, each.info.status, each.data.tags)
            for each in home.search(TUNING)]  # fmt: skip
    return _ended(rows)


def told_at(
    uri: str, study: str, label_of: Callable[[Mapping[str, str]], str]
) -> dict[str, tuple[Told, str]]:
    """Returns the same from a store that need not have any; of an SQLite file without MLflow.

    Args:
        uri: The store.
        study: The study's name.
        label_of: Returns the study label, given the labels in use.
    """
    path = addresses.file_of(uri)
    if path is None:
        client = connect(uri)
        home = find_home(client, study, label_of(labels_taken(client, study)))
        return {} if home is None else told_of(home)
    if not path.exists():
        return {}
    with tables.reading(uri) as query:
        parents = tables.parents(query, study)
        label = label_of(tables.labels_taken(parents))
        ours = [row for row in parents if row.tags[LABEL] == label]
        return _from_tables(query, ours[0].experiment, label) if ours else {}


def keep_importances(home: Home, columns: Mapping[str, Sequence[Any]], *, of: str) -> None:
    """Keeps the importances of a search with the parent run.

    Args:
        home: The study label.
        columns: Columns of a table.
        of: Hash of the trials that they are computed from.
    """
    kept = {name: list(column) for name, column in columns.items()}
    set_long(home, IMPORTANCES, json.dumps(kept))
    home.client.set_tag(home.parent, f"{IMPORTANCES}.of", of)


def importances_are_of(home: Home, told: str) -> bool:
    """Returns whether importances are kept that were computed from these trials."""
    return home.tags().get(f"{IMPORTANCES}.of") == told


def importances_of(home: Home) -> dict[str, list[Any]] | None:
    """Returns what :func:`keep_importances` kept; None if nothing."""
    kept = long_in(home.tags(), IMPORTANCES)
    return json.loads(kept) if kept else None


def _from_tables(query: tables.Query, experiment: str, label: str) -> dict[str, tuple[Told, str]]:
    rows = [
        (row.start_time, row.run_id, row.status, row.tags)
        for row in tables.runs(query, [experiment], TUNING)
        if row.tags.get(LABEL) == label
    ]
    return _ended(rows)


def _ended(
    rows: Iterable[tuple[int, str, str, Mapping[str, str]]],
) -> dict[str, tuple[Told, str]]:
    """Returns the trials of the runs that ended; of two runs of a trial the older one."""
    found: dict[str, tuple[Told, str]] = {}
    for _, run_id, status, tags in sorted(rows, key=lambda row: row[:2]):
        parts = sorted((name for name in tags if name.startswith(f"{TOLD}.")), key=_place)
        if status in {"FINISHED", "FAILED"} and parts:
            told = Told.from_text("".join(tags[name] for name in parts))
            found.setdefault(tags[KEY], (told, run_id))
    return found


def _place(name: str) -> int:
    return int(name.rpartition(".")[2])
