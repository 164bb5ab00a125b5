"""What a study asks: a question, the arms that answer it, and what was fixed before any run."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from ablation.config import Metric, RunConfig, flatten, replace
from ablation.errors import Refused, nearest

DIRECTIONS: dict[str, int] = {"accuracy": 1, "macro_f1": 1, "loss": -1}
"""Metric to direction: 1 where higher is better, -1 where lower is."""

DATA_FIELDS = frozenset({"data.source", "data.revision", "data.text", "data.label"})
"""Where the data came from: the data's content stands for these in every hash."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One combination of levels made runnable."""

    name: str
    """A label; it identifies nothing but a row of the report."""
    config: RunConfig
    """The complete run configuration."""
    levels: Mapping[str, Any]
    """Dotted path to level, for the paths in which the arm was declared."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """One question. Give either ``factor`` with ``levels``, or ``arms``.

    Raises:
        Refused: If the declaration names what does not exist or contradicts itself.
    """

    name: str
    """Matches ``[a-z][a-z0-9_]*``."""
    question: str
    """What is asked, in a sentence."""
    title: str = ""
    """A heading for the report; the name where none is given."""
    factor: str | None = None
    """Dotted path into the run configuration, such as ``"model.attention.init_std"``."""
    levels: Sequence[Any] = ()
    """The values of the factor, in the order in which they are reported."""
    arms: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    """Arms listed explicitly: name to the paths that it sets."""
    baseline: Any
    """The level (or the arm's name) that all others are compared with."""
    config: RunConfig = RunConfig()  # noqa: RUF009 - it is frozen
    """What every arm starts from: the fixed hyperparameters."""
    metric: Metric = "accuracy"
    """What the verdict is about, measured on test."""
    margin: float | None = None
    """Smallest effect worth acting on, in units of the metric."""
    seeds: int = 8
    """Blocks: each arm is trained once with each of the seeds 0, 1, ..., seeds - 1."""
    caveats: Sequence[str] = ()
    """Sentences printed with the report."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise Refused(
                f"A study's name matches [a-z][a-z0-9_]*; got {self.name!r}.", "Rename the study."
            )
        if (self.factor is None) == (not self.arms):
            raise Refused(
                f"Study {self.name!r} must declare either a factor with levels, or arms.",
                "Give one of the two.",
            )
        _check_budget(self)
        _check_arms(self)

    @property
    def direction(self) -> int:
        """1 where a higher metric is better, -1 where a lower one is."""
        return DIRECTIONS[self.metric]

    @property
    def baseline_name(self) -> str:
        """Name of the arm that all others are compared with."""
        if self.factor is None:
            return str(self.baseline)
        return level_name(_as_stored(self.config, self.factor, self.baseline))

    @property
    def factor_name(self) -> str:
        """Last part of the factor's path, or the study's name where arms are listed."""
        return self.name if self.factor is None else self.factor.rpartition(".")[2]


def arms_of(study: Study) -> tuple[Arm, ...]:
    """Returns the study's arms in declared order, each a complete run configuration."""
    if study.factor is None:
        declared = [(name, dict(paths)) for name, paths in study.arms.items()]
    else:
        stored = [_as_stored(study.config, study.factor, level) for level in study.levels]
        declared = [(level_name(level), {study.factor: level}) for level in stored]
    arms = []
    for name, levels in declared:
        config = study.config
        for path, level in levels.items():
            config = replace(config, path, level)
        arms.append(Arm(name=name, config=config, levels=levels))
    return tuple(arms)


def level_name(level: Any) -> str:
    """Returns what a level is called: a name as it is, anything else by its repr."""
    return level if isinstance(level, str) else repr(level)


def config_values(config: RunConfig) -> dict[str, str]:
    """Returns dotted path to repr for every field but those that say where the data came from."""
    return {
        path: repr(value) for path, value in flatten(config).items() if path not in DATA_FIELDS
    }


def known_studies(folder: Path) -> list[str]:
    """Returns the names of the study files in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def load(name: str, folder: Path) -> Study:
    """Loads a study by its name in a folder, or by the path of its file.

    Raises:
        Refused: If there is no such study, or its file cannot be used.
    """
    path = Path(name) if name.endswith(".py") else folder / f"{name}.py"
    if not path.is_file():
        known = known_studies(folder)
        raise Refused(
            f"No study {name!r} in {folder.name}/.{nearest(name, known)}",
            f"Known studies: {', '.join(known)}."
            if known
            else f"There is no folder {folder} with studies here: run this in the project's "
            "folder, or give the path of a study file.",
        )
    study = getattr(_execute(path), "study", None)
    if not isinstance(study, Study):
        raise Refused(
            f"{path} defines no variable `study` that is an ablation.spec.Study.",
            "Add `study = Study(...)` to it.",
        )
    return study


def _execute(path: Path) -> Any:
    """Runs a study file as a module, with its folder and the working folder importable."""
    for place in (str(path.resolve().parent), str(Path.cwd())):
        if place not in sys.path:
            sys.path.append(place)
    loaded = importlib.util.spec_from_file_location(f"ablation_study_{path.stem}", path)
    assert loaded is not None
    assert loaded.loader is not None
    module = importlib.util.module_from_spec(loaded)
    try:
        loaded.loader.exec_module(module)
    except Refused as error:
        raise Refused(f"{path}: {error.rule}", error.way_out) from error
    except Exception as error:
        line = _line_in(path, error)
        raise Refused(
            f"{path}{line} raised {type(error).__name__}: {error}", "Mend the study file."
        ) from error
    return module


def _line_in(path: Path, error: Exception) -> str:
    """Returns ``", line 7,"`` for the last line of the file that the error passed through."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path
    ]
    if isinstance(error, SyntaxError):
        lines.append(error.lineno)
    return f", line {lines[-1]}," if lines else ""


