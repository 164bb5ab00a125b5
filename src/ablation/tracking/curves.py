"""Reads the curves of many runs at once."""

# One request per run and metric would take minutes.

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablation.records.declaration import Declaration
from ablation.records.outcome import Outcome
from ablation.tracking.frames import planned
from ablation.tracking.store import Home

if TYPE_CHECKING:
    import pandas as pd

CURVES = ("study", "config", "arm", "seed", "split", "metric", "epoch", "value")
"""One row per run, metric and epoch, in the order of the declared arms; split is ``train``,
``validation`` or ``probe``. Values that are not finite are left out; others have seven digits."""

SPLITS = ("train", "validation", "probe")

PER_QUERY = 500
"""Runs per database query; SQLite accepts some thousands of values in a query."""

PER_REQUEST = 50
"""Runs per request to a tracking server, which accepts 100 and returns at most 25,000 points."""

UNSTORED = 1e300
"""Bound below which values are real: MLflow stores an infinity as the largest float."""


def curves_frame(
    home: Home, declaration: Declaration, outcomes: Mapping[str, Outcome]
) -> pd.DataFrame:
    """Returns the declaration's metrics per epoch as the columns :data:`CURVES`."""
    import pandas as pd

    place = {arm.name: i for i, arm in enumerate(declaration.arms)}
    runs = {
        outcome.run_id: (home.label, key.split("/")[1], arm, seed)
        for arm, seed, key, outcome in planned(declaration, outcomes)
    }
    points = pd.DataFrame(_points(home, runs), columns=["run", "name", "epoch", "value"])
    points["value"] = points["value"].astype(float)
    points = points[points["value"].abs() < UNSTORED]  # drops NaN, too
    points = points[points["name"].str.split("/").str[0].isin(SPLITS)]
    frame = pd.DataFrame(
        [runs[run] for run in points["run"]], columns=list(CURVES[:4]), index=points.index
    )
    names = points["name"].astype(str).str.split("/", n=1)
    frame = frame.assign(
        split=names.str[0].astype(str),
        metric=names.str[1].astype(str),
        epoch=points["epoch"].astype("int64"),
        value=[float(f"{value:.7g}") for value in points["value"]],
        place=frame["arm"].map(place),
    ).sort_values(["place", "seed", "split", "metric", "epoch"], kind="stable")
    typed = {"seed": "int64", "value": "float64"}
    return frame[list(CURVES)].astype(typed).reset_index(drop=True)


def _points(
    home: Home, runs: Mapping[str, tuple[str, str, str, int]]
) -> Iterator[tuple[str, str, int, float]]:
    """Yields run, metric, step and value of every point."""
    store = home.client._tracking_client.store
    if hasattr(store, "ManagedSessionMaker"):  # a database, not a tracking server
        yield from _from_database(store, list(runs))
        return
    one_of_each = {config: run for run, (_, config, _, _) in runs.items()}
    for name in _names(home, one_of_each.values()):
        for some in _parts(list(runs), PER_REQUEST):
            for point in _from_server(store, some, name):
                yield point["run_id"], name, int(point["step"]), float(point["value"])


def _from_database(store: Any, runs: Sequence[str]) -> Iterator[tuple[str, str, int, float]]:
    """Yields run, metric, step and value of every point that is not NaN, from the database."""
    # Columns, because building MLflow's own objects takes twenty times as long.
    from mlflow.store.tracking.dbmodels.models import SqlMetric

    columns = (SqlMetric.run_uuid, SqlMetric.key, SqlMetric.step, SqlMetric.value)
    with store.ManagedSessionMaker() as session:
        for some in _parts(runs, PER_QUERY):
            query = session.query(*columns).filter(SqlMetric.run_uuid.in_(some), ~SqlMetric.is_nan)
            yield from map(tuple, query)


def _names(home: Home, runs: Iterable[str]) -> list[str]:
    """Returns the sorted names of the runs' curves."""
    found: set[str] = set()
    for run in runs:
        found |= home.client.get_run(run).data.metrics.keys()
    return sorted(name for name in found if name.split("/")[0] in SPLITS)


def _from_server(store: Any, runs: Sequence[str], name: str) -> list[dict[str, Any]]:
    """Returns one curve of many runs, in one request to a tracking server."""
    # The request that MLflow's own pages use to draw many runs.
    from mlflow.utils.rest_utils import http_request_safe

    response = http_request_safe(  # type: ignore[no-untyped-call]  # MLflow's own
        store.get_host_creds(),
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
        "GET",
        params={"run_id": list(runs), "metric_key": name},
    )
    points: list[dict[str, Any]] = response.json()["metrics"]
    return points


def _parts(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
