"""Reads the curves of many runs at once."""

# One request per run and metric would take minutes.

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablation.records.declaration import Declaration
from ablation.records.outcome import Outcome
from ablation.study.identity import key_of
from ablation.tracking import tables
from ablation.tracking.frames import planned
from ablation.tracking.home import Home

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

CURVES = ("study", "config", "arm", "seed", "split", "metric", "epoch", "value")
"""One row per run, metric and epoch, in the order of the declared arms; split is ``train``,
``validation``, ``epoch`` (any other measured after each epoch) or ``probe``. Values that are not
finite are left out; others have seven digits."""

SPLITS = ("train", "validation", "epoch", "probe")

PER_QUERY = 500
"""Runs per database query; SQLite accepts some thousands of values in a query."""

PER_REQUEST = 50
"""Runs per request to a tracking server, which accepts 100 and returns at most 25,000 points."""

UNSTORED = 1e300
"""Bound below which values are real: MLflow stores an infinity as the largest float."""

EXACT_POWER = 22
"""Powers of ten up to this one are floats without an error."""
SEVEN_DIGITS = 10.0**7
NEAR_TIE = 1e-6
"""Distance from one half that a product's error, 1e-9 at most, cannot bridge."""


def curves_frame(
    home: Home, declaration: Declaration, outcomes: Mapping[str, Outcome]
) -> pd.DataFrame:
    """Returns the declaration's metrics per epoch as the columns :data:`CURVES`."""
    import numpy as np
    import pandas as pd

    cells = [
        (outcome.run_id, key.split("/")[1], arm, seed)
        for arm, seed, key, outcome in planned(declaration, outcomes)
    ]
    runs = pd.DataFrame(cells, columns=["run", "config", "arm", "seed"])
    points = pd.DataFrame(_points(home, runs), columns=["run", "name", "epoch", "value"])
    # 10,000 runs have 640,000 points: texts are looked at once each, their numbers sorted.
    run = pd.Index(runs["run"]).get_indexer(pd.Index(points["run"]))
    code, names = pd.factorize(points["name"].astype(str))
    curve = pd.DataFrame([name.partition("/")[::2] for name in names], columns=["split", "metric"])
    rank = np.argsort(np.lexsort((curve["metric"], curve["split"])))
    value, epoch = points["value"].to_numpy(np.float64), points["epoch"].to_numpy(np.int64)
    arms = pd.Index([arm.name for arm in declaration.arms]).get_indexer(pd.Index(runs["arm"]))
    seeds = runs["seed"].to_numpy(np.int64)
    # A NaN is not below anything, either.
    at = np.flatnonzero(curve["split"].isin(SPLITS).to_numpy()[code] & (np.abs(value) < UNSTORED))
    at = at[np.lexsort((epoch[at], rank[code[at]], seeds[run[at]], arms[run[at]]))]
    run, code = run[at], code[at]
    columns = {
        "study": np.full(len(at), home.label, object),
        **{name: runs[name].to_numpy(object)[run] for name in ("config", "arm")},
        "seed": seeds[run],
        **{name: curve[name].to_numpy(object)[code] for name in ("split", "metric")},
        "epoch": epoch[at],
        "value": seven_digits(value[at]),
    }
    return pd.DataFrame(columns)


def validation_curves(
    home: Home, declaration: Declaration, outcomes: Mapping[str, Outcome]
) -> dict[str, dict[int, float]]:
    """Returns trial key to the study's metric on validation, epoch to value."""
    frame = curves_frame(home, declaration, outcomes)
    of = frame[(frame["split"] == "validation") & (frame["metric"] == declaration.metric)]
    found: dict[str, dict[int, float]] = {}
    for config, seed, epoch, value in of[["config", "seed", "epoch", "value"]].to_numpy(object):
        found.setdefault(key_of(declaration.name, config, seed), {})[epoch] = value
    return found


def seven_digits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns finite numbers as ``float(f"{value:.7g}")`` rounds them, without the texts.

    A whole number of seven digits and a power of ten up to 1e22 are exact, so that their quotient
    or product is the number nearest to the decimal one. Where the digits are close to a tie, or
    the power is larger, the text decides.
    """
    import numpy as np

    size = np.abs(values)
    with np.errstate(divide="ignore"):
        places = 6 - np.floor(np.log10(np.where(size > 0, size, 1.0)))
    easy = np.abs(places) <= EXACT_POWER
    power = 10.0 ** np.where(easy, np.abs(places), 0)
    scaled = np.where(places >= 0, values * power, values / power)
    digits = np.rint(scaled)
    found = np.where(places >= 0, digits / power, digits * power)
    easy &= np.abs(np.abs(scaled - np.trunc(scaled)) - 0.5) > NEAR_TIE
    # A logarithm that was rounded up or down a power of ten gives a digit too few or too many.
    easy &= ((np.abs(digits) >= SEVEN_DIGITS / 10) & (np.abs(digits) < SEVEN_DIGITS)) | (size == 0)
    for place in np.flatnonzero(~easy):
        found[place] = float(f"{values[place]:.7g}")
    return found


def _points(home: Home, runs: pd.DataFrame) -> list[tuple[str, str, int, float]]:
    """Returns run, name, step and value of every point, straight from a database if it is one."""
    ids = list(runs["run"])
    if not home.shared:
        with tables.reading(str(home.client.tracking_uri)) as query:
            return tables.points(query, ids)
    store = home.client._tracking_client.store
    if hasattr(store, "ManagedSessionMaker"):
        return list(_from_database(store, ids))
    return [
        (point["run_id"], name, int(point["step"]), float(point["value"]))
        for name in _names(home, runs.drop_duplicates("config")["run"])
        for some in _parts(ids, PER_REQUEST)
        for point in _from_server(store, some, name)
    ]


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
