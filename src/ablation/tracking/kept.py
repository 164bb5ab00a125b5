"""Results that were trained under other sources: which there are, and those taken as they are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ablation.records.outcome import Outcome
from ablation.records.prose import joined
from ablation.study.identity import key_of
from ablation.study.plan import Plan
from ablation.tracking.declared import CONTENT, DECLARED
from ablation.tracking.entities import SOURCES
from ablation.tracking.home import Home
from ablation.tracking.tags import long_in, set_long

KEPT = "ablation.kept"
"""Tag of the parent run, in parts: hash of an arm to the earlier hash whose results are taken."""

MOST_NAMED = 3
"""Changed sources that a sentence names."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outdated:
    """Finished trials of a study's arms whose sources have changed since."""

    hashes: Mapping[str, str]
    """Hash of an arm now to its hash then."""
    changed: tuple[str, ...]
    """Names of the sources and inputs that differ."""
    trials: int
    seconds: float
    """Time that they took to train, in all."""

    def told(self, *, keep: bool) -> str:
        """Returns what becomes of the trials.

        Args:
            keep: Whether their results are taken as they are.
        """
        if keep:
            return f"{self} are taken as they are."
        return f"{self} will be trained again; --keep-results takes them as they are."

    def __str__(self) -> str:
        hours = self.seconds / 3600
        took = f"{hours:.1f} h" if hours >= 1 else f"{self.seconds / 60:.0f} min"
        plural = "" if self.trials == 1 else "s"
        return (
            f"{name_changed(self.changed)} changed: {self.trials} finished trial{plural} ({took})"
        )


def name_changed(changed: Iterable[str]) -> str:
    """Returns the names of changed sources, such as ``train.py, model.py and 2 more``.

    >>> name_changed(["pkg/train.py", "a.py", "b.py", "c.py"])
    'pkg/train.py, a.py and 2 more'
    """
    names = list(changed) or ["the arithmetic of the training"]
    if len(names) > MOST_NAMED:
        more = len(names) - MOST_NAMED + 1
        return f"{', '.join(names[: MOST_NAMED - 1])} and {more} more"
    return joined(names)


def find_outdated(
    plan: Plan, tags: Mapping[str, str], outcomes: Mapping[str, Outcome]
) -> Outdated | None:
    """Returns the finished trials that only a change of sources makes due again; None if none.

    That is: an earlier declaration has an arm of the same name and values on the same data under
    another hash.

    Args:
        plan: The plan.
        tags: Tags of the study's parent run.
        outcomes: Key to outcome of the trials that are done.
    """
    before = _earlier(plan, tags)
    hashes: dict[str, str] = {}
    changed: dict[str, None] = {}
    seconds: dict[str, float] = {}
    for trial in plan.trials:
        if trial.key in outcomes:
            continue
        for old in before.get(trial.arm.name, ()):
            done = outcomes.get(key_of(trial.study, old, trial.seed))
            if done is None or hashes.setdefault(trial.config_hash, old) != old:
                continue
            seconds[trial.key] = done.seconds
            changed |= dict.fromkeys(_differing(done, trial.sources))
    if not seconds:
        return None
    return Outdated(
        hashes=hashes,
        changed=tuple(changed),
        trials=len(seconds),
        seconds=sum(seconds.values()),
    )


def outdated_of(home: Home, plan: Plan, outcomes: Mapping[str, Outcome]) -> Outdated | None:
    """Returns :func:`find_outdated` of a label's record."""
    return find_outdated(plan, home.tags(), outcomes)


def _earlier(plan: Plan, tags: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns the earlier hashes of each arm, the latest declaration's first."""
    now = {arm.name: arm for arm in plan.declaration.arms}
    found: dict[str, list[str]] = {}
    for stored in _declared(tags):
        if stored["data"] != plan.declaration.data:
            continue
        for arm in stored["arms"]:
            ours = now.get(arm["name"])
            if ours and arm["values"] == dict(ours.values) and arm["config"] != ours.config:
                found.setdefault(ours.name, []).append(arm["config"])
    return found


def _declared(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Returns the declarations of a record, the latest first."""
    dates = {
        name.removeprefix(DECLARED): json.loads(value)["date"]
        for name, value in tags.items()
        if name.startswith(DECLARED)
    }
    ordered = sorted(dates, key=lambda each: dates[each], reverse=True)
    known = [CONTENT + each for each in ordered if CONTENT + each in tags]
    return [json.loads(long_in(tags, name))["declaration"] for name in known]


def _differing(done: Outcome, sources: Mapping[str, str]) -> list[str]:
    then: dict[str, str] = json.loads(done.tags.get(SOURCES, "{}"))
    return [name for name in sorted({*then, *sources}) if then.get(name) != sources.get(name)]


def keep(home: Home, hashes: Mapping[str, str]) -> None:
    """Takes the results of some arms under earlier hashes as they are, from now on.

    Args:
        home: The study label.
        hashes: Hash of an arm now to its hash then.
    """
    known = kept_in(home.tags())
    set_long(home, KEPT, json.dumps({**known, **hashes}))


def kept_in(tags: Mapping[str, str]) -> dict[str, str]:
    """Returns hash now to hash then from a parent run's tags."""
    kept: dict[str, str] = json.loads(long_in(tags, KEPT) or "{}")
    return kept


def with_kept(outcomes: Mapping[str, Outcome], kept: Mapping[str, str]) -> dict[str, Outcome]:
    """Returns the outcomes, those under earlier hashes under the later ones too."""
    found = dict(outcomes)
    for now, then in kept.items():
        for key, outcome in outcomes.items():
            study, config, seed = key.split("/")
            if config == then:
                found.setdefault(f"{study}/{now}/{seed}", outcome)
    return found
