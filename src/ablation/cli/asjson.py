"""Prints the output of commands with ``--json``: one object, as docs/json.schema.json says."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ablation.cli.asked import Seen
    from ablation.report import Content
    from ablation.study.plan import Plan

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]


def show_json(stated: Mapping[str, Any]) -> None:
    """Prints an object as JSON; NaN and infinity are null."""
    sys.stdout.write(json.dumps(_plain(stated), ensure_ascii=False, allow_nan=False, indent=1))
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.item() if hasattr(value, "item") else value


def elsewhere() -> contextlib.AbstractContextManager[Any]:
    """Sends to the standard error what is printed in the block."""
    return contextlib.redirect_stdout(sys.stderr)


def plan_of(given: Plan, seen: Seen) -> dict[str, Any]:
    """Returns what is planned, and how much of it is done."""
    declared, (planned, missing) = given.declaration, seen.counts()
    names = [arm.name for arm in given.study.complete_arms]
    arms = [
        {"arm": name, "seeds": planned[name], "done": planned[name] - missing[name]}
        for name in names
    ]
    return {
        "label": seen.label,
        "question": given.study.question,
        "baseline": declared.baseline,
        "metric": declared.metric,
        "margin": declared.margin,
        "looks": [{"seeds": look.seeds, "alpha": look.alpha} for look in declared.looks],
        "arms": arms,
        "planned": len(seen.planned),
        "missing": len(seen.missing),
        "note": seen.note,
    }


def status_of(given: Plan, seen: Seen) -> dict[str, Any]:
    """Returns the state of every planned trial, and the metric of those that have one."""
    name = f"test/{seen.metric}"
    trials = []
    for trial in seen.planned:
        outcome = seen.outcome(trial)
        trials.append(
            {
                "arm": trial.arm.name,
                "seed": trial.seed,
                "state": seen.state(trial),
                "value": None if outcome is None else outcome.metrics.get(name),
                "reason": None if outcome is None else outcome.reason,
            }
        )
    return {
        "label": seen.label,
        "metric": given.declaration.metric,
        "trials": trials,
        "unsent": seen.unsent,
        "note": seen.note,
    }


def over_sets_of(folder: Path) -> dict[str, Any]:
    """Returns the answer over several data sets, from the folder of its report."""
    stored = json.loads((folder / "sets.json").read_text(encoding="utf-8"))
    return {"answer": stored["answer"], "report": str(folder)}


def verdicts_of(content: Content, folder: Path, *, dataset: str = "") -> dict[str, Any]:
    """Returns the verdicts of a report.

    Args:
        content: The content of the report.
        folder: The report.
        dataset: The data set, of a table with several.
    """
    from ablation.report import Basis, compose

    declared, effects = content.declaration, content.judged.effects
    return {
        "label": content.label,
        "dataset": dataset,
        "question": content.wording["question"],
        "answer": " ".join(content.answer),
        "warnings": list(compose(Basis(content)).warnings),
        "baseline": declared.baseline,
        "metric": declared.metric,
        "lower_is_better": declared.measure.lower_is_better,
        "margin": declared.margin,
        "paired": declared.paired,
        "effects": effects.to_dict("records"),
        "report": str(folder),
    }
