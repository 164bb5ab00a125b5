"""The home of a study label in MLflow: its experiment and its parent run."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.records import addresses
from ablation.tracking import late, tables
from ablation.tracking.tables import belongs, deleted
from ablation.tracking.tags import DATA, KIND, LABEL, source

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run


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
        """Returns whether conductors on other machines may record here, too."""
        return addresses.file_of(str(self.client.tracking_uri)) is None

    def tags(self) -> dict[str, str]:
        """Reads the tags of the parent run."""
        return late.tags_of(self.client, self.parent)

    def search(self, kind: str, where: str = "") -> Iterator[Run]:
        """Yields the label's runs of a kind: ``trial``, ``tuning``.

        Args:
            kind: The kind.
            where: A condition in MLflow's filter syntax; empty for all of them.
        """
        ours = f"tags.`{KIND}` = '{kind}' AND tags.`{LABEL}` = '{self.label}'"
        wanted = f"{ours} AND {where}" if where else ours
        return search(self.client, [self.experiment], wanted)


def find_home(client: MlflowClient, study: str, label: str) -> Home | None:
    """Returns the home of a label, or None if it has no runs.

    Raises:
        Refused: If the label's experiment was deleted in the UI, but not permanently.
    """
    if not re.fullmatch(r"[\w.@-]+", label):
        return None
    if isinstance(client, late.LateClient):
        return _find_in_tables(client, study, label)
    found = _experiments(client, study)
    parents = _parents(client, found, f" AND tags.`{LABEL}` = '{label}'")
    if parents:
        info = parents[0].info
        return Home(client, str(info.experiment_id), label, info.run_id)
    if label in found and found[label].lifecycle_stage == "deleted":
        raise deleted(label, found[label].experiment_id)
    return None


def _find_in_tables(client: Any, study: str, label: str) -> Home | None:
    with client.reading() as query:
        for row in tables.parents(query, study):
            if row.tags.get(LABEL) == label:
                return Home(client, row.experiment, label, row.run_id)
        tables.refuse_deleted(query, label)
    return None


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


def labels_taken(client: MlflowClient, study: str) -> dict[str, str]:
    """Returns label to data fingerprint for every parent run of the study."""
    if isinstance(client, late.LateClient):
        with client.reading() as query:
            return tables.labels_taken(tables.parents(query, study))
    parents = _parents(client, _experiments(client, study))
    return {run.data.tags[LABEL]: run.data.tags[DATA] for run in parents}


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
    return oldest_first(found)


def oldest_first(runs: Iterable[Run]) -> list[Run]:
    """Returns runs in the order in which every start of a study sees them."""
    return sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))


def search(client: MlflowClient, experiments: list[str], where: str) -> Iterator[Run]:
    """Yields every run of the experiments that matches the filter."""
    token = None
    while True:
        page = client.search_runs(experiments, where, max_results=1000, page_token=token)
        yield from page
        if not (token := page.token):
            return
