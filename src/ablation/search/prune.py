"""Tells a worker when a trial of a search is not worth another epoch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from ablation.records.told import Told

WAYS: tuple[Literal["minimize"], Literal["maximize"]] = ("minimize", "maximize")
"""Optuna's names of a direction."""


def _successive_halving() -> Any:
    from optuna.pruners import SuccessiveHalvingPruner

    # Rungs at epochs 2, 4, 8, ...: at each the better half goes on (Li et al. 2020).
    return SuccessiveHalvingPruner(min_resource=2, reduction_factor=2)


def _median() -> Any:
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=4, n_warmup_steps=1)


def _none() -> Any:
    from optuna.pruners import NopPruner

    return NopPruner()


MAKERS: Mapping[str, Callable[[], Any]] = {
    "successive_halving": _successive_halving,
    "median": _median,
    "none": _none,
}
"""Name to what makes the pruner."""


class Pruning:
    """Compares a trial's curve with those of the trials that it may know of.

    Args:
        pruner: A name in :data:`MAKERS`.
        told: These trials, in order of their numbers.
        direction: 1 if higher is better, -1 if lower is.
    """

    def __init__(self, pruner: str, told: Sequence[Told], direction: int) -> None:
        import optuna

        optuna.logging.set_verbosity(logging.ERROR)
        study = optuna.create_study(direction=WAYS[direction > 0], pruner=MAKERS[pruner]())
        for each in told:  # replayed, because a pruner may keep what it saw on the way
            trial = study.ask()
            for epoch, value in each.curve.items():
                trial.report(value, epoch)
                trial.should_prune()
            final = each.value if each.state == "COMPLETE" else None
            study.tell(trial, final, state=optuna.trial.TrialState[each.state])
        self._trial = study.ask()

    def should_stop(self, epoch: int, value: float) -> bool:
        """Returns whether the trial ends after this epoch."""
        self._trial.report(value, epoch)
        return self._trial.should_prune()
