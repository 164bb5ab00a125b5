"""Plans a study on each data set that a command names, and writes the page over all of them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.cli.asked import plan_of
from ablation.cli.settled import version
from ablation.errors import Refused
from ablation.records.digest import digest
from ablation.records.typed import over_data

if TYPE_CHECKING:
    from ablation.study.plan import Plan
    from ablation.study.spec import Study
    from ablation.task import Redirection

ENDING = "+sets"
"""Ending of the name of the folder over all data sets; no label of a study has it."""


def sets_of(study: Study, given: str | None) -> tuple[str | None, ...]:
    """Returns the data sets of a command; None is the study's own data.

    Args:
        study: The study, whose ``data`` are taken if none are given.
        given: One data set, or several with commas between them; a path may hold a comma.
    """
    if given is None:
        return tuple(study.data) or (None,)
    if Path(given).exists():
        return (given,)
    return tuple(part.strip() for part in given.split(",") if part.strip()) or (given,)


def plans_of(study: Study, other: Redirection, seeds: int | None = None) -> tuple[Plan, ...]:
    """Returns a plan per data set, in the order given; all data are prepared.

    Args:
        study: The study.
        other: Data that replace the study's own.
        seeds: Seeds per arm; replaces the study's seeds and looks.

    Raises:
        Refused: If the study or one of its data sets cannot be used, or two have one content.
    """
    named = sets_of(study, other.data)
    if len(named) == 1:
        return (plan_of(study, dataclasses.replace(other, data=named[0]), seeds),)
    plans: dict[str, Plan] = {}
    for data in named:
        try:
            plan = plan_of(study, dataclasses.replace(other, data=data), seeds)
        except Refused as error:
            raise Refused(f"Data set {data!r}: {error.rule}", error.way_out) from error
        if plan.data.fingerprint in plans:
            first = plans[plan.data.fingerprint].data.source
            raise Refused(
                f"Data sets {first!r} and {data!r} have the same content.", "Remove one of them."
            )
        plans[plan.data.fingerprint] = plan
    return tuple(plans.values())


def heading(plans: Sequence[Plan], place: int) -> str:
    """Returns a line that says which data set follows; empty if there is only one."""
    of = f"Data set {place + 1} of {len(plans)}: {plans[place].data.name}"
    return of if len(plans) > 1 else ""


def plans_to_report(name: str, other: Redirection) -> tuple[Plan, ...]:
    """Returns a plan per data set; none where the record alone knows what to report.

    Args:
        name: A study, the path of its file, or a label.
        other: Data that replace the study's own.

    Raises:
        Refused: As :func:`plans_of` does, if data are given or the study names several.
    """
    from ablation.study.load import STUDIES, load

    if any(dataclasses.astuple(other)):
        return plans_of(load(name, STUDIES), other)
    try:
        study = load(name, STUDIES)
    except Refused:
        return ()  # a report needs no study file
    return plans_of(study, other) if study.data else ()


def write_over_sets(
    plans: Sequence[Plan],
    reports: Path,
    mapping: Callable[..., Iterable[Any]] = map,
    *,
    labels: Sequence[str] | None = None,
) -> str:
    """Writes the page over all data sets unless it is up to date.

    Args:
        plans: A plan per data set; for a single one there is no such page.
        reports: Folder of the reports.
        mapping: Draws the figures: ``map``, or that of a crew.
        labels: The label of each report that counts, whatever number of seeds it is of; if None,
            the reports are those of the plans' very declarations.

    Returns:
        The answer over all sets and the path of the page; nothing for a single data set.
    """
    folders = _folders(plans, reports, labels)
    if len(plans) == 1 or not any(folders.values()):
        return ""
    study, folder = plans[0].study, reports / f"{plans[0].study.name}{ENDING}"
    of, stored = _state(plans, folders), _stored(folder / "sets.json")
    if stored.get("of") == of:
        answer = stored["answer"]
    else:
        from ablation.report import index
        from ablation.report.sets import Wanted, build_over

        asked = [plan.study.command or study.name for plan in plans]
        wanted = Wanted(
            study=study.name,
            title=study.title,
            question=study.question,
            folders=folders,
            command=f"ablation report {over_data(asked)}",
        )
        answer = build_over(wanted, folder, of=of, mapping=mapping)
        index(reports, mapping)
    return f"{study.name} over {len(plans)} data sets: {answer}\nReport: {folder / 'index.html'}"


def _folders(
    plans: Sequence[Plan], reports: Path, labels: Sequence[str] | None
) -> dict[str, Path | None]:
    """Returns data set to the folder of its report, None where it has none that counts."""
    stored = {path.parent: _stored(path) for path in sorted(reports.glob("*/study.json"))}
    if labels is None:
        known = {each.get("current"): folder for folder, each in stored.items()}
        found = [known.get(plan.declaration.hash) for plan in plans]
    else:
        found = [folder if folder in stored else None for folder in map(reports.joinpath, labels)]
        asked = [None if folder is None else _asked(stored[folder]) for folder in found]
        first = next((each for each in asked if each), None)
        pairs = zip(found, asked, strict=True)
        found = [folder if each == first else None for folder, each in pairs]
    names = [plan.data.name for plan in plans]
    told_apart = [
        name if names.count(name) == 1 else f"{name}-{plan.data.fingerprint[:6]}"
        for name, plan in zip(names, plans, strict=True)
    ]
    return dict(zip(told_apart, found, strict=True))


def _asked(stored: Mapping[str, Any]) -> str:
    """Returns a digest of what reports must share to be combined: all but the data."""
    declared = stored.get("declaration", {})
    arms = [arm["name"] for arm in declared.get("arms", ())]
    return digest(arms, *(declared.get(key) for key in ("baseline", "metric", "margin", "looks")))


def _state(plans: Sequence[Plan], folders: Mapping[str, Path | None]) -> str:
    """Returns a digest of what the page is made from: reports, words and the harness."""
    kept = [
        (folder / name).read_text(encoding="utf-8")
        for folder in folders.values()
        for name in ("study.json", "runs.csv")
        if folder is not None
    ]
    return digest(version(), plans[0].study.title, plans[0].study.question, list(folders), kept)


def _stored(path: Path) -> dict[str, Any]:
    """Returns what a JSON file holds; nothing where it is missing or no object."""
    with contextlib.suppress(OSError, ValueError):
        stored = json.loads(path.read_text(encoding="utf-8"))
        return stored if isinstance(stored, dict) else {}
    return {}
