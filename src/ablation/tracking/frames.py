"""Recorded runs as tidy frames; their columns are the contract with every reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ablation.records.declaration import Declaration
from ablation.records.metric import METRICS
from ablation.records.outcome import Outcome
from ablation.study.identity import key_of
from ablation.tracking import tables
from ablation.tracking.entities import LOGITS, WEIGHTS
from ablation.tracking.home import Home, search
from ablation.tracking.late import LateClient
from ablation.tracking.tags import DATA, KIND

if TYPE_CHECKING:
    import pandas as pd

RUNS = (
    "study", "config", "arm", "seed", "split", "metric", "value", "status", "reason", "epoch",
    "seconds", "run_id",
)  # fmt: skip
"""One row per run and metric; the value of a FAILED run is empty."""

SPLITS = ("validation", "test")


HASHES = ("arm", "seed", "weights", "logits")
"""One row per run: hashes of the kept weights and of the test logits; empty if missing."""


def runs_frame(
    label: str, declaration: Declaration, outcomes: Mapping[str, Outcome]
) -> pd.DataFrame:
    """Returns the declaration's runs as the columns :data:`RUNS`, in the plan's order.

    A run that collapsed by the study's criterion is FAILED and has no value.
    """
    recorded = [
        (f"{split}/{metric}", split, metric)
        for split in SPLITS
        for metric in _metrics(declaration, outcomes, split)
    ]
    rows = [
        {
            "study": label,
            "config": key.split("/")[1],
            "arm": arm,
            "seed": seed,
            "split": split,
            "metric": metric,
            "value": None if collapsed else outcome.metrics.get(name),
            "status": "FAILED" if collapsed else outcome.status,
            "reason": "collapsed" if collapsed else outcome.reason,
            "epoch": outcome.epoch,
            "seconds": outcome.seconds,
            "run_id": outcome.run_id,
        }
        for arm, seed, key, outcome in planned(declaration, outcomes)
        for collapsed in (_collapsed(declaration, outcome),)
        for name, split, metric in recorded
    ]
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(RUNS))
    return frame.astype({"value": float, "seconds": float})


def _metrics(
    declaration: Declaration, outcomes: Mapping[str, Outcome], split: str
) -> Sequence[str]:
    """Returns the metrics of a split: those of the table, or all that some run has."""
    if declaration.described is None:
        return list(METRICS)
    names = {name for outcome in outcomes.values() for name in outcome.metrics}
    found = {name.removeprefix(f"{split}/") for name in names if name.startswith(f"{split}/")}
    first = {declaration.metric} if split == "test" else set()
    return [*first, *sorted(found - first)]


def hashes_frame(declaration: Declaration, outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    """Returns the runs' hashes of weights and logits as the columns :data:`HASHES`."""
    rows = [
        (arm, seed, outcome.tags.get(WEIGHTS), outcome.tags.get(LOGITS))
        for arm, seed, _, outcome in planned(declaration, outcomes)
    ]
    import pandas as pd

    return pd.DataFrame(rows, columns=list(HASHES))


def _collapsed(declaration: Declaration, outcome: Outcome) -> bool:
    """Returns whether a finished run is within the declared distance of chance.

    The rule ``half`` is another: it looks at all runs of the arms at a look.
    """
    value = outcome.metrics.get(f"test/{declaration.metric}")
    chance = declaration.chance
    if not isinstance(declaration.collapse, float) or value is None or chance is None:
        return False
    return abs(value - chance) <= declaration.collapse


def planned(
    declaration: Declaration, outcomes: Mapping[str, Outcome]
) -> Iterator[tuple[str, int, str, Outcome]]:
    """Yields arm, seed, key and outcome of every finished trial of the plan, block by block."""
    for seed in range(declaration.most_seeds):
        for arm in declaration.arms:
            key = key_of(declaration.name, arm.config, seed)
            if key in outcomes:
                yield arm.name, seed, key, outcomes[key]


def test_evaluations(home: Home, data: str, outcomes: Mapping[str, Outcome], *, until: int) -> int:
    """Returns the number of runs, over all studies, that evaluated the data's test split.

    Args:
        home: The study label.
        data: Fingerprint of the data.
        outcomes: The outcomes of this study, so that they are not requested again.
        until: Milliseconds since the epoch; later runs are not counted, so that the number is
            final once a study has ended.
    """
    each_once = {outcome.run_id: outcome for outcome in outcomes.values()}.values()
    ours = sum("test/loss" in o.metrics and o.ended <= until for o in each_once)
    if isinstance(home.client, LateClient):
        with home.client.reading() as query:
            return ours + tables.evaluations(query, data, but=home.experiment, until=until)
    where = f"tags.`{KIND}` = 'trial' AND tags.`{DATA}` = '{data}' AND metrics.`test/loss` >= 0"
    where += f" AND attributes.end_time <= {until}"
    every = (each.experiment_id for each in home.client.search_experiments())
    others = [each for each in every if each != home.experiment]
    return ours + sum(1 for _ in search(home.client, others, where)) if others else ours
