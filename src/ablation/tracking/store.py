"""The MLflow store: connecting, one experiment and one parent run per study label."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import getpass
import json
import logging
import os
import re
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused, public
from ablation.records import addresses
from ablation.records.causes import refusal
from ablation.records.declaration import Declaration
from ablation.task import Prepared
from ablation.tracking import files, notes

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

KIND = "ablation.kind"
LABEL = "ablation.study"
DATA = "ablation.data"
CURRENT = "ablation.declaration"
"""Tag of the parent run: hash of the latest declaration."""
DECLARED = "ablation.declared."
"""Prefix of the tags that hold the date of each declaration."""
CONTENT = "ablation.content."
"""Prefix of the tags that hold the text of each declaration, in parts."""
TAG_LENGTH = 5000
"""Characters per part; MLflow stores up to 8,000 per tag."""
ABOUT = "ablation.about"
"""Tag of the parent run, in parts: what the task says of the data, JSON."""
COMMONEST = "ablation.commonest"
"""Tag of the parent run: a bit per test example, whether it is of the commonest class; base64."""
NUMERICS = "ablation.numerics"
"""Tag of the parent run: the task's own table, if the study asks for it."""


QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",  # half a minute; MLflow's seven take some minutes
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Environment variables for MLflow, unless the user has set them."""


@functools.cache
def source() -> dict[str, str]:
    """Returns the tags for the user and the source of a run, in MLflow's own names."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return {
        "mlflow.user": user,
        "mlflow.source.name": "ablation",
        "mlflow.source.type": "LOCAL",
    }


@dataclasses.dataclass(frozen=True, slots=True)
class Home:
    """The place of one study label's runs: its store, experiment and parent run."""

    client: MlflowClient
    experiment: str
    """MLflow's id of the experiment that holds the runs."""
    label: str
    """The study's name, with ``@data`` if its data were replaced."""
    parent: str
    """MLflow's id of the parent run."""
    colours: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Hash of an arm's configuration to its colour on MLflow's pages."""

    @property
    def shared(self) -> bool:
        """Whether conductors on other machines may record here, too."""
        return addresses.file_of(str(self.client.tracking_uri)) is None


def connect(uri: str, *, record: bool = False) -> MlflowClient:
    """Opens a tracking store and returns its client; silences MLflow's logs and warnings.

    Args:
        uri: MLflow tracking URI.
        record: Whether runs will be recorded. An SQLite file then gets a write-ahead log, so that
            readers and writers do not wait for each other.

    Raises:
        Refused: If the store cannot be reached or was written by another MLflow version.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    file = addresses.file_of(uri)
    if file is not None:
        files.create(file, lambda beside: _client(beside, closed=True))
        files.prepare(file, record=record)
        files.follow_artifacts(file)
        if record:
            _sync_less(file.absolute())
    return _client(uri)


def _client(uri: str, *, closed: bool = False) -> MlflowClient:
    """Opens a store that exists, or creates it, and returns its client.

    Args:
        uri: MLflow tracking URI.
        closed: Whether to close the store's connections again.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside libraries do not concern the user
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            client = MlflowClient(tracking_uri=uri)
            client.search_experiments(max_results=1)
        except (MlflowException, ImportError) as error:
            raise _unusable(uri, error) from error
    if closed:
        _dispose(client)
    else:
        _opened[uri] = client
    return client


_opened: dict[str, MlflowClient] = {}


def _dispose(client: MlflowClient) -> None:
    """Closes a database's connections; later requests open new ones."""
    store = client._tracking_client.store
    if hasattr(store, "_dispose_engine"):
        store._dispose_engine()


@contextlib.contextmanager
def settled(uri: str) -> Iterator[None]:
    """Leaves an SQLite record as one file without a write-ahead log when the block ends."""
    try:
        yield
    finally:
        file = addresses.file_of(uri)
        if file is not None and uri in _opened:
            _dispose(_opened.pop(uri))
            files.settle(file)


def _unusable(uri: str, error: Exception) -> Refused:
    where = public(uri)
    if "out-of-date" in str(error):
        return Refused(
            f"The tracking store {where} was written by another version of MLflow.",
            f"Copy it (ablation backup FOLDER), then upgrade it: mlflow db upgrade '{where}'",
        )
    way_out = "Check MLFLOW_TRACKING_URI or --store."
    return refusal(error, f"The tracking store {where} cannot be used", way_out)


def failures() -> tuple[type[Exception], ...]:
    """Returns the exception types that MLflow raises when a store fails."""
    from mlflow.exceptions import MlflowException

    return (MlflowException,)


