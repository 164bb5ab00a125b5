"""The tags, parameters and metrics of a trial's MLflow run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ablation.records.failure import FAILURES
from ablation.records.outcome import EpochRecord, Outcome, RunResult
from ablation.records.paths import flatten
from ablation.task import Prepared
from ablation.tracking.tags import DATA, KIND, LABEL, TRIAL, source

if TYPE_CHECKING:
    from ablation.study.plan import Trial
    from ablation.tracking.home import Home
    from ablation.tracking.parcel import Point
    from ablation.tracking.record import Started

KEY = "ablation.key"
PARENT = "mlflow.parentRunId"
REASON = FAILURES["outcome"].tag
WEIGHTS, LOGITS = "ablation.weights", "ablation.logits"
PARAMETERS = "ablation.parameters"
"""Tag: number of parameters of the run's model."""
COLOUR = "mlflow.runColor"
"""The colour of a run in MLflow's charts."""
STATUS = "status"
"""A column of MLflow's table: how the run ended, and why."""
CHOSEN = "chosen/"
"""Prefix of all metrics but those of test at the kept epoch; those without it form the curve."""
SUPERSEDED = "ablation.superseded"
"""Tag of a run that does not count, since its trial had an outcome when it was recorded: MLflow's
id of the run that does."""
SOURCES = "ablation.sources"
"""Tag: name to hash of the user-defined sources, as JSON."""


def tags_of(
    home: Home, started: Started, data: str, versions: Mapping[str, str]
) -> dict[str, str]:
    """Returns the tags of a run that are known before it ends."""
    trial = started.trial
    return {
        KIND: TRIAL,
        DATA: data,
        LABEL: home.label,
        KEY: trial.key,
        "ablation.arm": trial.arm.name,
        "ablation.seed": str(trial.seed),
        "ablation.config": trial.config_hash,
        "ablation.device": started.device,
        PARENT: home.parent,
        **source(),
        **{f"ablation.level.{path}": str(level) for path, level in trial.arm.levels.items()},
        **({SOURCES: json.dumps(dict(trial.sources))} if trial.sources else {}),
        **({COLOUR: colour} if (colour := home.colours.get(trial.config_hash)) else {}),
        **versions,
    }


def result_tags(result: RunResult) -> dict[str, str]:
    """Returns the tags that are added when a run ends."""
    tags = {
        "ablation.epoch": str(result.epoch),
        "ablation.seconds": repr(result.seconds),
        REASON: result.reason,
        STATUS: f"failed: {result.reason}" if result.reason else "finished",
        WEIGHTS: result.weights_hash,
        LOGITS: result.logits_hash,
        PARAMETERS: None if result.parameters is None else str(result.parameters),
    }
    return {name: value for name, value in tags.items() if value is not None}


def named_parameters(trial: Trial, data: Prepared) -> dict[str, str]:
    """Returns the run configuration and the properties of the data, name to text."""
    named = {"arm": trial.arm.name, "seed": trial.seed, "data": data.name}
    if trial.training_seed != trial.seed:
        named["training_seed"] = trial.training_seed
    parameters = {**flatten(trial.config), **named, **data.parameters()}
    return {name: str(value) for name, value in parameters.items()}


def curves_of(records: Iterable[EpochRecord], began: float) -> list[Point]:
    """Returns the metrics of some epochs, with timestamps that depend on the run alone."""
    # A point that is logged twice is then identical, and MLflow keeps it once.
    return [
        (name, float(value), milliseconds(began + record.seconds), record.epoch)
        for record in records
        for name, value in record.metrics.items()
    ]


def finals_of(result: RunResult, began: float) -> list[Point]:
    """Returns the metrics at the kept epoch, which is a tag."""
    # All at step 0: at their epochs, a chart would join the seeds of an arm to a curve.
    end = milliseconds(began + result.seconds)
    return [
        (name if name.startswith("test/") else CHOSEN + name, float(value), end, 0)
        for name, value in result.metrics.items()
    ]


def milliseconds(seconds: float) -> int:
    """Returns a time in milliseconds, the unit of MLflow.

    >>> milliseconds(1.5)
    1500
    """
    return round(seconds * 1000)


def outcome_of(
    run_id: str,
    status: str,
    end_time: int | None,
    *,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
) -> Outcome | None:
    """Returns what a run that ended as an outcome left, None for any other run.

    Args:
        run_id: MLflow's id of the run.
        status: How the run ended, or RUNNING.
        end_time: Milliseconds since the epoch.
        tags: The run's tags.
        metrics: The latest value of each of its metrics.
    """
    is_outcome = status == "FINISHED" or (status == "FAILED" and REASON in tags)
    if not is_outcome or SUPERSEDED in tags:
        return None
    finals = {
        name.removeprefix(CHOSEN): value
        for name, value in metrics.items()
        if name.startswith((CHOSEN, "test/"))
    }
    return Outcome(
        run_id=run_id,
        status=status,
        reason=tags.get(REASON),
        metrics=finals,
        epoch=int(tags["ablation.epoch"]),
        seconds=float(tags["ablation.seconds"]),
        tags=tags,
        ended=end_time or 0,
    )
