"""Trials to MLflow and back: what is done, and recording one outcome."""

from __future__ import annotations

import dataclasses
import getpass
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.config import flatten
from ablation.data import Encoded
from ablation.plan import Trial
from ablation.tracking.store import DATA, KIND, LABEL, Home, search

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param, Run

    from ablation.train import EpochRecord, RunResult

KEY = "ablation.key"
REASON = "ablation.reason"
WEIGHTS, LOGITS = "ablation.weights", "ablation.logits"
CHOSEN = "chosen/"
"""Prefix of validation metrics at the kept epoch; without it they are the curve."""
CORRECT = "test_correct.bin"
"""Artifact: a bit per text of test, packed, in the split's order."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What MLflow knows of a trial that is done."""

    run_id: str
    status: str
    """FINISHED or FAILED."""
    reason: str | None
    metrics: Mapping[str, float]
    """``split/metric`` to value at the kept epoch."""
    epoch: int
    seconds: float
    tags: Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """A trial that was trained, ready to be recorded."""

    trial: Trial
    records: Sequence[EpochRecord]
    result: RunResult
    began: float
    """Seconds since the epoch, UTC."""
    device: str


def outcomes(home: Home) -> dict[str, Outcome]:
    """Returns key to outcome for every trial of the label that is done.

    A trial is done when a run of it FINISHED, or FAILED for a reason that is the arm's own. Where
    two runs claim the same trial the older one counts, at every start alike.
    """
    found: dict[str, Outcome] = {}
    children = search(home.client, home.experiment, _children(home))
    for run in sorted(children, key=lambda run: (run.info.start_time, run.info.run_id)):
        if (outcome := _outcome(run)) is not None:
            found.setdefault(run.data.tags[KEY], outcome)
    return found


def close_unfinished(home: Home) -> int:
    """Marks every run of the label that was cut short as KILLED; returns their number."""
    open_runs = list(
        search(home.client, home.experiment, f"{_children(home)} AND status = 'RUNNING'")
    )
    for run in open_runs:
        home.client.set_terminated(run.info.run_id, status="KILLED")
    return len(open_runs)


def close(home: Home, *, complete: bool) -> None:
    """Ends the parent run: FINISHED where no planned trial is missing, else KILLED."""
    home.client.set_terminated(home.parent, status="FINISHED" if complete else "KILLED")


def record(
    home: Home, finished: Finished, encoded: Encoded, versions: Mapping[str, str]
) -> Outcome:
    """Records one trained trial as a run and returns its outcome.

    The run's end is written last: a run without it was cut short and is no outcome.

    Args:
        home: The study label.
        finished: The trained trial.
        encoded: Its data.
        versions: Commit and library versions, as tags.
    """
    client, result, trial = home.client, finished.result, finished.trial
    where = f"{_children(home)} AND tags.`{KEY}` = '{trial.key}' AND status != 'KILLED'"
    for known in search(client, home.experiment, where):
        if (outcome := _outcome(known)) is not None:
            return outcome  # another process was quicker: one run per trial
    began = round(finished.began * 1000)
    tags = _tags(home, finished, encoded.fingerprint, versions)
    name = f"{trial.arm.name} · seed {trial.seed}"
    run = client.create_run(home.experiment, start_time=began, run_name=name, tags=tags)
    run_id: str = run.info.run_id
    client.log_batch(run_id, metrics=_metrics(finished, began), params=_parameters(trial, encoded))
    client.log_inputs(run_id, [_dataset(encoded)])
    if result.correct:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / CORRECT
            path.write_bytes(result.correct)
            client.log_artifact(run_id, str(path))
    ended = began + round(result.seconds * 1000)
    client.set_terminated(run_id, status=result.status, end_time=ended)
    return Outcome(
        run_id=run_id,
        status=result.status,
        reason=result.reason,
        metrics=result.metrics,
        epoch=result.epoch,
        seconds=result.seconds,
        tags=tags,
    )


def _children(home: Home) -> str:
    return f"tags.`{KIND}` = 'trial' AND tags.`{LABEL}` = '{home.label}'"


def _tags(
    home: Home, finished: Finished, data: str, versions: Mapping[str, str]
) -> dict[str, str]:
    trial, result = finished.trial, finished.result
    tags = {
        KIND: "trial",
        DATA: data,
        LABEL: home.label,
        KEY: trial.key,
        "ablation.arm": trial.arm.name,
        "ablation.seed": str(trial.seed),
        "ablation.config": trial.config_hash,
        "ablation.epoch": str(result.epoch),
        "ablation.seconds": repr(result.seconds),
        "ablation.device": finished.device,
        "mlflow.parentRunId": home.parent,
        "mlflow.user": _user(),
        "mlflow.source.name": "ablation",
        "mlflow.source.type": "LOCAL",
        **{f"ablation.level.{path}": str(level) for path, level in trial.arm.levels.items()},
        **versions,
    }
    optional = {
        REASON: result.reason,
        WEIGHTS: result.weights_hash,
        LOGITS: result.logits_hash,
    }
    return tags | {name: value for name, value in optional.items() if value is not None}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


def _parameters(trial: Trial, encoded: Encoded) -> list[Param]:
    """Returns the run configuration, with what the data made of it."""
    from mlflow.entities import Param

    parameters = flatten(trial.arm.config) | {
        "seed": trial.seed,
        "data.fingerprint": encoded.fingerprint,
        "data.labels": ", ".join(encoded.labels),
        "data.tokenizer": encoded.tokenizer,
        "data.vocabulary_size": encoded.vocabulary_size,
    }
    return [Param(name, str(value)) for name, value in parameters.items()]


def _dataset(encoded: Encoded) -> DatasetInput:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=encoded.name,
        digest=encoded.fingerprint,
        source_type="local" if Path(encoded.source).exists() else "named",
        source=encoded.source,
        profile=str(encoded.rows),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "all")])


def _metrics(finished: Finished, began: int) -> list[Metric]:
    """Returns the curves and the final metrics; timestamps depend on the run alone."""
    from mlflow.entities import Metric

    result = finished.result
    curves = [
        Metric(name, value, began + round(record.seconds * 1000), record.epoch)
        for record in finished.records
        for name, value in record.metrics.items()
    ]
    end = began + round(result.seconds * 1000)
    finals = [
        Metric(CHOSEN + name if name.startswith("validation/") else name, value, end, result.epoch)
        for name, value in result.metrics.items()
    ]
    return curves + finals


def _outcome(run: Run) -> Outcome | None:
    """Returns what a run that ended as an outcome left, None for any other run."""
    tags, metrics = run.data.tags, run.data.metrics
    if run.info.status != "FINISHED" and not (run.info.status == "FAILED" and REASON in tags):
        return None
    finals = {
        name.removeprefix(CHOSEN): value
        for name, value in metrics.items()
        if name.startswith((CHOSEN, "test/"))
    }
    return Outcome(
        run_id=run.info.run_id,
        status=run.info.status,
        reason=tags.get(REASON),
        metrics=finals,
        epoch=int(tags["ablation.epoch"]),
        seconds=float(tags["ablation.seconds"]),
        tags=tags,
    )
