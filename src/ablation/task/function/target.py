"""The user's function as it is sent to a worker: where it is defined, not what it is."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ablation.errors import Refused

ARGUMENTS = (2, 3)
"""Numbers of arguments that a function may take."""

STUDY_PREFIX = "ablation_study_"
"""Prefix of the modules that study files are loaded as; a worker loads them by path."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A function at the top level of a module."""

    module: str
    name: str
    file: str
    """The module's file."""
    places: tuple[str, ...]
    """Folders that must be importable, the study's first."""
    takes_context: bool
    """Whether it has a third parameter."""

    @property
    def top(self) -> Path:
        """The folder of the module's top-level package, or of the module itself."""
        return _top(self.module, Path(self.file))


def _top(module: str, file: Path) -> Path:
    return file.resolve().parents[module.count(".") + (file.name == "__init__.py")]


def target_of(run: Callable[..., Any], folder: Path | None) -> Target:
    """Returns where a function is defined.

    Args:
        run: The function.
        folder: The study's folder.

    Raises:
        Refused: If a worker could not find it, or it takes other arguments.
    """
    module, name = getattr(run, "__module__", None), getattr(run, "__qualname__", "")
    file = getattr(sys.modules.get(str(module)), "__file__", None)
    if module == "__main__" or (inspect.isfunction(run) and module and file is None):
        raise Refused(
            f"The function {name} is defined in a notebook or at a prompt, where no worker "
            "process can import it.",
            "Write it to a file, and import it from there.",
        )
    if module is None or file is None or not name.isidentifier() or not callable(run):
        raise Refused(
            f"run must be a function at the top level of a module; got {run!r}.",
            "Write def train(config, seed): ... in a file.",
        )
    places = [str(folder or Path(file).parent), str(Path.cwd())]
    return Target(
        module=module,
        name=name,
        file=str(Path(file).resolve()),
        places=tuple(dict.fromkeys([*places, str(_top(module, Path(file)))])),
        takes_context=_arguments(run) == ARGUMENTS[1],
    )


def _arguments(run: Callable[..., Any]) -> int:
    """Returns the number of arguments that a function is called with.

    Raises:
        Refused: If it can be called with neither two nor three, or is a coroutine.
    """
    parameters = inspect.signature(run).parameters.values()
    positional = [each for each in parameters if each.kind in {
        inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}]  # fmt: skip
    needed = [each for each in parameters if each.default is inspect.Parameter.empty
              and each.kind not in {inspect.Parameter.VAR_POSITIONAL,
                                    inspect.Parameter.VAR_KEYWORD}]  # fmt: skip
    keywords = [each for each in needed if each.kind is inspect.Parameter.KEYWORD_ONLY]
    fits = len(positional) >= ARGUMENTS[0] and len(needed) <= ARGUMENTS[1] and not keywords
    if not fits or inspect.iscoroutinefunction(run) or inspect.isasyncgenfunction(run):
        raise Refused(
            f"run takes (config, seed) or (config, seed, context); got "
            f"{getattr(run, '__name__', run)}{inspect.signature(run)}.",
            "Write def train(config, seed): ...",
        )
    return min(len(positional), ARGUMENTS[1])


def arrived(target: Target, folder: Path) -> Target:
    """Returns where a function is in a worker that has its sources in a folder.

    A function of an installed package is where that is installed there.
    """
    name = target.module.replace(".", "/")
    if target.module.startswith(STUDY_PREFIX):
        name = Path(target.file).stem
    is_package = Path(target.file).name == "__init__.py"
    file = folder / (f"{name}/__init__.py" if is_package else f"{name}.py")
    if not file.is_file():
        spec = importlib.util.find_spec(target.module)
        file = file if spec is None or spec.origin is None else Path(spec.origin)
    return dataclasses.replace(target, file=str(file), places=(str(folder),))


def load(target: Target) -> Callable[..., Any]:
    """Returns the function, importing its module if this process has not yet.

    Raises:
        ImportError: If the module or the function cannot be found.
    """
    for place in target.places:
        if place not in sys.path:
            sys.path.append(place)
    module = import_from(target.module, target.file)
    try:
        found: Callable[..., Any] = getattr(module, target.name)
    except AttributeError as error:
        raise ImportError(f"{target.file} has no {target.name!r}") from error
    return found


def import_from(name: str, file: str) -> ModuleType:
    """Returns a module, imported if this process has not yet; that of a study file by its path.

    Raises:
        ImportError: If it cannot be found.
    """
    if name in sys.modules:
        return sys.modules[name]
    if not name.startswith(STUDY_PREFIX):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
