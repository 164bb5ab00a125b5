"""Refuses studies that contradict themselves, before anything is run."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from ablation.errors import Refused, nearest
from ablation.records.declaration import ALPHA, Scope
from ablation.records.kinds import shown
from ablation.records.paths import flatten
from ablation.study.arm import Arm
from ablation.study.design import level_name
from ablation.study.searched import check_search

if TYPE_CHECKING:
    from ablation.study.spec import Study

SEEDS_AT_MOST, TRIALS_AT_MOST, OFFSET_AT_MOST = 10_000, 1_000_000, 10**9
FEWEST_CONFIRMED = 3
"""Fresh seeds below which there is no estimate worth its interval."""
MOST_LETTERS = 200
"""Most letters of an arm's name."""


def check_form(study: Study) -> None:
    """Refuses a name that no study can have, and fields that exclude each other."""
    # The ending of a derived study's name is one that no file's can have by accident.
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}(-follow-up|-fresh)?", study.name):
        raise Refused(
            f"A study's name matches [a-z][a-z0-9_]* and has at most 100 letters; got "
            f"{shown(study.name)}.",
            "Rename the study.",
        )
    ways = (study.factor is not None, study.factors, study.arms, study.search)
    if sum(map(bool, ways)) != 1:
        raise Refused(
            f"Study {study.name!r} must declare exactly one of: factor with levels, factors with "
            "a design, arms, search.",
            "Give one of the four.",
        )
    _check_companions(study)
    check_search(study)
    if study.factors and study.baseline is not None:
        raise Refused(
            f"The baseline of study {study.name!r} is the first level of each factor; got "
            f"{study.baseline!r}.",
            "Leave baseline out, and put its levels first.",
        )
    if study.run is None and not isinstance(study.config, Mapping | type(study.task.config)):
        kind = type(study.task.config).__name__
        raise Refused(
            f"config of a study must be a {kind}; got {shown(study.config)}.",
            f"Give a {kind}(...), or leave config out.",
        )
    if study.run is None and (
        isinstance(study.config, Mapping) or study.inputs or study.version or study.data_field
    ):
        raise Refused(
            f"Study {study.name!r} gives a mapping as config, inputs, version or data_field, "
            "but no run.",
            "Give run=..., a function of your own.",
        )


def _check_companions(study: Study) -> None:
    """Refuses fields that mean nothing without another one, and a baseline that was left out."""
    given = {"factors": bool(study.factors), "factor": study.factor is not None}
    for name, needed in {"design": "factors", "levels": "factor"}.items():
        if len(getattr(study, name)) and not given[needed]:
            raise Refused(
                f"Study {study.name!r} gives {name}, but no {needed}.",
                f"Give {needed}, or leave {name} out.",
            )
    names = [*study.arms, *(level_name(level) for level in study.levels)]
    if study.baseline is None and names and level_name(None) not in names:
        raise Refused(
            f"Study {study.name!r} names no baseline, the arm that all others are compared with.",
            f"Give baseline=..., one of: {', '.join(names)}.",
        )


def check_budget(study: Study) -> None:
    """Refuses an unknown metric, and impossible numbers of seeds, looks or limits."""
    known = study.task.metrics
    if study.metric not in known:
        raise Refused(
            f"Study {study.name!r} has the unknown metric {study.metric!r}."
            f"{nearest(str(study.metric), known)}",
            f"Metrics: {', '.join(known)}.",
        )
    if study.seeds < 1:
        raise Refused(
            f"A study needs at least 1 seed; got {study.seeds!r}.",
            "Give 5 or more for verdicts; fewer are a screening.",
        )
    if (most := max((study.seeds, *study.looks))) > SEEDS_AT_MOST:
        raise Refused(
            f"A study has at most {SEEDS_AT_MOST:,} seeds; got {most:,}.",
            "Give fewer: a hundred show what can be shown.",
        )
    if study.first_seed < 0:
        raise Refused(f"first_seed must be >= 0; got {study.first_seed}.", "Change first_seed.")
    if study.confirm and not FEWEST_CONFIRMED <= study.confirm <= SEEDS_AT_MOST:
        raise Refused(
            f"confirm must be 0, or {FEWEST_CONFIRMED} to {SEEDS_AT_MOST:,} seeds; got "
            f"{study.confirm}.",
            "Give as many as the study has seeds.",
        )
    if len(set(study.data)) < len(study.data):
        raise Refused(
            f"data names each data set once, in a tuple; got {shown(study.data)}.",
            "Write data=('trec', 'sst2').",
        )
    _check_numbers(study)
    if study.scope not in get_args(Scope):
        raise Refused(
            f"No scope {study.scope!r}.{nearest(str(study.scope), get_args(Scope))}",
            f"Scopes: {', '.join(get_args(Scope))}.",
        )
    _check_looks(study)
    _check_limits(study)


