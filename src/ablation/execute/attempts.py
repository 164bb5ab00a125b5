"""Keeps which trials of this start failed, are tried again, or are given up until the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ablation.records.failure import ALIKE, Failure

if TYPE_CHECKING:
    from ablation.study.plan import Trial


class Attempts:
    """The failures of one start, by the rules of :data:`ablation.records.failure.FAILURES`."""

    def __init__(self) -> None:
        self._failures: dict[str, list[Failure]] = {}
        self._alike: Counter[tuple[str, str]] = Counter()
        """Arm and place to the number of trials that raised there."""
        self._trials: dict[str, Trial] = {}
        self.workers: list[str] = []
        """Workers that were put aside: trials of several arms failed there alone."""

    def note(self, trial: Trial, failure: Failure) -> bool:
        """Notes a failure; returns whether the trial is tried again in this start."""
        self._trials[trial.key] = trial
        self._failures.setdefault(trial.key, []).append(failure)
        if failure.kind == "raised":
            self._alike[trial.arm.name, failure.place or failure.what] += 1
        return not self.is_given_up(trial)

    def is_given_up(self, trial: Trial) -> bool:
        """Returns whether a trial is not trained again in this start, or not at all."""
        failures = self._failures.get(trial.key, [])
        return trial.arm.name in self.aside or any(
            sum(each.kind == failure.kind for each in failures) >= failure.rule.tries
            for failure in failures
        )

    @property
    def aside(self) -> frozenset[str]:
        """The arms of which enough trials raised at one place."""
        return frozenset(arm for (arm, _), number in self._alike.items() if number >= ALIKE)

    def given_up(self, due: Iterable[Trial]) -> frozenset[tuple[str, int]]:
        """Returns arm and seed of the due trials that are given up."""
        return frozenset((t.arm.name, t.seed) for t in due if self.is_given_up(t))

    def summary(self) -> list[str]:
        """Returns a line for each arm and kind of failure of the trials that are given up."""
        seeds: dict[tuple[str, Failure], list[int]] = {}
        shown: dict[tuple[str, str, str], Failure] = {}
        for key, failures in self._failures.items():
            trial, last = self._trials[key], failures[-1]
            if self.is_given_up(trial):
                alike = (trial.arm.name, last.kind, last.place or last.what)
                first = shown.setdefault(alike, last)
                seeds.setdefault((trial.arm.name, first), []).append(trial.seed)
        return [_line(arm, failure, sorted(of)) for (arm, failure), of in seeds.items()]


def _line(arm: str, failure: Failure, seeds: list[int]) -> str:
    many = "seeds" if len(seeds) > 1 else "seed"
    tried = f" in each of {failure.rule.tries} tries" if failure.rule.tries > 1 else ""
    did = "raised" if failure.kind == "raised" else "was lost"
    return f"Arm {arm!r}, {many} {', '.join(map(str, seeds))}, {did}{tried}: {failure}"
