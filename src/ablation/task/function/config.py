"""Rules for a function's configuration: frozen, and every value can be written down."""

from __future__ import annotations

import dataclasses
import enum
import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from ablation.errors import Refused
from ablation.records.paths import flatten
from ablation.task.function.target import STUDY_PREFIX, import_from

PLAIN = (type(None), bool, int, float, complex, str, bytes, PurePath, enum.Enum)
"""Types whose values have one repr, in every process."""


def check_config(config: Any) -> None:
    """Refuses a configuration that could change under way, or whose repr says too little.

    Raises:
        Refused: If it is neither a frozen dataclass nor a mapping, or a field of it cannot be
            hashed or written down; names the field.
    """
    if not isinstance(config, Mapping) and not _is_dataclass(config):
        raise Refused(
            f"config must be a frozen dataclass or a mapping; got {type(config).__name__}.",
            "Give config=Config(), or config={'learning_rate': 0.1}.",
        )
    _check_groups(config, "config")
    for path, value in flatten(config).items():
        if not _is_written(value, lists=isinstance(config, Mapping)):
            raise Refused(
                f"The field {path!r} of the configuration cannot be written down: it is a "
                f"{type(value).__name__}.",
                "Use numbers, text, None, enums, paths, and tuples of these; build anything else "
                "in the function.",
            )
    for kind in set(_classes(config)):
        _check_class(kind)


def send(config: Any) -> bytes:
    """Returns a configuration as it is sent to a worker.

    It is pickled, with the study files that have classes of it, because no worker can import these
    by their names.
    """
    modules = sorted({kind.__module__ for kind in _classes(config)})
    files = {name: sys.modules[name].__file__ for name in modules if name.startswith(STUDY_PREFIX)}
    return pickle.dumps((files, pickle.dumps(config)))


def files_in(sent: bytes) -> list[Path]:
    """Returns the study files that come with a configuration that was sent."""
    files, _ = pickle.loads(sent)
    return [Path(file) for file in files.values()]


def arrived_config(sent: bytes, folder: Path) -> bytes:
    """Returns a configuration that was sent, for a worker that has its study files in a folder."""
    files, pickled = pickle.loads(sent)
    return pickle.dumps(({n: str(folder / Path(f).name) for n, f in files.items()}, pickled))


def receive(sent: bytes) -> Any:
    """Returns the configuration that :func:`send` was given."""
    files, pickled = pickle.loads(sent)
    for name, file in files.items():
        import_from(name, file)
    return pickle.loads(pickled)


def _classes(value: Any) -> Iterator[type]:
    """Yields the class of a value and of all that it holds."""
    yield type(value)
    held: list[Any] = []
    if isinstance(value, Mapping):
        held = list(value.values())
    elif isinstance(value, tuple | list):
        held = list(value)
    elif _is_dataclass(value):
        held = [getattr(value, each.name) for each in dataclasses.fields(value)]
    for each in held:
        yield from _classes(each)


def _check_class(kind: type) -> None:
    """Refuses a class that no worker could import."""
    if kind.__module__ == "__main__":
        raise Refused(
            f"The class {kind.__qualname__} of the configuration is defined in a notebook, a "
            "script or at a prompt, where no worker process can import it.",
            "Write it to a file, and import it from there.",
        )
    if "<locals>" in kind.__qualname__:
        raise Refused(
            f"The class {kind.__qualname__} of the configuration is defined inside a function, "
            "where no worker process can import it.",
            "Define it at the top level of a module.",
        )


def _check_groups(group: Any, path: str) -> None:
    """Checks the kind of a group of fields, and of those in it."""
    if isinstance(group, Mapping):
        names = [name for name in group if not isinstance(name, str) or "." in name or not name]
        if names:
            raise Refused(
                f"The names in {path} must be text without a dot; got {names[0]!r}.", "Rename it."
            )
        inner = dict(group)
    else:
        if not type(group).__dataclass_params__.frozen:
            raise Refused(
                f"{path} is a {type(group).__name__}, which is not frozen.",
                "Write @dataclass(frozen=True) above the class.",
            )
        inner = {each.name: getattr(group, each.name) for each in dataclasses.fields(group)}
    for name, value in inner.items():
        if isinstance(value, Mapping) or _is_dataclass(value):
            _check_groups(value, f"{path}.{name}")


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _is_written(value: Any, *, lists: bool) -> bool:
    if isinstance(value, tuple) or (lists and isinstance(value, list)):
        return all(_is_written(each, lists=lists) for each in value)
    return isinstance(value, PLAIN) or value == {}