def _as_stored(config: RunConfig, path: str, level: Any) -> Any:
    """Returns the level as the configuration stores it: an int becomes a float where due."""
    return flatten(replace(config, path, level))[path]


def _check_budget(study: Study) -> None:
    if study.metric not in get_args(Metric):
        raise Refused(
            f"Study {study.name!r} has the unknown metric {study.metric!r}."
            f"{nearest(str(study.metric), get_args(Metric))}",
            f"Metrics: {', '.join(get_args(Metric))}.",
        )
    if type(study.seeds) is not int or study.seeds < 1:
        raise Refused(
            f"A study needs at least 1 seed; got {study.seeds!r}.",
            "Give 5 or more for verdicts; fewer are a screening.",
        )
    if study.margin is not None and not study.margin > 0:
        raise Refused(f"A margin must be > 0; got {study.margin!r}.", "Give a margin or None.")


def _check_arms(study: Study) -> None:
    arms = arms_of(study)
    names = [arm.name for arm in arms]
    if any(DATA_FIELDS & set(arm.levels) for arm in arms):
        raise Refused(
            f"Arms of study {study.name!r} differ in their data: nothing pairs them.",
            "Compare arms on one data set, and run the study again with DATA=... for another.",
        )
    if len(arms) < 2:  # noqa: PLR2004 - a comparison takes two
        raise Refused(f"Study {study.name!r} has {len(arms)} arm(s).", "Declare at least two.")
    seen: dict[RunConfig, str] = {}
    for arm in arms:
        if arm.config in seen:
            raise Refused(
                f"Arms {seen[arm.config]!r} and {arm.name!r} of study {study.name!r} are one and "
                "the same configuration.",
                "Remove one of them.",
            )
        seen[arm.config] = arm.name
    if study.baseline_name not in names:
        raise Refused(
            f"The baseline {study.baseline_name!r} of study {study.name!r} is none of its arms."
            f"{nearest(study.baseline_name, names)}",
            f"Arms: {', '.join(names)}.",
        )