def _check_looks(study: Study) -> None:
    """Refuses looks that do not ascend, and error rates that do not suit them."""
    looks, spend = list(study.looks), list(study.spend)
    if looks != sorted(set(looks)) or (looks and looks[0] < 1):
        raise Refused(
            f"Looks must be ascending and >= 1; got {study.looks!r}.", "Sort them, each once."
        )
    if spend and (
        len(spend) != len(looks) or not min(spend) > 0 or not sum(spend) <= ALPHA + 1e-12
    ):
        raise Refused(
            f"spend must hold one number > 0 per look, with a sum of at most {ALPHA}; got "
            f"{study.spend!r} for looks {study.looks!r}.",
            "Leave spend out: the looks then share 0.05 in ascending parts.",
        )


def _check_limits(study: Study) -> None:
    """Refuses limits of a trial that are not positive numbers."""
    for name, unit in {"timeout": "seconds", "memory": "GiB"}.items():
        limit = getattr(study, name)
        if limit is not None and not 0 < limit < float("inf"):
            raise Refused(f"{name} must be > 0; got {limit!r}.", f"Give {unit}, or None.")


def _check_numbers(study: Study) -> None:
    """Refuses a margin, collapse or floor that no difference or value of the metric can have."""
    in_points = (study.measure.unit, study.measure.factor) == ("points", 100)
    most = 1.0 if in_points else sys.float_info.max
    said = " and at most 1, since a point is a hundredth" if in_points else ""
    if study.margin is not None and not 0 < study.margin <= most:
        raise Refused(
            f"A margin must be > 0{said}; got {study.margin!r}.", "Give a margin or None."
        )
    if isinstance(study.collapse, int | float) and not 0 <= study.collapse <= most:
        raise Refused(f"collapse must be >= 0{said}; got {study.collapse!r}.", "Give a distance.")
    if isinstance(study.floor, int | float) and not 0 <= abs(study.floor) <= most:
        raise Refused(
            f"floor must be finite{said}; got {study.floor!r}.", "Give a value, or 'chance'."
        )


def check_arms(study: Study) -> None:
    """Refuses arms that cannot be compared with each other or with a baseline."""
    arms = study.complete_arms
    names = [arm.name for arm in arms]
    for arm in arms:
        _check_arm(study, arm)
    if any(study.task.data_paths & set(arm.levels) for arm in arms):
        raise Refused(
            f"Arms of study {study.name!r} differ in their data, so they cannot be paired.",
            "Compare arms on one data set; run the study again with DATA=... for another.",
        )
    if study.search and not study.tuned:
        return  # the other arms are what the search will find
    if len(arms) < 2:  # noqa: PLR2004 - a comparison takes two
        raise Refused(f"Study {study.name!r} has {len(arms)} arm(s).", "Declare at least two.")
    if len(arms) * study.most_seeds > TRIALS_AT_MOST:
        raise Refused(
            f"Study {study.name!r} plans {len(arms) * study.most_seeds:,} trials; at most "
            f"{TRIALS_AT_MOST:,} can be kept.",
            "Declare fewer arms or seeds.",
        )
    seen: dict[tuple[Any, int | None], str] = {}
    for arm in arms:
        # As it is identified: two values with one repr would share their runs.
        written = tuple((path, repr(value)) for path, value in flatten(arm.config).items())
        what = (written, arm.seed_offset)
        if what in seen:
            raise Refused(
                f"Arms {seen[what]!r} and {arm.name!r} of study {study.name!r} have the same "
                "configuration, as it is written down.",
                "Remove one of them, or give their values different reprs.",
            )
        seen[what] = arm.name
    if len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise Refused(
            f"Two arms of study {study.name!r} are both named {doubled!r}, as a text and as a "
            "value.",
            "Give one of the levels another text, or name the arms yourself: arms={...}.",
        )
    if study.baseline_name not in names:
        raise Refused(
            f"The baseline {study.baseline_name!r} of study {study.name!r} is not one of its arms."
            f"{nearest(study.baseline_name, names)}",
            f"Arms: {', '.join(names)}.",
        )


def _check_arm(study: Study, arm: Arm) -> None:
    """Refuses an arm whose name cannot be read, or whose seed offset is none."""
    if not arm.name.strip() or len(arm.name) > MOST_LETTERS or not arm.name.isprintable():
        raise Refused(
            f"An arm of study {study.name!r} is named {shown(arm.name)}; a name is 1 to "
            f"{MOST_LETTERS} printable letters.",
            "Rename the arm, or give the level a shorter text.",
        )
    offset = arm.seed_offset
    if offset is not None and (type(offset) is not int or not 0 <= offset <= OFFSET_AT_MOST):
        raise Refused(
            f"seed_offset of arm {arm.name!r} must be a whole number from 0 to "
            f"{OFFSET_AT_MOST:,}; got {shown(offset)}.",
            "Give for example 1000.",
        )
