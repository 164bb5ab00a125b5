"""A trained trial as plain values, ready to be recorded by whoever has its bytes."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablation.records.outcome import Outcome
from ablation.task import Prepared
from ablation.tracking.entities import (
    KEY,
    STATUS,
    SUPERSEDED,
    curves_of,
    finals_of,
    milliseconds,
    named_parameters,
    outcome_of,
    result_tags,
    tags_of,
)
from ablation.tracking.tags import LABEL

if TYPE_CHECKING:
    from ablation.tracking.home import Home
    from ablation.tracking.record import Finished, Started, Unfinished

FORMAT = 1
"""Version of the bytes."""
CORRECT = "test_correct.bin"
"""Artifact: one packed bit per test text, in the split's order, or packed scores."""
ATTENTION = "test_attention.f16"
"""Artifact: the weights on the tokens of the shown test texts, float16, one after the other."""
LOG = "log.txt"
"""Artifact: what the run printed."""
TRACEBACK = "traceback.txt"
"""Artifact of a run without an outcome."""


class OtherFormat(ValueError):
    """A parcel in the format of another version."""


Point = tuple[str, float, int, int]
"""Name, value, milliseconds since the epoch, and step of a metric."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """A run that has ended, with everything that is recorded of it."""

    name: str
    began: int
    """Milliseconds since the epoch."""
    ended: int
    """Milliseconds since the epoch."""
    status: str
    """FINISHED, FAILED or KILLED."""
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Sequence[Point]
    """The points of the curves by epoch, then those of the kept epoch."""
    artifacts: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    """File name to content."""

    @property
    def key(self) -> str:
        """The trial's key."""
        return self.tags[KEY]

    @property
    def label(self) -> str:
        """The study label."""
        return self.tags[LABEL]

    @property
    def outcome(self) -> Outcome | None:
        """The outcome, which no run has yet; None for a training that left none."""
        return self.outcome_in("")

    def outcome_in(self, run: str) -> Outcome | None:
        """Returns the outcome as a run that records it will show it.

        Args:
            run: MLflow's id of the run.
        """
        finals = {name: value for name, value, _, _ in self.metrics}
        return outcome_of(run, self.status, self.ended, tags=self.tags, metrics=finals)

    def curve(self, metric: str) -> dict[int, float]:
        """Returns epoch to a metric on validation."""
        name = f"validation/{metric}"
        return {step: value for each, value, _, step in self.metrics if each == name}

    def is_recorded_as(self, outcome: Outcome) -> bool:
        """Returns whether an outcome in the record is that of this very training."""
        seconds = "ablation.seconds"  # in full digits
        return (outcome.ended, outcome.tags.get(seconds)) == (self.ended, self.tags.get(seconds))

    def superseded_by(self, run: str) -> Parcel:
        """Returns the parcel of a training whose trial has an outcome already.

        Args:
            run: MLflow's id of the run that counts.
        """
        said = {SUPERSEDED: run, STATUS: f"superseded by {run}"}
        return dataclasses.replace(self, tags={**self.tags, **said})


def parcel_of(
    home: Home, finished: Finished, data: Prepared, versions: Mapping[str, str]
) -> Parcel:
    """Returns everything that is recorded of a trained trial.

    Args:
        home: The study label.
        finished: The trained trial.
        data: The trial's data.
        versions: Commit and library versions, as tags.
    """
    result, began = finished.result, finished.began
    metrics = [*curves_of(finished.records, began), *finals_of(result, began)]
    artifacts = {CORRECT: result.correct, ATTENTION: result.attention, LOG: result.log}
    return Parcel(
        **_known(home, finished, data),
        ended=milliseconds(began + result.seconds),
        status=result.status,
        tags=tags_of(home, finished, data.fingerprint, versions)
        | result_tags(result)
        | dict(finished.facts),
        metrics=metrics,
        artifacts={name: content for name, content in artifacts.items() if content},
    )


def parcel_of_failure(
    home: Home, ended: Unfinished, data: Prepared, versions: Mapping[str, str]
) -> Parcel:
    """Returns everything that is recorded of a training without an outcome.

    Args:
        home: The study label.
        ended: The trial and its failure.
        data: The trial's data.
        versions: Commit and library versions, as tags.
    """
    failure = ended.failure
    return Parcel(
        **_known(home, ended, data),
        ended=milliseconds(time.time()),
        status=failure.rule.status,
        tags=tags_of(home, ended, data.fingerprint, versions) | {failure.rule.tag: str(failure)},
        metrics=(),
        artifacts={TRACEBACK: failure.trace.encode()} if failure.trace else {},
    )


def _known(home: Home, started: Started, data: Prepared) -> dict[str, Any]:
    return {
        "name": name_of(started),
        "began": milliseconds(started.began),
        "params": named_parameters(started.trial, data),
    }


def name_of(started: Started) -> str:
    """Returns the name of a trial's run, which sorts by arm and seed."""
    return f"{started.trial.arm.name} · seed {started.trial.seed:02d}"


def to_bytes(parcel: Parcel) -> bytes:
    """Returns a parcel as a line with the SHA-256 of the rest, and a line of JSON."""
    stated = {name: getattr(parcel, name) for name in Parcel.__slots__}
    packed = {name: base64.b64encode(each).decode() for name, each in parcel.artifacts.items()}
    text = json.dumps({"format": FORMAT, **stated, "artifacts": packed}).encode()
    return hashlib.sha256(text).hexdigest().encode() + b"\n" + text


def from_bytes(written: bytes) -> Parcel | None:
    """Returns the parcel that :func:`to_bytes` wrote; None if a bit of it is missing or wrong.

    Raises:
        OtherFormat: If it is whole, but of another :data:`FORMAT`.
    """
    checksum, _, text = written.partition(b"\n")
    if hashlib.sha256(text).hexdigest().encode() != checksum:
        return None
    stated = json.loads(text)
    if (other := stated.pop("format")) != FORMAT:
        raise OtherFormat(other)
    stated["metrics"] = [tuple(each) for each in stated["metrics"]]
    packed = stated["artifacts"]
    stated["artifacts"] = {name: base64.b64decode(each) for name, each in packed.items()}
    return Parcel(**stated)
