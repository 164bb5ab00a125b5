"""Sets what MLflow's pages show first of a label: its trials as a table, and curves by arm."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ablation.records.colours import colour_of
from ablation.records.declaration import Declaration
from ablation.records.outcome import Outcome
from ablation.tracking import notes
from ablation.tracking.entities import COLOUR
from ablation.tracking.home import Home, search
from ablation.tracking.late import place_of
from ablation.tracking.tags import KIND, LABEL

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Param

WORKFLOW = "workflowType=machine_learning"
"""Part of an address without which MLflow shows its pages for chatbots."""
VIEW = "mlflow.sharedViewState."
"""Prefix of the experiment's tags that hold views; an address chooses one by the rest."""


def page_of(home: Home) -> str:
    """Returns the part of an address behind ``#/`` that shows the label's trials."""
    return f"experiments/{home.experiment}/runs?{WORKFLOW}&viewStateShareKey={_key(home.label)}"


def state_in(label: str, tags: Mapping[str, str]) -> str:
    """Returns the page's state in an experiment's tags, as JSON; empty if it was never saved."""
    view = tags.get(VIEW + _key(label))
    return "" if view is None else str(json.loads(view)["state"])


def latest(client: MlflowClient) -> Home | None:
    """Returns the home of the label that ran last, or runs; None if nothing is recorded."""
    every = [each.experiment_id for each in client.search_experiments()]
    found = search(client, every, f"tags.`{KIND}` = 'study'")
    last = max(found, key=lambda run: run.info.end_time or math.inf, default=None)
    if last is None:
        return None
    return Home(client, str(last.info.experiment_id), last.data.tags[LABEL], last.info.run_id)


def set_up(home: Home, declaration: Declaration, question: str) -> None:
    """Sets the label's view and its settings; changes nothing that is already so.

    Args:
        home: The study label.
        declaration: Everything the study fixed.
        question: What the experiment's note says until there is an answer.
    """
    experiment = home.client.get_experiment(home.experiment)
    wanted = {VIEW + _key(home.label): _view(home, declaration, experiment)}
    if notes.NOTE not in experiment.tags and experiment.name == home.label:
        wanted[notes.NOTE] = notes.text(question)
    for name, value in wanted.items():
        if experiment.tags.get(name) != value:
            home.client.set_experiment_tag(home.experiment, name, value)
    parameters = home.client.get_run(home.parent).data.params
    if new := list(_settings(declaration, parameters)):
        home.client.log_batch(home.parent, params=new)


def recolour(home: Home, outcomes: Mapping[str, Outcome]) -> None:
    """Gives runs the colour of their arm where another arm came before it since."""
    for key, outcome in outcomes.items():
        colour = home.colours.get(key.split("/")[1])
        if colour and outcome.tags.get(COLOUR, colour) != colour:
            home.client.set_tag(outcome.run_id, COLOUR, colour)


def colours(declaration: Declaration) -> dict[str, str]:
    """Returns hash of the configuration to colour, for every arm."""
    return {arm.config: colour_of(place) for place, arm in enumerate(declaration.arms)}


def tell(home: Home, note: str) -> None:
    """Shows a note with the experiment, unless it holds other labels too.

    Args:
        home: The study label.
        note: Markdown: paragraphs, of which the second, the answer, comes first here, because
            MLflow shows a single line until a click.
    """
    name, _ = place_of(home.client, home.experiment)
    if name != home.label:
        return
    first, *rest = note.split("\n\n")
    where = f"#/experiments/{home.experiment}/runs/{home.parent}?{WORKFLOW}"
    told = [*rest[:1], first, *rest[1:], f"[The run with the whole report]({where})"]
    home.client.set_experiment_tag(home.experiment, notes.NOTE, "\n\n".join(told))


def _key(label: str) -> str:
    return label.replace("@", ":")  # a tag's name takes no @


def _settings(declaration: Declaration, known: Mapping[str, str]) -> Iterator[Param]:
    """Yields what is missing of the parent's parameters.

    MLflow never changes a parameter. One that the study changed gets a number: ``margin.2``.
    """
    from mlflow.entities import Param

    for name in ("baseline", "metric", "margin", "factor"):
        value, last, key, number = getattr(declaration, name), None, name, 1
        told = "none" if value is None else str(value)
        while key in known:
            last, number = known[key], number + 1
            key = f"{name}.{number}"
        if told != last:
            yield Param(key, told)


def _view(home: Home, declaration: Declaration, experiment: Experiment) -> str:
    """Returns a view as MLflow 3.17 saves it: a name, a date, and the page's state as text."""
    made, state = experiment.creation_time, _state(home.label, declaration.metric, experiment.name)
    return json.dumps(
        {"name": home.label, "createdAt": made, "updatedAt": made, "state": json.dumps(state)}
    )


def _state(label: str, metric: str, experiment: str) -> dict[str, Any]:
    """Returns the state of the page: trials alone, sorted by arm, every one in the charts."""
    where = f"tags.`{KIND}` = 'trial'"
    if experiment != label:
        where += f" AND tags.`{LABEL}` = '{label}'"
    columns = ["params.`arm`", "params.`seed`", "params.`data`", "tags.`status`"]
    columns.append(f"metrics.`test/{metric}`")
    return {
        "searchFilter": where,
        "orderByKey": "params.`arm`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": columns,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [
            _chart("BAR", f"test/{metric}"),
            _chart("LINE", f"validation/{metric}"),
            _chart("LINE", "validation/loss"),
            _chart("LINE", "train/loss"),
        ],
        "compareRunSections": [
            {"uuid": name, "name": name, "display": True, "isReordered": True}
            for name in ("test", "validation", "train")
        ],
        "isAccordionReordered": True,
    }


def _chart(kind: str, metric: str) -> dict[str, Any]:
    """Returns a chart of one metric, in the section of its split."""
    split, _, name = metric.partition("/")
    return {
        "uuid": metric,
        "type": kind,
        "metricKey": metric,
        "metricSectionId": split,
        "displayName": name,
        "deleted": False,
        "isGenerated": True,
        **({"runsCountToCompare": 10} if kind == "BAR" else _LINE),
    }


_LINE: dict[str, Any] = {
    "runsCountToCompare": 10,
    "lineSmoothness": 0,
    "xAxisKey": "step",
    "xAxisScaleType": "linear",
    "scaleType": "linear",
    "selectedXAxisMetricKey": "",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "range": {},
    "ignoreOutliers": False,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}
"""Settings of a curve's chart, as MLflow's page writes them."""
