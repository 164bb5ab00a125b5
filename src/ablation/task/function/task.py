"""Builds the :class:`Task` of a user's function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ablation.errors import Refused, nearest
from ablation.records.digest import digest
from ablation.records.metric import Metric, metric_named
from ablation.records.paths import flatten, replace
from ablation.task import Guess, Identity, Parcel, Redirection, Task, Travel
from ablation.task.devices import visible_gpus
from ablation.task.function import log
from ablation.task.function.call import Call, call
from ablation.task.function.config import arrived_config, check_config, files_in, receive, send
from ablation.task.function.target import STUDY_PREFIX, Target, arrived, load, target_of
from ablation.task.sources import Sources, file_hash, gather_sources

UNKNOWN_SECONDS = 10.0
"""Seconds that a run is taken to last until one has been timed."""

PRELOADED = ("numpy", "torch", "sklearn", "transformers")
"""Libraries that workers load once for all where the function's sources import them."""

ALIASES = {"sklearn": "scikit-learn", "cv2": "opencv-python", "PIL": "pillow", "yaml": "pyyaml"}
"""Module to distribution, where their names differ."""


class Function:
    """A user's function with all that identifies it; its sources are read when first asked for.

    Args:
        target: Where it is defined.
        metric: The metric of the verdict.
        inputs: Files and folders that it reads.
        version: What none of its sources shows.
        threads: Threads in each worker.
        data_field: Dotted path of the field that names its data.
    """

    def __init__(
        self,
        target: Target,
        *,
        metric: Metric,
        inputs: Sequence[str | Path],
        version: str,
        threads: int,
        data_field: str | None,
    ) -> None:
        self.target, self.metric, self.threads = target, metric, threads
        self.inputs, self.version, self.data_field = inputs, version, data_field

    @cached_property
    def sources(self) -> Sources:
        """The function's sources."""
        file = Path(self.target.file)
        # Not the working folder as such, which holds all sorts of modules.
        roots = [Path(self.target.places[0]), self.target.top]
        name = file.stem if self.target.module.startswith(STUDY_PREFIX) else self.target.module
        return gather_sources(name, file, roots)

    @cached_property
    def contents(self) -> Mapping[str, str]:
        """Name of each input to the hash of its content."""
        return {f"inputs: {path}": content_hash(Path(path)) for path in self.inputs}

    def prepare(self, configs: Sequence[Any], _: Path) -> Sequence[Call]:
        """Returns the call of each configuration; a function prepares its own data."""
        return [self._call(config) for config in configs]

    def _call(self, config: Any) -> Call:
        data = None if self.data_field is None else str(flatten(config)[self.data_field])
        return Call(
            target=self.target,
            metric=self.metric,
            threads=self.threads,
            name=data or self.target.name,
            source=data or self.target.file,
            fingerprint=digest(data),
            inputs=tuple(map(str, self.inputs)),
            version=self.version,
            data_field=self.data_field,
        )

    def identify(self, config: Any) -> Identity:
        """Returns the identity of a configuration: values, sources, inputs and version."""
        values = {path: said for path, said in written(config).items() if path != self.data_field}
        sources = {**self.sources.hashes, **self.contents}
        if self.version:
            sources["version"] = self.version
        return Identity(values, [str(sorted(sources.items()))], 0, sources)

    def redirect(self, config: Any, other: Redirection) -> Any:
        """Returns the configuration with other data.

        Raises:
            Refused: If no field names the data.
        """
        if other == Redirection():
            return config
        if self.data_field is None or other.data is None or other.text or other.label:
            raise Refused(
                f"The study's data are those that {self.target.name} loads.",
                "Name the field that chooses them: data_field='dataset' in the study.",
            )
        return replace(config, self.data_field, other.data)

    def guess(self, metric: str, _: Call) -> Guess:
        """Returns the declared chance of the metric."""
        return Guess(self.metric.chance if metric == self.metric.name else None, 0.0)


def parcel(config: bytes, call: Call) -> Parcel:
    """Returns the sources of a call's function, and its inputs whose paths are relative.

    Inputs elsewhere are expected at the same place in a worker.
    """
    beside = dict(_function_of(call).sources.files)
    for file in files_in(config):  # study files with classes of the configuration
        beside |= gather_sources(file.stem, file, [file.parent]).files
    for name in call.inputs:
        path = Path(name)
        if not path.is_absolute() and ".." not in path.parts:
            files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
            beside |= {file.as_posix(): file for file in files}
    return Parcel({}, beside)


def arrive(config: bytes, call: Call, _: Path, folder: Path) -> tuple[bytes, Call]:
    """Returns a call as it is in a worker that has its sources in a folder."""
    call = dataclasses.replace(call, target=arrived(call.target, folder))
    return arrived_config(config, folder), call


def identify(config: bytes, call: Call) -> Identity:
    """Returns the identity of a configuration, read again from the function's files."""
    load(call.target)  # or its configuration could not be unpickled
    return _function_of(call).identify(receive(config))


def _function_of(call: Call) -> Function:
    return Function(
        call.target,
        metric=call.metric,
        inputs=call.inputs,
        version=call.version,
        threads=call.threads,
        data_field=call.data_field,
    )


