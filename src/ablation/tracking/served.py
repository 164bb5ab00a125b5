"""MLflow's pages as ``ablation ui`` serves them: a click on an experiment shows its trials.

MLflow starts with its pages for chatbots, whatever an experiment holds, and remembers in the
browser what was chosen last. So the front page makes the first choice.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.tracking.landing import state_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import FastAPI
    from mlflow.entities import Experiment

CHOSEN = {
    "mlflow.workflowType_v1": '"machine_learning"',
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",  # it takes a third of the page
}
"""Names and texts in the browser's storage, as MLflow 3.17 writes them."""
PAGE = 'MLflowLocalStorage-1.1-ExperimentPage-["{}"]-ReactComponentState'
"""Name of the state of an experiment's page in the browser's storage."""

SCRIPT = """<script>
for (const [name, text] of Object.entries({first}))
  if (localStorage.getItem(name) === null) localStorage.setItem(name, text);
</script>"""


def create_app() -> FastAPI:
    """Returns MLflow's server with a front page of its own; MLflow's ``--app-name`` calls it."""
    from mlflow import MlflowClient
    from mlflow.server import app
    from mlflow.server.fastapi_app import create_fastapi_app

    client = MlflowClient(os.environ["MLFLOW_BACKEND_STORE_URI"])
    page = (Path(str(app.static_folder)) / "index.html").read_text(encoding="utf-8")
    app.view_functions["serve"] = lambda: chosen_in(page, client.search_experiments())
    served: FastAPI = create_fastapi_app(app)
    return served


def chosen_in(page: str, experiments: Iterable[Experiment]) -> str:
    """Returns the front page with a script that makes what choices the browser has not made.

    Args:
        page: MLflow's front page.
        experiments: Each one that has a view of its own is first shown in it.
    """
    states = ((each.experiment_id, state_in(each.name, each.tags)) for each in experiments)
    first = CHOSEN | {PAGE.format(number): state for number, state in states if state}
    text = json.dumps(first).replace("<", "\\u003c")  # no text can end the script
    return page.replace("<head>", "<head>" + SCRIPT.replace("{first}", text), 1)
