"""Reads the runs of any MLflow experiment, whoever recorded them, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ablation.errors import Refused, nearest, public
from ablation.tracking.store import connect

if TYPE_CHECKING:
    import pandas as pd

MOST = 50_000
"""Runs that MLflow hands out in one page."""


def foreign_runs(uri: str, experiment: str) -> pd.DataFrame:
    """Returns a row per run, the oldest first, with columns as MLflow's own search names them.

    They are ``run_id``, ``run_name``, ``status``, ``start_time`` (ms), and ``params.x``,
    ``metrics.x`` and ``tags.x``; a parameter is text, a metric the last value logged.

    Args:
        uri: MLflow tracking URI.
        experiment: Its name.

    Raises:
        Refused: If the store cannot be read, or has no such experiment, or it has no runs.
    """
    import pandas as pd

    client = connect(uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        known = [each.name for each in client.search_experiments()]
        raise Refused(
            f"{public(uri)} has no experiment {experiment!r}.{nearest(experiment, known)}",
            f"Experiments: {', '.join(known)}.",
        )
    rows, token = [], None
    while True:
        page = client.search_runs(
            [found.experiment_id], max_results=MOST, order_by=["start_time ASC"], page_token=token
        )
        rows += [
            {
                "run_id": run.info.run_id,
                "run_name": run.info.run_name,
                "status": run.info.status,
                "start_time": run.info.start_time,
                **{f"params.{name}": value for name, value in run.data.params.items()},
                **{f"metrics.{name}": value for name, value in run.data.metrics.items()},
                **{f"tags.{name}": value for name, value in run.data.tags.items()},
            }
            for run in page
        ]
        token = page.token
        if not token:
            break
    if not rows:
        raise Refused(
            f"The experiment {experiment!r} has no runs.", "Name an experiment that has runs."
        )
    return pd.DataFrame(rows)
