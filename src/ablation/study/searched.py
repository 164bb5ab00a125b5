"""Derives a study's tunings and searches, and what identifies each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from ablation.errors import Refused, nearest
from ablation.records.declaration import Searched
from ablation.records.digest import digest
from ablation.records.told import Told
from ablation.study.space import Space, check_space

if TYPE_CHECKING:
    from ablation.study.spec import Study

Tuning = Literal["once", "per_replicate"]
Tuned = Mapping[str, Mapping[str, Any]]
"""Arm to the values that were found for it, dotted path to value."""

BASELINE = "baseline"
"""The arm of a joint search that all configurations are compared with."""

PRUNERS = ("successive_halving", "median", "none")

TUNING_SEEDS = 10_000
"""First seed of tunings and searches; those of verdicts are below."""
PER_REPLICATE = 1_000
"""Distance between the first seeds of two replicates of a tuning."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """A search by itself: that of one arm, or the joint one of a study."""

    name: str
    """Identifies it and all that decides its trials."""
    arm: str
    """The arm that it tunes; the baseline for a joint search."""
    replicate: int | None
    """The block that it tunes the arm for; None for all blocks."""
    config: Any
    """The configuration that its points change."""
    space: Space
    trials: int
    pruner: str

    def key(self, number: int) -> str:
        """Returns what identifies a trial wherever it is recorded."""
        return f"{self.name}/{number}"

    def seed(self, number: int) -> int:
        """Returns the seed that a trial is trained with; all arms share it."""
        return TUNING_SEEDS + PER_REPLICATE * (self.replicate or 0) + number


def _asked(study: Study) -> tuple[Space, dict[str, str], int]:
    """Returns what is searched, the repr of each range, and the trials of a search."""
    space = study.search or study.tune
    trials = study.search_trials if study.search else study.tuning_trials
    return space, {path: repr(given) for path, given in space.items()}, trials


def searches_of(study: Study, fingerprint: str) -> list[Search]:
    """Returns the searches that a study takes before its trials can be planned.

    Args:
        study: The study, before or after what they found is filled in.
        fingerprint: Hash of the content of the data.
    """
    space, ranges, trials = _asked(study)
    if not space:
        return []
    per_replicate = study.tuning == "per_replicate" and not study.search
    replicates = list(range(study.most_seeds)) if per_replicate else [None]
    arms = [arm for arm in study.complete_arms if not study.search or arm.name == BASELINE]
    found = []
    for replicate in replicates:
        for arm in arms:
            identity = study.task.identify(arm.config)
            values = {path: each for path, each in identity.values.items() if path not in space}
            decides = (values, identity.contents, identity.numerics, fingerprint, ranges,
                       study.pruner, study.measure.name, replicate, arm.seed_offset)  # fmt: skip
            found.append(
                Search(
                    name=f"{study.name}/{digest(*decides)}",
                    arm=arm.name,
                    replicate=replicate,
                    config=arm.config,
                    space=space,
                    pruner=study.pruner,
                    trials=trials,
                )
            )
    return found


Runs = dict[int, tuple[Told, str]]
"""Number to trial and run id."""


def group_told(
    searches: Sequence[Search], found: Mapping[str, tuple[Told, str]]
) -> dict[str, Runs]:
    """Returns the name of each search to its trials, from those of a record."""
    return {
        search.name: {
            number: found[search.key(number)]
            for number in range(search.trials)
            if search.key(number) in found
        }
        for search in searches
    }


def searched_of(study: Study, fingerprint: str) -> Searched | None:
    """Returns what the declaration says of a study's tuning or search."""
    space, ranges, trials = _asked(study)
    if not space:
        return None
    return Searched(
        kind="search" if study.search else study.tuning,
        space=ranges,
        trials=trials,
        pruner=study.pruner,
        names=tuple(search.name for search in searches_of(study, fingerprint)),
    )


def procedure_of(study: Study) -> str:
    """Returns a hash of how arms are tuned in every block; empty if they are not."""
    if not study.tune or study.tuning != "per_replicate":
        return ""
    _, ranges, trials = _asked(study)
    return digest(ranges, trials, study.pruner, study.measure.name)


def declared_values(study: Study, values: Mapping[str, str]) -> dict[str, str]:
    """Returns the values that are declared of an arm; those tuned in every block have none."""
    every_block = study.tune if study.tuning == "per_replicate" else {}
    return dict(values) | dict.fromkeys(every_block, "tuned in every block")


def shared(study: Study) -> Study:
    """Returns the study of the same arms at their shared hyperparameters, nothing tuned."""
    title = f"{study.title or study.name}, nothing tuned"
    return dataclasses.replace(
        study, name=f"{study.name}_shared", title=title, tune={}, tuned={}, tuned_by_block={},
        tuning="once",
    )  # fmt: skip


def check_search(study: Study) -> None:
    """Refuses a tuning or a search that contradicts itself or the study."""
    if study.tune and study.search:
        raise Refused("A study has tune or search, not both.",
                      "Move what is in tune to search.")  # fmt: skip
    if study.tuning not in get_args(Tuning):
        raise Refused(
            f"No tuning {study.tuning!r}.{nearest(str(study.tuning), get_args(Tuning))}",
            f"Give {' or '.join(get_args(Tuning))}.",
        )
    if study.pruner not in PRUNERS:
        raise Refused(
            f"No pruner {study.pruner!r}.{nearest(study.pruner, PRUNERS)}",
            f"Pruners: {', '.join(PRUNERS)}.",
        )
    space, _, trials = _asked(study)
    if space and not 1 <= trials <= PER_REPLICATE:
        raise Refused(
            f"A search has 1 to {PER_REPLICATE} trials; got {trials}.",
            "Change tuning_trials or search_trials.",
        )
    if study.search and not 1 <= study.best <= study.search_trials:
        raise Refused(
            f"best must be 1 to {study.search_trials}; got {study.best}.", "Change best."
        )
    varied = {study.factor, *study.factors, *(p for paths in study.arms.values() for p in paths)}
    if both := varied & study.tune.keys():
        raise Refused(f"{min(map(str, both))} is both varied and tuned.", "Drop it from tune.")
    check_space(space, study.config)
