"""Names arms in a sentence: in quotes where they would read as prose, levels as ranges."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ablation.analysis.response import levels_of
from ablation.records.declaration import Declaration
from ablation.records.prose import joined

MOST_NAMED = 4
"""Most arms, or ranges of levels, that are named; of more, the three with the largest effects."""

PROSE = re.compile(r"[a-zA-Z]+([ +]+[a-zA-Z]+)*")
"""Names that read as part of a sentence."""


def named(rows: pd.DataFrame, declaration: Declaration, conjunction: str = "and") -> str:
    """Returns the names of some arms, neighbouring levels of a numeric factor as a range.

    Args:
        rows: The arms' rows of an effects frame.
        declaration: Everything the study fixed.
        conjunction: The word before the last name: "or" where one of the arms is to be taken.
    """
    by_size = rows.sort_values("effect", key=np.abs, ascending=False, kind="stable")
    arms = list(by_size["arm"])
    if levels := levels_of(declaration):
        spans = _spans(arms, levels)
    else:
        spans = {name: [arm] for name, arm in zip(quoted(arms, declaration), arms, strict=True)}
    names = list(spans)
    if len(names) > MOST_NAMED:
        largest = sorted(names, key=lambda name: min(map(arms.index, spans[name])))
        kept = [name for name in names if name in largest[: MOST_NAMED - 1]]
        one_of = "one of " if conjunction == "or" else ""
        names = [*kept, f"{one_of}{len(arms) - sum(len(spans[name]) for name in kept)} more"]
    return joined(names, conjunction)


def quoted(names: Sequence[str], declaration: Declaration) -> list[str]:
    """Returns the names of arms, in quotes where one would read as part of a sentence."""
    return [f"“{name}”" if _is_prose(declaration) else name for name in names]


def baseline_of(declaration: Declaration) -> str:
    """Returns the baseline with its name, in quotes where those of the arms are."""
    name = declaration.baseline
    if name.lower() == "baseline":
        return "the baseline"
    return f"the baseline “{name}”" if _is_prose(declaration) else f"the baseline {name}"


def _is_prose(declaration: Declaration) -> bool:
    """Returns whether names need quotes: "Take bias, nothing and query" would read as prose."""
    others = (arm.name for arm in declaration.arms if arm.name != declaration.baseline)
    return any(PROSE.fullmatch(name) for name in others)


def _spans(names: Sequence[str], levels: Mapping[str, float]) -> dict[str, list[str]]:
    """Returns ranges of neighbouring levels, ascending and open ones last, with their names.

    >>> levels = {"0.0": 0.0, "0.01": 0.01, "0.05": 0.05, "0.1": 0.1, "0.5": 0.5, "1.0": 1.0}
    >>> _spans(["0.0", "0.01", "0.1", "0.5"], levels)
    {'0.1 to 0.5': ['0.1', '0.5'], 'everything up to 0.01': ['0.0', '0.01']}
    """
    order = sorted(levels, key=levels.__getitem__)
    places = sorted(order.index(name) for name in names)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    named = [[order[place] for place in run] for run in runs]
    said = {_span(run, order): run for run in named}
    return dict(sorted(said.items(), key=lambda each: each[0].startswith("everything")))


def _span(run: Sequence[str], order: Sequence[str]) -> str:
    if len(run) == 1:
        return run[0]
    if run[0] == order[0]:
        return f"everything up to {run[-1]}"
    return f"everything from {run[0]}" if run[-1] == order[-1] else f"{run[0]} to {run[-1]}"
