"""The ranges that hyperparameters are searched in, and a walk over those that apply."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ablation.errors import Refused
from ablation.records.kinds import check_kinds
from ablation.records.paths import replace
from ablation.study.design import level_name

EDGE = 0.05
"""Share of a range, on its log scale, within which a value is at the edge."""


@dataclasses.dataclass(frozen=True, slots=True)
class LogUniform:
    """All values from low to high, uniform on a log scale, and 0 besides if ``zero`` is True.

    >>> LogUniform(1e-4, 1e-2).is_edge(1.1e-4)
    True
    """

    low: float
    high: float
    zero: bool = False

    def __post_init__(self) -> None:
        check_kinds(self, "a LogUniform")
        if not 0 < self.low < self.high < math.inf:
            raise Refused(
                f"A LogUniform needs 0 < low < high; got {self.low!r} and {self.high!r}.",
                "Give the ends of the range, the lower one first.",
            )

    def is_edge(self, value: float) -> bool:
        """Returns whether a value is near an end of the range."""
        if value == 0:
            return False
        place = math.log(value / self.low) / math.log(self.high / self.low)
        return min(place, 1 - place) < EDGE


@dataclasses.dataclass(frozen=True, slots=True)
class When:
    """A range that applies only where another path has one of some values."""

    path: str
    values: Sequence[Any]
    range: LogUniform | Sequence[Any]

    def __post_init__(self) -> None:
        check_kinds(self, "a When")


Space = Mapping[str, LogUniform | Sequence[Any] | When]
"""Dotted path to its range, or to the values that it may take."""


def range_of(given: LogUniform | Sequence[Any] | When) -> LogUniform | Sequence[Any]:
    """Returns the range itself, of one that applies only sometimes too."""
    return given.range if isinstance(given, When) else given


Point = Mapping[str, float | str]
"""A place in a space: parameter to a number, or to the name of a value."""


class Chooser(Protocol):
    """Chooses parameters one by one, as an Optuna trial does."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Returns a number of a range."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """Returns one of some names."""


class Recalled:
    """Chooses what a point says.

    Args:
        point: The point.
    """

    def __init__(self, point: Point) -> None:
        self._point = point

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Returns the point's number."""
        return float(self._point[name])

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """Returns the point's name."""
        return str(self._point[name])


def choose(space: Space, chooser: Chooser) -> dict[str, Any]:
    """Returns path to value, asking only for the parameters that apply.

    >>> space = {"model.dropout": (0.0, 0.5), "model.top_k": When("model.dropout", (0.5,), (1, 2))}
    >>> choose(space, Recalled({"model.dropout": "0.0"}))
    {'model.dropout': 0.0}
    """
    values: dict[str, Any] = {}
    for path, given in space.items():
        inner = range_of(given)
        if isinstance(given, When) and values.get(given.path) not in given.values:
            continue
        if isinstance(inner, LogUniform):
            values[path] = _number(path, inner, chooser)
        else:
            named = {level_name(choice): choice for choice in inner}
            values[path] = named[chooser.suggest_categorical(path, list(named))]
    return values


def _number(path: str, given: LogUniform, chooser: Chooser) -> float:
    zero = given.zero and chooser.suggest_categorical(f"{path} is 0", ["no", "yes"]) == "yes"
    return 0.0 if zero else chooser.suggest_float(path, given.low, given.high, log=True)


def at_edge(space: Space, values: Mapping[str, Any]) -> list[str]:
    """Returns the paths whose value is near an end of its range.

    >>> at_edge({"train.learning_rate": LogUniform(1e-4, 1e-2)}, {"train.learning_rate": 9.9e-3})
    ['train.learning_rate']
    """
    ranges = {path: range_of(space[path]) for path in values}
    return [
        path
        for path, inner in ranges.items()
        if isinstance(inner, LogUniform) and inner.is_edge(values[path])
    ]


def check_space(space: Space, config: Any) -> None:
    """Refuses a space with a path or a value that the configuration refuses."""
    for path, given in space.items():
        inner = range_of(given)
        ends = (inner.low, inner.high) if isinstance(inner, LogUniform) else tuple(inner)
        if len(ends) < 2:  # noqa: PLR2004 - one value is no range
            raise Refused(f"{path} has fewer than two values to choose from.", "Give more.")
        if isinstance(given, When) and given.path not in list(space)[: list(space).index(path)]:
            raise Refused(
                f"{path} depends on {given.path}, which is not searched before it.",
                f"Put {given.path} before it in the space.",
            )
        if not isinstance(given, When):  # else a value may suit another configuration only
            for value in ends:
                replace(config, path, value)
