"""The text classifier as a :class:`Task`; imports PyTorch and datasets only when needed."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablation.errors import Refused
from ablation.records.digest import digest
from ablation.records.metric import METRICS
from ablation.records.outcome import EpochRecord, RunResult
from ablation.records.paths import flatten
from ablation.task import (
    Guess,
    Identity,
    Made,
    Notes,
    Parcel,
    Redirection,
    Task,
    Travel,
)
from ablation.task.sources import content_of, source_of, sources_of
from ablation.task.text.config import RunConfig
from ablation.task.text.data import Encoded, Split, prepare, read_vectors
from ablation.task.text.metrics import SCORES
from ablation.task.text.shown import about, describe_tests

DATA_PATHS = frozenset({"data.source", "data.revision", "data.text", "data.label"})
"""Dotted paths that locate the data; hashes hold the data's content instead."""

WHEREABOUTS = DATA_PATHS | {"model.embedding_file"}
"""Dotted paths that locate any content; hashes hold the content instead."""

NUMERICS = 1
"""Raised by every entry of the changelog that is marked **[results]**; 1: dense Adam by rows."""

SECONDS = {"none": (1.5e-3, 0.5e-6), "cnn": (1.5e-3, 3e-6), "bilstm": (2e-3, 6e-6)}
"""Encoder to seconds per step and per token, on one core of a small cloud machine at width 128."""
OTHER_SECONDS = (3e-3, 5e-6)
"""Seconds per step and per token for user-defined encoders."""


def redirect(config: RunConfig, other: Redirection) -> RunConfig:
    """Returns the configuration with other data; a Hub id may name its revision after an @.

    >>> redirect(RunConfig(), Redirection(data="owner/name@4f2c")).data.revision
    '4f2c'
    """
    given = config.data
    wanted = dataclasses.replace(
        given,
        text=given.text if other.text is None else other.text,
        label=given.label if other.label is None else other.label,
    )
    if other.data is not None:
        source, at, revision = other.data.partition("@")
        if not at or os.path.exists(other.data):  # noqa: PTH110 - Path's raises on a long name
            source, revision = other.data, ""
        wanted = dataclasses.replace(wanted, source=source, revision=revision or None)
    return dataclasses.replace(config, data=wanted)


def prepare_all(configs: Sequence[RunConfig], cache: Path) -> list[Encoded]:
    """Returns the encoded corpus of each configuration; equal ones are prepared once."""
    prepared = {
        data: prepare(data, cache=cache) for data in dict.fromkeys(c.data for c in configs)
    }
    return [prepared[config.data] for config in configs]


def identify(config: RunConfig) -> Identity:
    """Returns the identity of a configuration: values, user-defined sources, embedding file."""
    values = {
        path: repr(value) for path, value in flatten(config).items() if path not in WHEREABOUTS
    }
    model = config.model
    contents = [source_of(name) for name in model.encoders + model.poolings]
    file = model.embedding_file
    contents.append(
        None if file is None else content_of(file, "embeddings", "model.embedding_file")
    )
    sources = {
        name: digest(content)
        for name, content in zip([*model.encoders, *model.poolings, file], contents, strict=True)
        if name is not None and content is not None
    }
    return Identity(values, contents, NUMERICS, sources)


def parcel(config: RunConfig, data: Encoded) -> Parcel:
    """Returns the encoded corpus, user-defined sources and embeddings of a configuration."""
    model, beside = config.model, dict[str, Path]()
    for name in model.encoders + model.poolings:
        module, colon, _ = name.partition(":")
        beside |= sources_of(module).files if colon else {}
    if model.embedding_file is not None:
        beside[_place_of(model.embedding_file)] = Path(model.embedding_file)
    shared = {f"{data.folder.name}/{name}": data.folder / name for name in data.files()}
    return Parcel(shared, beside)


def _place_of(embeddings: str) -> str:
    return f"embeddings/{Path(embeddings).name}"


def arrive(
    config: RunConfig, data: Encoded, cache: Path, folder: Path
) -> tuple[RunConfig, Encoded]:
    """Returns configuration and corpus as they are in a worker."""
    data = dataclasses.replace(data, folder=cache / data.folder.name)
    file = config.model.embedding_file
    if file is not None:
        model = dataclasses.replace(config.model, embedding_file=str(folder / _place_of(file)))
        config = dataclasses.replace(config, model=model)
    return config, data


def identify_again(config: RunConfig, _: Encoded) -> Identity:
    """Returns the identity of a configuration, without the names of files in a worker."""
    identity = identify(config)
    file = config.model.embedding_file
    sources = {name: of for name, of in identity.sources.items() if name != file}
    return identity._replace(sources=sources)


def guess(metric: str, data: Encoded) -> Guess:
    """Returns a metric for always predicting the most frequent class, and its step."""
    score = SCORES[metric]
    return Guess(score.chance(data.test_counts()), score.quantum(data.rows["test"]))


