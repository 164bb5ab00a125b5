"""The declaration: everything a study fixes before its first run, and its exact JSON form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from ablation.records.digest import digest
from ablation.records.metric import METRICS, Metric

Collapse = float | Literal["half"] | None
Scope = Literal["new_examples", "this_split"]

ALPHA = 0.05
"""Error rate of each family of comparisons."""


class Look(NamedTuple):
    """A number of seeds per arm at which the runs are judged."""

    seeds: int
    alpha: float
    """Error rate that each family of comparisons spends at this look."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """The search that found the values of some hyperparameters before the first run."""

    kind: Literal["once", "per_replicate", "search"]
    """Tuned for each arm, or in every block anew; or a joint search whose best are the arms."""
    space: Mapping[str, str]
    """Dotted path to the range's repr."""
    trials: int
    """Of each arm's tuning, or of the search."""
    pruner: str
    names: tuple[str, ...]
    """The name of each search, which identifies it."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredArm:
    """The name and the complete configuration of one arm."""

    name: str
    config: str
    """12 hex digits over the configuration, the data and the sources of user-defined code."""
    values: Mapping[str, str]
    """Dotted path to the value's repr."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """Everything a study fixes before its first run.

    Question, title and caveats are wording and not part of it. The data are identified by the
    fingerprint of their content, not by where they came from.
    """

    name: str
    """The study's name."""
    arms: tuple[DeclaredArm, ...]
    baseline: str
    """Name of the arm that all others are compared with."""
    factor: str | None
    """Dotted path of the one factor, or None if the arms are listed."""
    metric: str
    margin: float | None
    """Smallest effect worth acting on, in units of the metric."""
    floor: float | None
    """Value of the metric assigned to a FAILED run."""
    chance: float | None
    """Value of the metric on test for always predicting the most frequent class; None where that
    is unknown, and then there is no collapse rule."""
    collapse: Collapse
    """Which runs count as FAILED(collapsed): ``half``, those that keep less than half of their
    arm's gain over chance; a number, those within that distance of chance; None, none."""
    quantum: float
    """Step of the metric on this test split; 0 if it is continuous."""
    looks: tuple[Look, ...]
    """In ascending order of seeds; a single look if the number of seeds is fixed."""
    data: str
    """Fingerprint of the data's content."""
    scope: Scope = "new_examples"
    """The scope of verdicts: new seeds and new test examples, or new seeds on this split."""
    first_seed: int = 0
    """Training seed of the first block; others follow it."""
    confirm: int = 0
    """Fresh seeds on which the size of what was decided is estimated anew; 0 for none."""
    described: Metric | None = None
    """The metric, where it is none of :data:`ablation.records.metric.METRICS`; without its chance,
    which is :attr:`chance`."""
    paired: bool = True
    """Whether arms share seeds and are compared seed by seed."""
    table: bool = False
    """Whether the runs are those of a table from elsewhere, so that none can be added here."""
    searched: Searched | None = None
    """How hyperparameters were tuned or arms found; None if nothing was."""
    _hash: str = dataclasses.field(default="", init=False, repr=False, compare=False)
    """The hash, once it was asked for: of 3,000 arms it takes a fifth of a second."""

    @property
    def measure(self) -> Metric:
        """The metric of the verdict."""
        return METRICS[self.metric] if self.described is None else self.described

    @property
    def can_generalise(self) -> bool:
        """Returns whether verdicts may be about new test examples: asked for and scored."""
        return self.scope == "new_examples" and self.measure.examples is not None

    @property
    def most_seeds(self) -> int:
        """Number of seeds of an arm that stays undecided at every look."""
        return self.looks[-1].seeds

    @property
    def hash(self) -> str:
        """12 hex digits that identify the declaration."""
        if not self._hash:
            object.__setattr__(self, "_hash", digest(self.to_json()))
        return self._hash

    def to_json(self) -> dict[str, Any]:
        """Returns plain values with floats as repr strings, so that text and hash are exact."""
        return {
            "name": self.name,
            "arms": [
                {"name": arm.name, "config": arm.config, "values": dict(arm.values)}
                for arm in self.arms
            ],
            "baseline": self.baseline,
            "factor": self.factor,
            "metric": self.metric,
            **{name: _exact(getattr(self, name)) for name in _NUMBERS},
            "looks": [[look.seeds, repr(look.alpha)] for look in self.looks],
            "data": self.data,
            # Only where it is asked for, so that older declarations keep their text and hash.
            **({"scope": self.scope} if self.scope == "this_split" else {}),
            **({"first_seed": self.first_seed} if self.first_seed else {}),
            **({"confirm": self.confirm} if self.confirm else {}),
            **({} if self.described is None else {"described": _described(self.described)}),
            **({} if self.paired else {"paired": False}),
            **({"table": True} if self.table else {}),
            **({} if self.searched is None else {"searched": _searched(self.searched)}),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Declaration:
        """Returns the declaration that :meth:`to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: If the stored form is from another version.
        """
        given = dict(stored)
        given["arms"] = tuple(DeclaredArm(**arm) for arm in stored["arms"])
        given["looks"] = tuple(Look(seeds, float(alpha)) for seeds, alpha in stored["looks"])
        for name in _NUMBERS:
            given[name] = _number(stored[name])
        if "described" in stored:
            told = stored["described"] | {"factor": float(stored["described"]["factor"])}
            given["described"] = Metric(name=stored["metric"], **told)
        if "searched" in stored:
            given["searched"] = Searched(
                **stored["searched"] | {"names": tuple(stored["searched"]["names"])}
            )
        return cls(**given)


_NUMBERS = ("margin", "floor", "chance", "collapse", "quantum")


def _searched(searched: Searched) -> dict[str, Any]:
    return dataclasses.asdict(searched) | {"names": list(searched.names)}


def _described(metric: Metric) -> dict[str, Any]:
    return {
        "lower_is_better": metric.lower_is_better,
        "factor": repr(metric.factor),
        "unit": metric.unit,
        "digits": metric.digits,
        **({} if metric.examples is None else {"examples": metric.examples}),
    }


def _exact(number: float | str | None) -> str | None:
    return number if number is None or isinstance(number, str) else repr(float(number))


def _number(text: str | None) -> float | str | None:
    return text if text is None or text == "half" else float(text)