def _known(metric: str | Metric) -> Metric:
    """Returns a metric, looked up if it is a name.

    Raises:
        Refused: If it is not one of test, or it is not known whether higher values are better.
    """
    from ablation.task.function.returned import SPLITS

    name = metric.name if isinstance(metric, Metric) else metric
    split, slash, rest = name.partition("/")
    if slash and split in SPLITS:
        raise Refused(
            f"A verdict is about a metric on test; {name!r} is one of {SPLITS[split]}.",
            f"Name one that is measured on test, such as 'test/{rest}'.",
        )
    known = metric if isinstance(metric, Metric) else metric_named(metric)
    if known is None:
        raise Refused(
            f"It is not known whether higher values of {metric!r} are better.",
            f"Give metric=Metric({metric!r}, lower_is_better=False), from ablation.spec.",
        )
    return known


def _check_options(
    config: Any, *, data_field: str | None, threads: int, inputs: object, version: object
) -> None:
    """Refuses options of a function's study that cannot be used."""
    if data_field is not None and data_field not in flatten(config):
        raise Refused(
            f"data_field names no field of the configuration: {data_field!r}."
            f"{nearest(data_field, flatten(config))}",
            f"The fields are: {', '.join(flatten(config))}.",
        )
    if type(threads) is not int or threads < 1:
        raise Refused(f"threads must be a number >= 1; got {threads!r}.", "Leave it out.")
    if isinstance(inputs, str) or not isinstance(version, str):
        raise Refused(
            "inputs is a tuple of paths, and version is text.", "Write inputs=('data.csv',)."
        )


def function_task(
    run: Callable[..., Any],
    *,
    config: Any,
    metric: str | Metric,
    inputs: Sequence[str | Path] = (),
    version: str = "",
    threads: int = 1,
    data_field: str | None = None,
    folder: Path | None = None,
) -> Task:
    """Returns the task of a function.

    Args:
        run: ``run(config, seed)``, or with a third parameter, the context.
        config: The default configuration.
        metric: The metric of the verdict.
        inputs: Files and folders that it reads.
        version: Text that is part of each trial's identity.
        threads: Threads in each worker.
        data_field: Dotted path of the configuration's field that names the data.
        folder: The study's folder.

    Raises:
        Refused: If function, configuration, metric or inputs cannot be used.
    """
    check_config(config)
    known = _known(metric)
    _check_options(config, data_field=data_field, threads=threads, inputs=inputs, version=version)
    function = Function(
        target_of(run, folder),
        metric=known,
        inputs=inputs,
        version=version,
        threads=threads,
        data_field=data_field,
    )
    installed = function.sources.installed
    return Task(
        config=config,
        metrics={known.name: known},
        guess=function.guess,
        data_paths=frozenset() if data_field is None else frozenset({data_field}),
        redirect=function.redirect,
        prepare=function.prepare,
        identify=function.identify,
        check=check_pairs,
        train=call,
        device=resolve_device,
        seconds=lambda config, data: UNKNOWN_SECONDS,
        table=lambda configs: ("", list),
        send=send,
        travel=Travel(parcel=parcel, arrive=arrive, identify=identify),
        printed=lambda folder: log.read(log.path_of(folder)),
        fields=written,
        libraries=tuple(ALIASES.get(name, name) for name in installed),
        preload=("ablation.task.function.call", *(n for n in PRELOADED if n in installed)),
        environment={name: str(threads) for name in THREADS},
        threads=threads,
    )


THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that say how many threads a numerical library starts."""


def written(config: Any) -> dict[str, str]:
    """Returns dotted path to repr of each field of a configuration."""
    return {path: repr(value) for path, value in flatten(config).items()}


def check_pairs(pairs: Sequence[tuple[Any, Call]]) -> tuple[str, ...]:
    """Refuses levels that cannot be written down; there is nothing to warn of."""
    for config, _ in pairs:
        check_config(config)
    return ()


def resolve_device(name: str) -> str:
    """Returns ``cpu`` or ``cuda`` for ``auto``, and any other name as it is.

    Raises:
        Refused: If the name is ``cuda`` and there is no GPU.
    """
    if name == "auto":
        return "cuda" if visible_gpus() else "cpu"
    if name == "cuda" and not visible_gpus():
        raise Refused("No GPU can be seen.", "Give DEVICE=cpu, or leave DEVICE out.")
    return name


def content_hash(path: Path) -> str:
    """Returns 12 hex digits over a file, or over all files below a folder and their names.

    Raises:
        Refused: If it cannot be read, or a folder has no file.
    """
    try:
        if path.is_file():
            return digest(file_hash(path))
        files = sorted(each for each in path.rglob("*") if each.is_file())
        if files:
            return digest([(each.relative_to(path).as_posix(), file_hash(each)) for each in files])
        problem = "there is no such file, nor a folder with files"
    except OSError as error:
        problem = str(error.strerror)
    raise Refused(
        f"The input {str(path)!r} cannot be read: {problem}.",
        "Give a path that exists, relative to the working folder, or remove it from inputs.",
    )
