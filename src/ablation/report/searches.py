"""A report's tunings and searches: read from the record, kept in the report's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from ablation import tracking
from ablation.analysis.recorded import judge_record
from ablation.records.declaration import Declaration
from ablation.records.told import Told
from ablation.tracking import Home

SEARCHES = (
    "arm", "block", "number", "state", "value", "seconds", "seed", "epochs", "values", "edges",
)  # fmt: skip
"""One row per trial of a search: ``value`` on validation, ``values`` as a JSON object of dotted
path to repr, ``edges`` the paths whose value is near an end of its range."""

SHARED = ("arm", "n", "mean", "effect", "verdict_low", "verdict_high", "verdict")
"""One row per arm at its shared hyperparameters, columns of the effects frame."""

OURS = frozenset({"searches", "shared", "importances"})
"""Names of these tables among those of a report's content."""


def search_tables(home: Home, declaration: Declaration) -> dict[str, pd.DataFrame]:
    """Returns the tables of a study's searches; none if it has none."""
    if declaration.searched is None:
        return {}
    told = tracking.told_of(home)
    wanted = set(declaration.searched.names)
    trials = [trial for key, (trial, _) in told.items() if key.rpartition("/")[0] in wanted]
    tables = {"searches": searches_frame(trials)}
    if (shared := _shared(home, declaration)) is not None:
        tables["shared"] = shared
    if (found := tracking.importances_of(home)) is not None:
        tables["importances"] = pd.DataFrame(found)
    return tables


def searches_frame(trials: list[Told]) -> pd.DataFrame:
    """Returns the columns :data:`SEARCHES`."""
    rows = [
        (each.arm, -1 if each.replicate is None else each.replicate, each.number, each.state,
         each.value, each.seconds, each.seed, max(each.curve, default=0),
         json.dumps(dict(each.values)), ", ".join(each.edges))
        for each in trials
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(SEARCHES))
    frame["value"] = frame["value"].astype(float)
    place = {arm: i for i, arm in enumerate(dict.fromkeys(frame["arm"]))}
    order = frame.assign(place=frame["arm"].map(place))
    order = order.sort_values(["place", "block", "number"], kind="stable")
    return pd.DataFrame(order[list(SEARCHES)].reset_index(drop=True))


def values_of(row: Mapping[str, object]) -> dict[str, str]:
    """Returns dotted path to repr of a row's values."""
    found: dict[str, str] = json.loads(str(row["values"]))
    return found


def _shared(home: Home, declaration: Declaration) -> pd.DataFrame | None:
    """Returns the effects of the arms at their shared hyperparameters, if they were run."""
    name = f"{declaration.name}_shared"
    label = home.label.replace(declaration.name, name, 1)
    beside = tracking.find_home(home.client, name, label)
    if beside is None:
        return None
    return judge_record(beside).effects[list(SHARED)].reset_index(drop=True)
