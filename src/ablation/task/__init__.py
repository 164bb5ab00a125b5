"""The record :class:`Task`: everything the harness knows about the kind of run that it ablates.

Code outside a task's own package must not depend on which task it is given. The text classifier
with attention, :data:`ablation.task.text.TEXT`, is built in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ablation.records.metric import Metric
from ablation.records.outcome import EpochRecord, RunResult


class Prepared(Protocol):
    """A handle of data on disk, ready for training and light enough to send to a worker."""

    @property
    def name(self) -> str:
        """Short name, used in a study's label."""

    @property
    def source(self) -> str:
        """Path or id that the data were loaded from."""

    @property
    def fingerprint(self) -> str:
        """12 hex digits that identify the content."""

    @property
    def rows(self) -> Mapping[str, int]:
        """Split to its number of rows; includes ``test``."""

    def test_counts(self) -> Sequence[int]:
        """Returns the number of test rows per class."""

    def test_commonest(self) -> bytes:
        """Returns a packed bit per test row: whether always naming the commonest class is right.

        It is what a FAILED run scores at chance, example by example.
        """

    def parameters(self) -> Mapping[str, Any]:
        """Returns properties of the data that are recorded as parameters of each run."""


class Identity(NamedTuple):
    """Everything that decides a run except its seed and its data."""

    values: Mapping[str, str]
    """Dotted path to the value's repr."""
    contents: Sequence[str | None]
    """Text or hash of the files that a configuration names, such as user-defined classes."""
    numerics: int
    """Version of the arithmetic of a training. A change that moves results raises it, so that no
    block pairs two arithmetics and no record mixes them."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Redirection:
    """Data that replace a study's own; a field that is None keeps the study's value."""

    data: str | None = None
    """A path, or an id such as ``owner/name@revision``."""
    text: str | None = None
    """Name of the text column."""
    label: str | None = None
    """Name of the class column."""


class Train(Protocol):
    """Trains one run in a worker; yields a record per epoch and returns the result."""

    def __call__(
        self, config: Any, seed: int, data: Any, *, device: str
    ) -> Generator[EpochRecord, None, RunResult]:
        """Starts the run.

        Args:
            config: The arm's configuration.
            seed: Seed that every random stream of the run derives from.
            data: The data that :attr:`Task.prepare` returned for the configuration.
            device: The device that :attr:`Task.device` returned.

        Raises:
            Refused: If user-defined code does not fit.
        """


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Configuration, data, training, metrics and identity of one kind of run."""

    config: Any
    """The default configuration: a frozen dataclass, possibly nested."""
    metrics: Mapping[str, Metric]
    """Name to metric, for all metrics on validation and test."""
    data_paths: frozenset[str]
    """Dotted paths that locate the data; arms must not differ in them."""
    redirect: Callable[[Any, Redirection], Any]
    """Returns a configuration with other data."""
    prepare: Callable[[Sequence[Any], Path], Sequence[Prepared]]
    """Returns the data of each configuration, prepared under a cache folder."""
    identify: Callable[[Any], Identity]
    """Returns the identity of a configuration."""
    check: Callable[[Sequence[tuple[Any, Any]]], None]
    """Refuses pairs of configuration and data that cannot be trained; called before anything is
    recorded."""
    train: Train
    """A module-level function, so that it can be sent to a worker."""
    device: Callable[[str], str]
    """Turns ``auto`` into a device and refuses a missing one. Called in workers, and before the
    start if the user named a GPU."""
    seconds: Callable[[Any, Any], float]
    """Returns a rough guess of the seconds of one training, used until a run has been timed."""
    table: Callable[[Sequence[Any]], tuple[str, Callable[[], Sequence[Mapping[str, Any]]]]]
    """Returns a digest of the inputs of the task's own table, and a function that computes its
    rows."""
    libraries: Sequence[str] = ()
    """Distributions whose versions are recorded with each run."""
    preload: Sequence[str] = ()
    """Modules that every worker imports at its start."""
