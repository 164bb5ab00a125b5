"""A trial of a search: where it looked, and what validation said."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

State = Literal["COMPLETE", "PRUNED", "FAIL"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A trial of a search that has ended; test had no part in it."""

    number: int
    arm: str
    """The arm that was tuned; of a joint search the baseline."""
    replicate: int | None = None
    """The block that it was tuned for; None for all of them."""
    point: Mapping[str, float | str]
    """Parameter to a number, or to the name of a value."""
    values: Mapping[str, str]
    """Dotted path to the value's repr."""
    curve: Mapping[int, float]
    """Epoch to the metric on validation."""
    value: float | None
    """The metric on validation at its best epoch; None if the trial failed."""
    state: State
    seed: int
    seconds: float
    edges: Sequence[str] = ()
    """Paths whose value is near an end of its range."""
    reason: str = ""
    """Why it failed."""

    def to_text(self) -> str:
        """Returns exact JSON."""
        stored = dataclasses.asdict(self)
        return json.dumps(stored | {"curve": [[epoch, v] for epoch, v in self.curve.items()]})

    @classmethod
    def from_text(cls, text: str) -> Told:
        """Returns what :meth:`to_text` wrote.

        >>> told = Told(number=0, arm="mean", edges=["a"], point={"a": 0.1}, values={"a": "0.1"},
        ...     curve={1: 0.5}, value=0.5, state="COMPLETE", seed=10_000, seconds=1.5)
        >>> Told.from_text(told.to_text()) == told
        True
        """
        stored: dict[str, Any] = json.loads(text)
        return cls(**stored | {"curve": dict(stored["curve"])})


def best_of(told: Mapping[int, Told], direction: int, most: int = 1) -> list[Told]:
    """Returns the completed trials with the best values, the earliest of equal ones first.

    Args:
        told: Number to trial.
        direction: 1 if higher is better, -1 if lower is.
        most: How many.
    """
    done = [each for each in told.values() if each.state == "COMPLETE" and each.value is not None]
    return sorted(done, key=lambda each: (-direction * (each.value or 0.0), each.number))[:most]
