"""The record :class:`Task`: everything the harness knows about the kind of run that it ablates.

Code outside a task's own package must not depend on which task it is given. There are two: the
text classifier with attention, :data:`ablation.task.text.TEXT`, and a user-defined function,
:func:`ablation.task.function.function_task`.
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
        """Split to its number of rows; empty where the harness cannot know them."""

    def test_commonest(self) -> bytes:
        """Returns a packed bit per test row: whether always naming the commonest class is right.

        It is what a FAILED run scores at chance, example by example; empty where that is unknown.
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
    sources: Mapping[str, str] = {}
    """Name to hash of each user-defined source and input among :attr:`contents`; recorded with
    every run, so that a later start can say which of them changed."""


class Parcel(NamedTuple):
    """The files that a training reads, each named as it is in a worker elsewhere."""

    shared: Mapping[str, Path]
    """Files of prepared data, under names that their content determines; a worker keeps them in
    its cache, where it may have prepared them itself."""
    beside: Mapping[str, Path]
    """User-defined sources and inputs; the worker's process is started in a folder of them."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Travel:
    """Sends a trial to a worker that shares no files with the conductor.

    Module-level functions, because two of them are called in the worker.
    """

    parcel: Callable[[Any, Any], Parcel]
    """Returns the files that a configuration, as :attr:`Task.send` returned it, reads on some
    data."""
    arrive: Callable[[Any, Any, Path, Path], tuple[Any, Any]]
    """Returns both as they are in the worker, given its cache and the folder of what is beside."""
    identify: Callable[[Any, Any], Identity]
    """Returns the identity of both, read again from the files."""


class Guess(NamedTuple):
    """Facts about a metric on test that are known before the first run."""

    chance: float | None
    """Its value for guessing; None if unknown."""
    quantum: float
    """Step between two possible values; 0 if it is continuous or unknown."""


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
        self, config: Any, seed: int, data: Any, *, device: str, folder: Path | None
    ) -> Generator[EpochRecord, None, RunResult]:
        """Starts the run.

        Args:
            config: The arm's configuration, as :attr:`Task.send` returned it.
            seed: Seed that every random stream of the run derives from.
            data: The data that :attr:`Task.prepare` returned for the configuration.
            device: The device that :attr:`Task.device` returned.
            folder: Path of a folder for this trial alone, which the task creates if it needs it;
                what an interrupted run left there is kept for the next one.

        Raises:
            Refused: If user-defined code does not fit.
        """


class Made(NamedTuple):
    """A model before it is trained."""

    parameters: int
    """Number of its parameters."""
    first_step: str
    """Digest of its initial weights and of the loss and gradients of its first step; two
    configurations with one digest are trained alike. Empty if unknown, or if no other of those
    that were asked for together begins so."""


class Notes(NamedTuple):
    """Sentences about prepared data, for the command line and the report."""

    read: Sequence[str] = ()
    """What was read, as sentences."""
    warnings: Sequence[str] = ()
    """Sentences about data that may make a result misleading."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Task:
    """Configuration, data, training, metrics and identity of one kind of run."""

    config: Any
    """The default configuration: a frozen dataclass, possibly nested."""
    metrics: Mapping[str, Metric]
    """Name to metric, for all metrics that a study may name."""
    guess: Callable[[str, Any], Guess]
    """Returns what is known of a metric, by name, on some data."""
    data_paths: frozenset[str]
    """Dotted paths that locate the data; arms must not differ in them."""
    redirect: Callable[[Any, Redirection], Any]
    """Returns a configuration with other data."""
    prepare: Callable[[Sequence[Any], Path], Sequence[Prepared]]
    """Returns the data of each configuration, prepared under a cache folder."""
    identify: Callable[[Any], Identity]
    """Returns the identity of a configuration."""
    check: Callable[[Sequence[tuple[Any, Any]]], Sequence[str]]
    """Refuses pairs of configuration and data that cannot be trained; called before anything is
    recorded. Returns warnings about those that can."""
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
    made: Callable[[Sequence[tuple[Any, Any]]], Sequence[Made]] | None = None
    """Returns what is known of the model of each configuration on its data, before it is
    trained."""
    epochs: Callable[[Any], int] | None = None
    """Returns the epoch after which a training only evaluates test, which tuning leaves out; None
    if that is unknown."""
    notes: Callable[[Any], Notes] = lambda _: Notes()
    """Returns what is to be said about some data."""
    send: Callable[[Any], Any] = lambda config: config
    """Returns the form in which a configuration is sent to a worker."""
    travel: Travel | None = None
    """How trials get to workers on other machines; None if they cannot."""
    printed: Callable[[Path], bytes] = lambda _: b""
    """Returns what a trial whose worker died had printed, given the trial's folder."""
    about: Callable[[Any, Any], Mapping[str, Any]] = lambda *_: {}
    """Returns what a reader must know of the baseline's configuration and its data, in JSON's
    types: ``facts``, pairs of name and value; ``texts``, the test texts whose weights the runs
    keep."""
    tests: Callable[[Any], Mapping[str, Sequence[str]]] = lambda _: {}
    """Returns columns about the test examples, in the order of their scores: ``class``, and
    ``text``, as much of each as a report may quote."""
    fields: Callable[[Any], Mapping[str, str]] = lambda _: {}
    """Returns the fields of a configuration that a plan prints, dotted path to value; empty where
    the documentation lists them."""
    libraries: Sequence[str] = ()
    """Distributions whose versions are recorded with each run."""
    preload: Sequence[str] = ()
    """Modules that every worker imports at its start."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Environment variables of the workers, unless the user has set them."""
    threads: int = 1
    """Threads that a worker computes with."""

    def __repr__(self) -> str:
        """Returns a few words: all fields fill a screen in the help of what holds a task."""
        return f"<task with the metrics {', '.join(self.metrics)}>"
