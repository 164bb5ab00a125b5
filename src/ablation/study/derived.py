"""Studies that follow from another one, on seeds that it never uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any, Final

from ablation.study.arm import OFFSET, Arm
from ablation.study.spec import Study

FOLLOW_UP: Final = "-follow-up"
"""Ending of the name of a follow-up study."""

FOLLOW_UP_SEED: Final = 5000
"""Seed of the first block of a follow-up: beyond those of the study and of A/A copies, and below
those of tuning."""

FRESH: Final = "-fresh"
"""Ending of the name of a study's fresh runs of what it decided."""

FRESH_SEED: Final = 7000
"""Seed of their first block."""


def fresh_of(study: Study, arms: Collection[str]) -> Study:
    """Returns the study that runs what was decided once more, on its ``confirm`` fresh seeds.

    Args:
        study: The study.
        arms: Names of the arms that were decided.
    """
    return _derived(
        study,
        arms,
        study.confirm,
        name=study.name + FRESH,
        title=f"{study.title or study.name}: fresh seeds",
        first_seed=FRESH_SEED,
        caveats=tuple(study.caveats),
    )


def follow_up_of(study: Study, arms: Collection[str], seeds: int) -> Study:
    """Returns the follow-up of a study: some of its arms and the baseline, on fresh seeds.

    Args:
        study: The study.
        arms: Names of the arms to follow up.
        seeds: Seeds per arm, fixed: a study of its own spends the whole alpha once.
    """
    return _derived(
        study,
        arms,
        seeds,
        name=study.name + FOLLOW_UP,
        title=f"{study.title or study.name}: follow-up",
        first_seed=FOLLOW_UP_SEED,
        caveats=(
            *study.caveats,
            f"A follow-up of {study.name} on fresh seeds: of the arms that it left open, with no "
            "run of its own among the data.",
        ),
    )


def _derived(
    study: Study,
    arms: Collection[str],
    seeds: int,
    *,
    name: str,
    title: str,
    first_seed: int,
    caveats: tuple[str, ...],
) -> Study:
    """Returns a study of some arms of another and its baseline, at one look."""
    kept = [arm for arm in study.complete_arms if arm.name in {*arms, study.baseline_name}]
    if study.tuned:  # what was found is part of the arms by now
        asked: dict[str, Any] = {
            "arms": {arm.name: {**arm.levels, **study.tuned.get(arm.name, {})} for arm in kept},
            "baseline": study.baseline_name,
            **{"factor": None, "levels": (), "factors": {}, "design": ()},
            **{"tune": {}, "search": {}, "tuned": {}},
        }
    elif study.factor is not None:
        by_name = dict(zip((arm.name for arm in study.complete_arms), study.levels, strict=True))
        asked = {"levels": [by_name[arm.name] for arm in kept]}
    else:
        asked = {
            "arms": {arm.name: {**arm.levels, **_offset(arm)} for arm in kept},
            "baseline": study.baseline_name,
            "factors": {},
            "design": (),
        }
    return dataclasses.replace(
        study,
        **asked,
        name=name,
        title=title,
        seeds=seeds,
        confirm=0,
        looks=(),
        spend=(),
        first_seed=first_seed,
        tuned_by_block={},
        caveats=caveats,
    )


def _offset(arm: Arm) -> dict[str, int]:
    return {} if arm.seed_offset is None else {OFFSET: arm.seed_offset}