@functools.cache
def _sync_less(path: Path) -> None:
    """Makes this process sync an SQLite file to disk at checkpoints only.

    A killed process loses nothing. A power cut may lose the last runs as a whole, which the next
    start trains again; it cannot damage the file.
    """
    # By an event of SQLAlchemy's pool, because MLflow opens the file itself.
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    def set_up(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            (_, _, file), *_ = connection.execute("PRAGMA database_list")
            if file and Path(file) == path:
                connection.execute("PRAGMA synchronous=NORMAL")

    event.listen(Pool, "connect", set_up)


def belongs(experiment: str, study: str) -> bool:
    """Returns whether runs of the study may be in an experiment of that name.

    One experiment per label, named by it; an older layout has all labels in the study's.

    >>> belongs("init_std@trec", "init_std"), belongs("init_std2", "init_std")
    (True, False)
    """
    return experiment == study or experiment.startswith(f"{study}@")


def _experiments(client: MlflowClient, study: str) -> dict[str, Experiment]:
    """Returns name to experiment for all that may hold runs of the study, deleted ones too."""
    from mlflow.entities import ViewType

    if not re.fullmatch(r"[\w-]+", study):  # typed by the user, perhaps with a quote
        return {}
    found: dict[str, Experiment] = {}
    token = None
    while True:
        page = client.search_experiments(
            ViewType.ALL, filter_string=f"name LIKE '{study}%'", page_token=token
        )
        found |= {each.name: each for each in page if belongs(each.name, study)}
        if not (token := page.token):
            return found


def _parents(
    client: MlflowClient, experiments: Mapping[str, Experiment], where: str = ""
) -> list[Run]:
    """Returns the parent runs in the experiments that are not deleted, oldest first.

    Args:
        client: The store.
        experiments: Name to experiment.
        where: More of the filter.
    """
    active = [e.experiment_id for e in experiments.values() if e.lifecycle_stage == "active"]
    found = search(client, active, f"tags.`{KIND}` = 'study'{where}") if active else ()
    # Oldest first, so that every start chooses the same one.
    return sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))


def deleted(study: str, experiment: object) -> Refused:
    """Returns the refusal of an experiment that was deleted in the UI but not for good."""
    return Refused(
        f"The MLflow experiment {study!r} was deleted, and its name is still taken.",
        f"Restore it (mlflow experiments restore -x {experiment}), or remove it for "
        f"good (mlflow gc --experiment-ids {experiment}).",
    )


def labels_taken(client: MlflowClient, study: str) -> dict[str, str]:
    """Returns label to data fingerprint for every parent run of the study."""
    parents = _parents(client, _experiments(client, study))
    return {run.data.tags[LABEL]: run.data.tags[DATA] for run in parents}


def open_home(
    client: MlflowClient, study: str, label: str, *, data: str, artifacts: Path | None
) -> Home:
    """Returns the home of a label; creates its experiment and parent run if missing.

    Args:
        client: The store.
        study: Name of the study.
        label: Label of the parent run, and name of a new experiment.
        data: Fingerprint of the data.
        artifacts: Folder for the artifacts of a new experiment; None lets the server choose.
    """
    home = find_home(client, study, label)
    if home is not None:
        return home
    experiment = open_experiment(client, study, label, artifacts)
    tags = {KIND: "study", LABEL: label, DATA: data, "ablation.name": study, **source()}
    parent = client.create_run(experiment, tags=tags, run_name=label)
    return Home(client, experiment, label, parent.info.run_id)


def open_experiment(client: MlflowClient, study: str, label: str, artifacts: Path | None) -> str:
    """Returns MLflow's id of a label's experiment; creates it if it is missing.

    Args:
        client: The store.
        study: Name of the study.
        label: The study label.
        artifacts: Folder for the artifacts of a new experiment; None lets the server choose.
    """
    from mlflow.exceptions import MlflowException

    home = find_home(client, study, label)
    if home is not None:
        return home.experiment
    place = None if artifacts is None else (artifacts.absolute() / label).as_uri()
    try:
        found = client.get_experiment_by_name(label)
        if found is None:
            return client.create_experiment(label, artifact_location=place)
    except MlflowException:  # another start was quicker
        found = client.get_experiment_by_name(label)
        if found is None:
            raise
    return str(found.experiment_id)


def find_home(client: MlflowClient, study: str, label: str) -> Home | None:
    """Returns the home of a label, or None if it has no runs.

    Raises:
        Refused: If the label's experiment was deleted in the UI, but not permanently.
    """
    if not re.fullmatch(r"[\w.@-]+", label):
        return None
    found = _experiments(client, study)
    parents = _parents(client, found, f" AND tags.`{LABEL}` = '{label}'")
    if parents:
        info = parents[0].info
        return Home(client, str(info.experiment_id), label, info.run_id)
    if label in found and found[label].lifecycle_stage == "deleted":
        raise deleted(label, found[label].experiment_id)
    return None


def declare(
    home: Home,
    declaration: Declaration,
    wording: Mapping[str, Any],
    seen: int,
    at: float | None = None,
) -> None:
    """Records a declaration before its first run; one that is known keeps its first date.

    Args:
        home: The study label.
        declaration: Everything the study fixed.
        wording: Question, title and caveats, which may change at any time.
        seen: Number of outcomes that existed when the declaration was first made.
        at: When it was made, in seconds since the epoch; None is now.
    """
    client, hash_ = home.client, declaration.hash
    tags = client.get_run(home.parent).data.tags
    if DECLARED + hash_ not in tags:
        date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        first = {"date": date, "runs_seen": seen}
        client.set_tag(home.parent, DECLARED + hash_, json.dumps(first))
    text = json.dumps({"declaration": declaration.to_json(), "wording": wording})
    set_long(home, CONTENT + hash_, text)
    client.set_tag(home.parent, CURRENT, hash_)
    if notes.NOTE not in tags:  # later replaced by the answer
        client.set_tag(home.parent, notes.NOTE, notes.text(wording["question"]))
    client.update_run(home.parent, status="RUNNING")