def check_configs(pairs: Sequence[tuple[RunConfig, Encoded]]) -> list[str]:
    """Dry-runs user-defined classes and reads embedding files, before any training.

    Returns:
        Warnings about classes whose results depend on padding.

    Raises:
        Refused: If a class cannot be found, constructed or trained, or returns a wrong shape; or
            if an embedding file has another width or no token of the data.
    """
    models = {config.model: config for config, _ in pairs}
    own = {model: config for model, config in models.items()
           if any(":" in name for name in model.encoders + model.poolings)}  # fmt: skip
    warnings = []
    if own:
        from ablation.task.text.model import dry_run
        from ablation.task.text.train import rehearse

        for model, config in own.items():
            dry_run(model)
            warnings.append(rehearse(config))
    files = {
        (config.model.embedding_file, config.model.embedding_size, config.data): data
        for config, data in pairs
    }
    for (file, size, _), data in files.items():
        if file is not None:
            read_vectors(Path(file), data.vocabulary(), size)
    return list(dict.fromkeys(filter(None, warnings)))


def notes_on(data: Encoded) -> Notes:
    """Returns notes on the data that were read, and warnings about them."""
    return Notes(data.notes, data.warnings)


def train_text(
    config: RunConfig, seed: int, data: Encoded, *, device: str, folder: Path | None = None
) -> Generator[EpochRecord, None, RunResult]:
    """Trains one classifier in a worker; see :func:`ablation.task.text.run.train_once`."""
    from ablation.task.text.run import train_once

    return train_once(config, seed, data, device=device)


def resolve_device(name: str) -> str:
    """Returns ``cpu`` or ``cuda``; see :func:`ablation.task.text.run.resolve_device`."""
    from ablation.task.text import run

    return run.resolve_device(name)


def seconds(config: RunConfig, data: Encoded) -> float:
    """Returns a rough guess of the seconds of one training, used until a run has been timed."""
    step, token = SECONDS.get(config.model.encoder, OTHER_SECONDS)
    steps = data.rows["train"] / config.train.batch_size
    width = config.model.hidden_size / 128
    return config.train.epochs * (steps * step + data.tokens("train") * token * width)


def made(pairs: Sequence[tuple[RunConfig, Encoded]]) -> list[Made]:
    """Returns the sizes of the classifiers, and the first steps of those that may be alike.

    Raises:
        Refused: If a user-defined class cannot take a first step.
    """
    from ablation.task.text.run import one_thread

    # Two threads wait for each other by spinning: on a busy machine steps on few texts then take
    # eight times as long.
    with one_thread():
        return _made(pairs)


def _made(pairs: Sequence[tuple[RunConfig, Encoded]]) -> list[Made]:
    from ablation.task.text.train import sketch

    train = {data.folder: data for _, data in pairs}
    splits = {folder: data.split("train") for folder, data in train.items()}
    if any(_own_names(config) for config, _ in pairs):
        return [_first_step(config, data, splits[data.folder]) for config, data in pairs]
    # A first step takes eight times as long, and most arms are unlike each other.
    drawn = [sketch(config, splits[data.folder], **_sizes(data)) for config, data in pairs]
    counts = Counter(each.first_step for each in drawn)
    return [
        _first_step(config, data, splits[data.folder])
        if counts[each.first_step] > 1
        else each._replace(first_step="")
        for each, (config, data) in zip(drawn, pairs, strict=True)
    ]


def _first_step(config: RunConfig, data: Encoded, train: Split) -> Made:
    """Returns the number of parameters of a configuration's classifier, and its first step."""
    from ablation.task.text.train import first_step

    try:
        return first_step(config, train, **_sizes(data))
    except Exception as error:
        names = _own_names(config)
        if isinstance(error, Refused) or not names:
            raise
        said = next(iter(str(error).strip().splitlines()), "")
        raise Refused(
            f"{', '.join(names)} cannot be trained: {type(error).__name__}: {said}",
            "One step of the optimizer on the first texts of train must succeed.",
        ) from error


def _own_names(config: RunConfig) -> list[str]:
    """Returns the names of a configuration's user-defined classes."""
    return [name for name in config.model.encoders + config.model.poolings if ":" in name]


def _sizes(data: Encoded) -> dict[str, int]:
    return {"vocabulary_size": data.vocabulary_size, "classes": len(data.labels)}


def fill_table(
    configs: Sequence[RunConfig],
) -> tuple[str, Callable[[], Sequence[Mapping[str, Any]]]]:
    """Returns a digest of the arms' fills, and a function that computes their table."""
    fills = list(dict.fromkeys(config.model.attention.fill for config in configs))

    def rows() -> Sequence[Mapping[str, Any]]:
        from ablation.task.text.model import fill_table as computed

        return computed(fills)

    return digest(fills), rows


TEXT = Task(
    config=RunConfig(),
    metrics=METRICS,
    guess=guess,
    data_paths=DATA_PATHS,
    redirect=redirect,
    prepare=prepare_all,
    identify=identify,
    check=check_configs,
    notes=notes_on,
    train=train_text,
    travel=Travel(parcel=parcel, arrive=arrive, identify=identify_again),
    device=resolve_device,
    seconds=seconds,
    made=made,
    epochs=lambda config: int(config.train.epochs),
    table=fill_table,
    about=about,
    tests=describe_tests,
    libraries=("torch", "datasets", "tokenizers", "sentencex"),
    preload=("ablation.task.text.run",),
)
"""The text classifier, the default task of a study."""
