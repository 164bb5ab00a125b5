"""Chooses the next point of a search, from its earlier trials alone."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ablation.records.digest import digest
from ablation.records.told import Told
from ablation.search.prune import WAYS
from ablation.study.design import level_name
from ablation.study.space import LogUniform, Space, choose, range_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

WINDOW = 4
"""Trial t of a search is asked once trials 0 to t - WINDOW are told, on these alone. So at most
so many train at once, and values depend neither on the number of workers nor on their timing."""

OPENING = 4
"""Quasi-random trials at the start, and one more for each parameter."""


def ask(
    space: Space, told: Mapping[int, Told], number: int, *, name: str, direction: int
) -> dict[str, float | str]:
    """Returns the point of a trial: quasi-random at first, then by TPE.

    It depends on its arguments alone, and of the trials on those up to ``number - WINDOW``.

    Args:
        space: The space.
        told: Number to trial.
        number: Number of the trial, from 0.
        name: Names the search; a part of the seed.
        direction: 1 if higher is better, -1 if lower is.
    """
    distributions = distributions_of(space)
    if number < OPENING + len(distributions):
        return _quasi_random(space, distributions, number, name)
    import optuna

    seed = int(digest(name, number)[:8], 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=0, multivariate=True, group=True, seed=seed
        )
    study = study_of(space, seen(told, number), direction, sampler)
    trial = study.ask()
    choose(space, trial)
    return dict(trial.params)


def seen(told: Mapping[int, Told], number: int) -> list[Told]:
    """Returns the trials that a trial may know of, in order of their numbers.

    >>> seen({0: "first", 1: "second", 2: "third"}, 5)
    ['first', 'second']
    """
    return [told[each] for each in range(number - WINDOW + 1)]


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """Returns parameter to Optuna distribution, conditional ones included.

    >>> distributions_of({"model.dropout": (0.0, 0.3)})
    {'model.dropout': CategoricalDistribution(choices=('0.0', '0.3'))}
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    found: dict[str, BaseDistribution] = {}
    for path, given in space.items():
        inner = range_of(given)
        if not isinstance(inner, LogUniform):
            found[path] = CategoricalDistribution([level_name(choice) for choice in inner])
            continue
        if inner.zero:
            found[f"{path} is 0"] = CategoricalDistribution(["no", "yes"])
        found[path] = FloatDistribution(inner.low, inner.high, log=True)
    return found


def study_of(space: Space, told: Sequence[Told], direction: int, sampler: Any = None) -> Study:
    """Returns an Optuna study in memory that holds some trials."""
    import optuna

    optuna.logging.set_verbosity(logging.ERROR)
    study = optuna.create_study(sampler=sampler, direction=WAYS[direction > 0])
    distributions = distributions_of(space)
    study.add_trials([frozen(each, distributions) for each in told])
    return study


def frozen(told: Told, distributions: Mapping[str, BaseDistribution]) -> Any:
    """Returns a trial in Optuna's own form."""
    import optuna

    return optuna.create_trial(
        state=optuna.trial.TrialState[told.state],
        value=told.value if told.state == "COMPLETE" else None,
        params=dict(told.point),
        distributions={name: distributions[name] for name in told.point},
        intermediate_values=dict(told.curve),
    )


class _Sequence:
    """Chooses by the coordinates of a point in the unit cube."""

    def __init__(self, coordinates: Mapping[str, float]) -> None:
        self._at = coordinates
        self.point: dict[str, float | str] = {}

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        value = math.exp(math.log(low) + self._at[name] * math.log(high / low))
        self.point[name] = min(max(value, low), high)
        return float(self.point[name])

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        self.point[name] = choices[int(self._at[name] * len(choices))]
        return str(self.point[name])


def _quasi_random(
    space: Space, names: Mapping[str, Any], number: int, search: str
) -> dict[str, float | str]:
    """Returns a point of the additive recurrence of Roberts (2018), shifted by the search's name.

    Coordinate k of point t is the fraction of ``shift + t / phi ** k``, where
    ``phi ** (d + 1) = phi + 1`` in d dimensions: of low discrepancy from the first points on.
    """
    phi = 2.0
    for _ in range(64):
        phi = (1 + phi) ** (1 / (len(names) + 1))
    shift = np.random.default_rng(int(digest(search)[:8], 16)).random(len(names))
    steps = phi ** -np.arange(1.0, len(names) + 1)
    place = (shift + (number + 1) * steps) % 1.0
    chooser = _Sequence(dict(zip(names, place.tolist(), strict=True)))
    choose(space, chooser)
    return chooser.point