def describe_data(home: Home, data: Prepared) -> None:
    """Adds the data to the parent run's inputs; trials name them by tag and parameter."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=data.name,
        digest=data.fingerprint,
        source_type="local" if Path(data.source).exists() else "named",
        source=data.source,
        profile=str(data.rows),
    )
    inputs = DatasetInput(dataset, [InputTag("mlflow.data.context", "all")])
    home.client.log_inputs(home.parent, [inputs])


def declarations(home: Home) -> dict[str, dict[str, Any]]:
    """Returns hash to ``date`` and ``runs_seen`` for every declaration, oldest first."""
    tags = home.client.get_run(home.parent).data.tags
    found = {
        name.removeprefix(DECLARED): json.loads(value)
        for name, value in tags.items()
        if name.startswith(DECLARED)
    }
    return dict(sorted(found.items(), key=lambda item: item[1]["date"]))


def current_declaration(home: Home) -> tuple[str, dict[str, Any]]:
    """Returns hash and content (``declaration``, ``wording``) of the latest declaration.

    Raises:
        Refused: If the study has no declaration.
    """
    found = declared_in(home.client.get_run(home.parent).data.tags)
    if found is None:
        raise Refused(
            f"The study {home.label!r} was interrupted before it was declared.", "Run it again."
        )
    return found


def declared_in(tags: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
    """Returns hash and content of the latest declaration in a parent run's tags, or None."""
    if CURRENT not in tags:
        return None
    hash_ = tags[CURRENT]
    content: dict[str, Any] = json.loads(long_in(tags, CONTENT + hash_))
    return hash_, content


def set_long(home: Home, name: str, text: str) -> None:
    """Sets a tag in parts; the number of parts, which makes it whole, is set last."""
    parts = [text[i : i + TAG_LENGTH] for i in range(0, len(text), TAG_LENGTH)]
    for place, part in enumerate(parts):
        home.client.set_tag(home.parent, f"{name}.{place}", part)
    home.client.set_tag(home.parent, name, str(len(parts)))


def long_in(tags: Mapping[str, str], name: str) -> str:
    """Returns the text that :func:`set_long` wrote."""
    return "".join(tags[f"{name}.{place}"] for place in range(int(tags[name])))


def keep_numerics(home: Home, rows: Sequence[Mapping[str, Any]], *, of: str) -> None:
    """Stores the numerics table by columns in tags of the parent run.

    Args:
        home: The study label.
        rows: The rows of the table; none if the study does not ask for it.
        of: Digest of the table's inputs; empty if the study does not ask for it.
    """
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    set_long(home, NUMERICS, json.dumps(columns))
    home.client.set_tag(home.parent, f"{NUMERICS}.of", of)


def keep_about(home: Home, about: Mapping[str, Any]) -> None:
    """Keeps with the parent run what its task says of the data, in JSON's types."""
    text = json.dumps(about, ensure_ascii=False, sort_keys=True)
    if about_of(home) != json.loads(text):
        set_long(home, ABOUT, text)


def about_of(home: Home) -> dict[str, Any]:
    """Returns what :func:`keep_about` kept; nothing where an earlier version made the record."""
    tags = home.client.get_run(home.parent).data.tags
    found: dict[str, Any] = json.loads(long_in(tags, ABOUT)) if ABOUT in tags else {}
    return found


def keep_commonest(home: Home, bits: bytes) -> None:
    """Keeps with the parent run what always naming the commonest class of test gets right."""
    if commonest(home) != bits:
        set_long(home, COMMONEST, base64.b64encode(bits).decode())


def commonest(home: Home) -> bytes:
    """Returns a packed bit per test example, nothing where an earlier version made the record."""
    tags = home.client.get_run(home.parent).data.tags
    return base64.b64decode(long_in(tags, COMMONEST)) if COMMONEST in tags else b""


def numerics_of(home: Home) -> str:
    """Returns what the numerics table was computed of; empty if there is no table."""
    return numerics_in(home.client.get_run(home.parent).data.tags)


def numerics_in(tags: Mapping[str, str]) -> str:
    """Returns what the numerics table in a parent run's tags was computed of, or nothing."""
    return tags.get(f"{NUMERICS}.of", "")


def numerics(home: Home) -> dict[str, list[Any]] | None:
    """Returns the columns of the numerics table, or None if there is no table."""
    tags = home.client.get_run(home.parent).data.tags
    return json.loads(long_in(tags, NUMERICS)) if tags.get(f"{NUMERICS}.of") else None


def search(client: MlflowClient, experiments: list[str], where: str) -> Iterator[Run]:
    """Yields every run of the experiments that matches the filter."""
    token = None
    while True:
        page = client.search_runs(experiments, where, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
