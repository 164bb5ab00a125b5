"""Runs a trial alone: seeds every generator, and puts process-wide state back after it.

A worker trains many trials. What one of them sets for the whole process, such as the default dtype
or a hook on all modules, must not change the figures of the next.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from ablation.execute.serve import leave
from ablation.execute.torch_state import Setting, settings

Snapshot = Sequence[tuple[Setting, Any]]
"""Settings with the values that they had."""


@contextlib.contextmanager
def alone(seed: int) -> Iterator[list[str]]:
    """Seeds `random`'s, NumPy's and a loaded PyTorch's generators, and puts the state back.

    PyTorch is never imported for it; if the block loads it, its state is read at that moment. In
    a thread beside others nothing is put back, since the state is theirs, too.

    Args:
        seed: The trial's seed.

    Yields:
        A list that gets, at the end of the block, the names of what could not be put back. This
        worker then runs no further trial.
    """
    stuck: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        seed_all(seed)
        yield stuck
        return
    loaded = set(sys.modules)
    surroundings, generators = _read(_surroundings()), _read(_generators())
    seed_all(seed)
    with _Watch() as watch:
        try:
            yield stuck
        finally:
            stuck += _put_back(surroundings)
            moved = _changed(watch.numbers)
            stuck += _put_back(watch.numbers) if moved else []
            for setting, value in generators:
                setting.write(value)
            # What a module sets when it is imported, it does not set again for the next trial.
            if stuck or (moved and set(sys.modules) - loaded):
                leave()


def seed_all(seed: int) -> None:
    """Seeds the generators of the process; PyTorch's if it is loaded."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - user-defined code may draw from it
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed)


def threads_of_process() -> str:
    """Returns the number of threads of a loaded PyTorch, else what the environment asks for."""
    if (torch := sys.modules.get("torch")) is not None:
        return str(torch.get_num_threads())
    return os.environ.get("OMP_NUM_THREADS", "unset")


class _Watch(importlib.abc.MetaPathFinder):
    """Has PyTorch's settings as they were at the start of a block, or when the block loaded it."""

    def __init__(self) -> None:
        torch = sys.modules.get("torch")
        self.numbers: Snapshot = [] if torch is None else _read(settings(torch))

    def __enter__(self) -> _Watch:
        if not self.numbers:
            sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns PyTorch's spec, whose loader also reads the settings; None for other modules."""
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_read(module: ModuleType) -> None:
                load(module)
                self.numbers = _read(settings(module))

            spec.loader.exec_module = load_and_read  # type: ignore[method-assign]  # of this one spec
        return spec


def _surroundings() -> list[Setting]:
    """Returns what surrounds a computation: environment, folder, warnings, signals."""
    found = [
        Setting("environment", lambda: dict(os.environ), _set_environment),
        Setting("working folder", os.getcwd, os.chdir),
        Setting("import path", sys.path.copy, lambda it: sys.path.__setitem__(slice(None), it)),
        Setting("warnings filters", lambda: list(warnings.filters), _set_filters),
    ]
    known = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    own = [each for each in sorted(known) if signal.getsignal(each) is not None]
    found += [_handler(each) for each in own]
    if (numpy := sys.modules.get("numpy")) is not None:
        found.append(Setting("NumPy's errors", numpy.geterr, lambda it: numpy.seterr(**it)))
    return found


def _generators() -> list[Setting]:
    """Returns the states of the generators, for callers who are no worker."""
    import numpy as np

    found = [
        Setting("random", random.getstate, random.setstate),
        Setting("numpy.random", np.random.get_state, np.random.set_state),
    ]
    if (torch := sys.modules.get("torch")) is not None:
        found.append(Setting("torch.random", torch.get_rng_state, torch.set_rng_state))
    return found


def _set_environment(before: Mapping[str, str]) -> None:
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _set_filters(before: Sequence[Any]) -> None:
    warnings.resetwarnings()  # which also makes Python forget what it decided by the old ones
    warnings.filters[:] = before  # type: ignore[index]  # typed as a sequence, is a list


def _handler(number: int) -> Setting:
    return Setting(
        f"handler of signal {int(number)}",
        lambda: signal.getsignal(number),
        lambda it: signal.signal(number, it),
    )


def _read(wanted: Sequence[Setting]) -> Snapshot:
    return [(setting, setting.read()) for setting in wanted]


def _changed(before: Snapshot) -> list[Setting]:
    """Returns the settings that do not have their values any more; what fails has not."""
    return [setting for setting, value in before if not _has(setting, value)]


def _has(setting: Setting, value: Any) -> bool:
    try:
        return bool(setting.read() == value)
    except Exception:
        return False


def _put_back(before: Snapshot) -> list[str]:
    """Writes the values that have changed, in order; returns the names of what stays changed."""
    for _ in range(2):  # since one setting may write another
        if not _changed(before):
            return []
        for setting, value in before:
            if not _has(setting, value):
                with contextlib.suppress(Exception):
                    setting.write(value)
    return [setting.name for setting in _changed(before)]
