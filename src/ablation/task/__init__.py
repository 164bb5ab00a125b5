"""A task: the one record that the harness knows of what is ablated.

Nothing outside a task's own package may ask which task it has. The text classifier with
attention, :data:`ablation.task.text.TEXT`, is the one that ships.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ablation.records.metric import Metric
from ablation.records.outcome import EpochRecord, RunResult


class Prepared(Protocol):
    """Data ready for training: light enough to be sent to a worker, its content on disk."""

    @property
    def name(self) -> str:
        """Short name, as in a study's label."""

    @property
    def source(self) -> str:
        """Where the data came from."""

    @property
    def fingerprint(self) -> str:
        """12 hex digits that identify the content."""

    @property
    def rows(self) -> Mapping[str, int]:
        """Split to its number of rows; ``test`` is among them."""

    def test_counts(self) -> Sequence[int]:
        """Returns the number of test rows per class."""

    def parameters(self) -> Mapping[str, Any]:
        """Returns what the data turned out to be, as parameters of a run's record."""


class Identity(NamedTuple):
    """Everything that decides a run, but its seed and its data."""

    values: Mapping[str, str]
    """Dotted path to the value's repr."""
    contents: Sequence[str | None]
    """Text or hash of the files that a configuration names, such as user-defined classes."""
    numerics: int
    """Version of the arithmetic of a training. A change that moves results raises it, so that no
    block pairs two arithmetics and no record mixes them."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Redirection:
    """Other data in place of a study's own; None leaves what the study says."""

    data: str | None = None
    """A path, or an id as in ``owner/name@revision``."""
    text: str | None = None
    """Column of the text."""
    label: str | None = None
    """Column of the class."""


class Train(Protocol):
    """Trains one run in a worker; yields a record per epoch and returns the result."""

    def __call__(
        self, config: Any, seed: int, data: Any, *, device: str
    ) -> Generator[EpochRecord, None, RunResult]:
        """Starts the run.

        Args:
            config: The arm's configuration.
            seed: Every random stream of the run derives from it.
            data: What :attr:`Task.prepare` returned for the configuration.
            device: The device, as :attr:`Task.device` resolved it.

        Raises:
            Refused: If user-defined code does not fit.
        """


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Configuration, data, training, metrics and identity of one kind of run."""

    config: Any
    """The default configuration: a frozen dataclass, perhaps of others."""
    metrics: Mapping[str, Metric]
    """Name to metric, for everything a run is scored by on validation and test."""
    data_paths: frozenset[str]
    """Dotted paths that say where the data are; arms may not differ in them."""
    redirect: Callable[[Any, Redirection], Any]
    """Returns a configuration with other data."""
    prepare: Callable[[Sequence[Any], Path], Sequence[Prepared]]
    """Returns the data of each configuration, prepared under a cache folder."""
    identify: Callable[[Any], Identity]
    """Returns what decides a run of a configuration."""
    check: Callable[[Sequence[tuple[Any, Any]]], None]
    """Refuses pairs of configuration and data that cannot be trained, before anything is
    written."""
    train: Train
    """A function of a module, so that it can be sent to a worker."""
    device: Callable[[str], str]
    """Turns ``auto`` into a device and refuses one that is not there; called in a worker, and
    before the start where a device was named."""
    seconds: Callable[[Any, Any], float]
    """Returns a rough guess of one training's seconds, for use before any run was timed."""
    table: Callable[[Sequence[Any]], tuple[str, Callable[[], Sequence[Mapping[str, Any]]]]]
    """Returns what the study's own table depends on, and a function that computes its rows."""
    libraries: Sequence[str] = ()
    """Distributions whose versions are recorded with each run."""
    preload: Sequence[str] = ()
    """Modules that every worker needs."""
