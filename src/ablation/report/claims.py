"""The claims of several studies together: which survive Holm's correction over all families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ablation import stats
from ablation.records.metric import percent

CLAIMS = ("folder", "arm", "verdict", "survives")
"""One row per arm that is BETTER, WORSE or EQUIVALENT by its means."""

FAMILIES = {"spent_difference": ("ABOVE", "BELOW"), "spent_equivalence": ("WITHIN_MARGIN",)}
"""Column of p values over all looks, to the grounds of the claims that rest on it."""


def claims_of(studies: Sequence[Mapping[str, Any]]) -> tuple[pd.DataFrame, int]:
    """Returns the columns :data:`CLAIMS`, and the number of families that the studies hold.

    Each study has a family of differences and, where it declares a margin, one of equivalence;
    identical arms are in neither. A claim from a look enters with its p value times the whole
    alpha over the look's.

    Args:
        studies: ``folder``, ``declaration`` and ``effects`` of each.
    """
    families = [
        (study["folder"], column, arms)
        for study in studies
        for arms in (_compared(study["effects"]),)
        for column in FAMILIES
        if len(arms) and (column == "spent_difference" or study["declaration"].margin is not None)
    ]
    survive = stats.surviving([arms[column] for _, column, arms in families])
    rows = [
        (folder, row["arm"], row["verdict"], bool(kept))
        for (folder, column, arms), all_kept in zip(families, survive, strict=True)
        for row, kept in zip(arms.to_dict("records"), all_kept, strict=True)
        if row["ground"] in FAMILIES[column]
    ]
    return pd.DataFrame(rows, columns=list(CLAIMS)), len(families)


def _compared(effects: pd.DataFrame) -> pd.DataFrame:
    """Returns the arms of both families, none where no look was reached."""
    arms = effects.iloc[1:]
    return arms[(arms["ground"] != "IDENTICAL") & (arms["stage"] != "exploratory")]


def said_of(claims: pd.DataFrame, families: int) -> str:
    """Returns how many families there are, and what error they allow together."""
    free, most = stats.any_false(families)
    bound = f", and in {percent(most)} at most" if most < 1 else ""
    kept = int(claims["survives"].sum())
    return (
        f"{_surviving(kept, len(claims))}Each of the {families} families of comparisons may hold "
        "a false claim in 5 % of cases: were no claim true, at least one would in "
        f"{percent(free)} of cases if the families were independent{bound}."
    )


def _surviving(kept: int, claims: int) -> str:
    """Returns how many claims survive, and where the others hold."""
    over, rest = "Holm's correction over all studies together", claims - kept
    if not kept:
        return f"None of {claims} claims survives {over}; each holds within its own study only. "
    said = (
        f"{kept} of {claims} claims survive {over}: with 95 % confidence none of these is false. "
    )
    if rest == 1:
        return f"{said}The other one holds within its own study only. "
    return f"{said}The other {rest} hold within their own study only. " if rest else said
