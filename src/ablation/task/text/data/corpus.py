"""Turns a data configuration into an encoded corpus; builds it once and caches it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ablation.errors import Refused
from ablation.records.causes import refusal
from ablation.records.digest import digest
from ablation.task.text.config import DataConfig
from ablation.task.text.data import encoded
from ablation.task.text.data.encoded import Encoded, Split
from ablation.task.text.data.notes import describe, normalise, warnings
from ablation.task.text.data.source import Source, locate
from ablation.task.text.data.splits import check_splits, complete, fingerprint

LAYOUT = 3
"""Version of the cached folder; increase it with each change of tokenisation, splits or files."""

_WORK = ".work-"
_STALE_SECONDS = 24 * 3600.0


def prepare(config: DataConfig, *, cache: Path) -> Encoded:
    """Returns the corpus that ``config`` describes, encoded under ``cache``.

    The first call reads, splits, tokenises and writes the corpus; later calls, from any process,
    open the arrays. Several processes may call it at the same time.

    Raises:
        Refused: If the corpus does not exist or cannot be studied; the cache is left unchanged.
    """
    source = locate(config)
    folder = cache.absolute() / digest(LAYOUT, source.digest, dataclasses.asdict(config))
    found = encoded.load(folder)
    if found is None:
        try:
            _build(config, source, folder)
        except OSError as error:
            way_out = "Set ABLATION_CACHE to a folder that can be written and has room."
            raise Refused(
                refusal(error, f"The corpus cannot be cached in {cache}").rule, way_out
            ) from error
        found = encoded.load(folder)
    if found is None:
        raise OSError(f"{folder} was written, but cannot be read back")
    return found


def _build(config: DataConfig, source: Source, folder: Path) -> None:
    downloads = folder.parent / "downloads"
    _quieten(downloads)
    # Imported here, because they load libraries that a cached corpus does not need.
    from ablation.task.text.data.files import read_files
    from ablation.task.text.data.tokens import choose, encode_texts, learn

    with _scratch(folder.parent) as work:
        if source.kind == "local":
            given = read_files(config, source, work=work)
        else:
            from ablation.task.text.data.read import read

            given = read(config, source, downloads=downloads)
        said = ""
        if source.kind != "built-in":  # the content of which is its own
            given, said = normalise(given)
        splits = complete(
            given, test_share=source.test_share, validation_share=source.validation_share
        )
        labels = check_splits(splits, given, config.label)
        train = splits["train"].texts
        kind = choose(train) if config.tokenizer == "auto" else config.tokenizer
        tokenizer = learn(train, kind, config)
        number = {label: index for index, label in enumerate(labels)}
        arrays = {
            name: Split(
                *encode_texts(tokenizer, rows.texts, kind, config),
                np.array([number[x] for x in rows.labels], np.int64),
            )
            for name, rows in splits.items()
        }
        built = work / "corpus"
        built.mkdir()
        tokenizer.save(str(built / encoded.TOKENIZER))
        facts = {
            "name": source.name,
            "source": config.source,
            "fingerprint": fingerprint(splits),
            "labels": labels,
            "vocabulary_size": tokenizer.get_vocab_size(),
            "tokenizer": kind,
            "max_length": config.max_length,
            "rows": {name: len(rows) for name, rows in splits.items()},
            "notes": describe(source, given, splits, arrays, kind),
            "warnings": [*filter(None, [said]), *warnings(given, splits)],
        }
        encoded.save(built, arrays, facts)
        encoded.publish(built, folder)


def _quieten(downloads: Path) -> None:
    """Sets the environment variables that the libraries read: telemetry off, our own folders."""
    for name, value in {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_CACHE": str(downloads / "hub"),
        "HF_DATASETS_CACHE": str(downloads / "datasets"),
        # If unset, a later fork of the process prints a warning; our forks never tokenise.
        "TOKENIZERS_PARALLELISM": "true",
    }.items():
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def _scratch(cache: Path) -> Iterator[Path]:
    """Yields a temporary folder beside the cached ones; removes it afterwards."""
    # Beside them, so that a rename moves the finished corpus to its place.
    new = [folder for folder in (cache, *cache.parents) if not folder.exists()]
    cache.mkdir(parents=True, exist_ok=True)
    for left in cache.glob(f"{_WORK}*"):
        # Left by a killed process: no corpus takes a day.
        if time.time() - left.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=_WORK, dir=cache))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for folder in new:
            with contextlib.suppress(OSError):
                folder.rmdir()
