"""One study on several data sets: what holds over them, and all English about that.

The seeds of all sets are never pooled: an arm that is better on one set and worse on another would
come out as noise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ablation import stats
from ablation.analysis.naming import quoted
from ablation.analysis.words import exactly
from ablation.records.declaration import Declaration
from ablation.records.prose import joined

ENDS = ("verdict_low", "verdict_high")

CELLS = (
    "set", "arm", "verdict", "effect", *ENDS, "estimate_low", "estimate_high", "standard_error",
    "n", "failed", "p_difference", "p_equivalence", "p_better", "p_worse", "p_equivalent",
)  # fmt: skip
"""One row per data set and arm besides the baseline.

The columns of an effects frame, of one data set each; and ``p_better``, ``p_worse`` and
``p_equivalent``, one-sided p values over the looks so far, not adjusted for the other arms, that
data sets are combined by.
"""

OVER = (
    "arm", "better", "worse", "equivalent", "identical", "sets", "mean", "low", "high", "new_low",
    "new_high", "deviation",
)  # fmt: skip
"""One row per arm besides the baseline, over all data sets.

- ``better``, ``worse``, ``equivalent``: on how many data sets the arm is so, at least.
- ``identical``: on how many it was seen to be so; no claim.
- ``sets``: data sets with an effect. From five of them on, ``mean`` is the mean effect over all
  such sets, ``low`` and ``high`` its 95 % interval, ``new_low`` and ``new_high`` the 95 %
  prediction interval of a new set, ``deviation`` the standard deviation between sets.
"""

CLAIMS = (
    ("worse", "Worse than"),
    ("better", "Better than"),
    ("equivalent", "Equivalent to"),
    ("identical", "Identical, bit for bit, to"),
)
"""Column of :data:`OVER` and the beginning of its sentence, in the order of the answer."""

MOST_TAKEN = 3
"""Most arms to take that are named, those with the largest mean effects."""

MOST_NAMED = 6
"""Most arms that a clause names; for more it gives their number."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Sets:
    """The results of one study on several data sets."""

    names: Sequence[str]
    """Every data set that the study is run on, in its order."""
    declaration: Declaration
    """Of any of the sets: arms, metric and margin are the same for all."""
    cells: pd.DataFrame
    """The columns :data:`CELLS`, of the sets with a report."""
    over: pd.DataFrame
    """The columns :data:`OVER`."""

    @property
    def reported(self) -> Sequence[str]:
        """The data sets with a report."""
        return list(dict.fromkeys(self.cells["set"]))


def cells_of(name: str, effects: pd.DataFrame, spent: stats.Spent) -> pd.DataFrame:
    """Returns one data set's rows: the columns :data:`CELLS`.

    Args:
        name: The data set.
        effects: Its effects frame.
        spent: The p values of the same arms.
    """
    frame = effects.assign(
        set=name, p_better=spent.above, p_worse=spent.below, p_equivalent=spent.within
    )
    return pd.DataFrame(frame.iloc[1:][list(CELLS)])


def combine(names: Sequence[str], cells: pd.DataFrame, declaration: Declaration) -> Sets:
    """Returns each arm's counts and means over several data sets.

    Args:
        names: Every data set that the study is run on. One without rows counts as one that shows
            nothing, so that a count can only grow when it comes in.
        cells: The columns :data:`CELLS`.
        declaration: Of any of the sets.
    """
    arms = list(dict.fromkeys(cells["arm"]))
    claims = [_by_set(cells, column, names, arms).fillna(1.0) for column in
              ("p_better", "p_worse", "p_equivalent")]  # fmt: skip
    holding = stats.holding_sets(
        *claims, comparisons=len(arms), alpha=sum(look.alpha for look in declaration.looks)
    )
    mean = stats.mean_over_sets(
        _by_set(cells, "effect", names, arms).T, _by_set(cells, "standard_error", names, arms).T
    )
    seen = cells.assign(identical=cells["verdict"] == "IDENTICAL").groupby("arm")["identical"]
    columns: dict[str, Any] = {
        "better": holding.above,
        "worse": holding.below,
        "equivalent": holding.within,
        "identical": seen.sum()[arms].to_numpy(),
    }
    columns |= {name: getattr(mean, name) for name in OVER[OVER.index("sets") :]}
    over = pd.DataFrame({"arm": arms, **columns}, columns=list(OVER))
    return Sets(names=tuple(names), declaration=declaration, cells=cells, over=over)


def _by_set(
    cells: pd.DataFrame, column: str, names: Sequence[str], arms: Sequence[str]
) -> pd.DataFrame:
    """Returns a column as a table, a row per data set and a column per arm."""
    table = cells.pivot(index="set", columns="arm", values=column)
    return table.reindex(index=list(names), columns=list(arms)).astype("float64")


def answer_over(sets: Sets) -> tuple[str, ...]:
    """Returns the answer over the data sets in a few short sentences."""
    sets = _quoted(sets)
    k, over = len(sets.names), sets.over
    missing = [name for name in sets.names if name not in sets.reported]
    take = _to_take(sets)
    said = [f"{_matters(sets)} ({joined(sets.names)})", *_advice(sets, take)]
    for column, _ in CLAIMS:
        is_better = column == "better"
        clauses = [
            f"{_named(rows)} on {_count(count, k, is_seen=column == 'identical')}"
            f"{_by_itself(sets, column, rows, count)}"
            for count, rows in _by_count(over.drop(take.index) if is_better else over, column)
        ]
        if clauses:
            also = "Also better" if is_better and len(take) else ""
            said.append(f"{_opening(column, sets.declaration, also)}: {'; '.join(clauses)}")
    rest = over[(over[[column for column, _ in CLAIMS]] == 0).all(axis=1)]
    if len(rest):
        said.append(f"No claim about {_named(rest)} survives the correction for {k} data sets")
    if missing:
        said.append(f"Without a report yet: {joined(missing)}")
    return tuple(f"{each}." for each in said)


def _quoted(sets: Sets) -> Sets:
    """Returns the same with the names of the arms as a sentence has them."""
    over, cells = (
        frame.assign(arm=quoted(list(frame["arm"]), sets.declaration))
        for frame in (sets.over, sets.cells)
    )
    return dataclasses.replace(sets, over=over, cells=cells)


def _matters(sets: Sets) -> str:
    """Returns on how many data sets the factor matters, at least."""
    over, k = sets.over, len(sets.names)
    most = int(over[["better", "worse"]].to_numpy().max())
    if most:
        return f"It makes a difference on {_of(most, k)} data sets"
    if (over["equivalent"] + over["identical"] >= k).all():
        return f"It does not matter on any of {k} data sets"
    return f"Not known yet whether it matters on any of {k} data sets"


def _to_take(sets: Sets) -> pd.DataFrame:
    """Returns the rows of the arms that are better on the most data sets and worse on none."""
    over, cells = sets.over, sets.cells
    worse = set(cells.loc[cells["verdict"] == "WORSE", "arm"])
    safe = over[(over["better"] > 0) & (over["worse"] == 0) & ~over["arm"].isin(worse)]
    return pd.DataFrame(safe[safe["better"] == safe["better"].max()])


def _advice(sets: Sets, take: pd.DataFrame) -> Iterator[str]:
    """Yields which arm to take on all data sets, where that can be said."""
    over, k = sets.over, len(sets.names)
    if len(take):
        count = int(take["better"].iloc[0])
        none = "" if count == k else ", and found worse on none"
        which = _by_itself(sets, "better", take, count)
        where = f"{_of(count, k)}{which}{none}"
        yield f"Take {_largest(sets, take)}: better than the baseline on {where}"
    elif (over["better"] > 0).any():
        mixed = _named(over[over["better"] > 0])
        yield f"No arm is one to take on all: what gains on one loses on another ({mixed})"
    elif (over["worse"] > 0).any():
        yield "Keep the baseline: no arm is shown to be better on any data set"


def _largest(sets: Sets, rows: pd.DataFrame) -> str:
    """Returns the arms by their mean effect over the data sets, the largest first."""
    means = sets.cells.groupby("arm")["effect"].mean() * sets.declaration.measure.direction
    names = sorted(rows["arm"], key=means.__getitem__, reverse=True)
    rest = len(names) - MOST_TAKEN
    few = names if rest <= 1 else [*names[:MOST_TAKEN], f"one of {rest} more"]
    return joined(few, "or")


def _of(count: int, k: int) -> str:
    return f"all {k}" if count == k else f"at least {count} of {k}"


def _opening(column: str, declaration: Declaration, also: str = "") -> str:
    """Returns how the sentence about a claim begins."""
    if also:
        return f"{also} than {declaration.baseline}"
    if column == "equivalent" and declaration.margin is not None:
        return (
            f"Within {exactly(declaration.margin, declaration.measure)} of {declaration.baseline}"
        )
    return f"{dict(CLAIMS)[column]} {declaration.baseline}"


def _count(count: int, k: int, *, is_seen: bool = False) -> str:
    if count == k:
        return f"all {k}"
    return str(count) if is_seen else f"at least {count}"


def _by_itself(sets: Sets, column: str, rows: pd.DataFrame, count: int) -> str:
    """Returns the data sets whose own report has the claim, where a count leaves that open."""
    if count == len(sets.names) or len(rows) > MOST_NAMED:
        return ""
    cells = sets.cells[sets.cells["verdict"] == column.upper()]
    found = [(arm, list(cells.loc[cells["arm"] == arm, "set"])) for arm in rows["arm"]]
    if any(not names or len(names) > MOST_NAMED for _, names in found):
        return ""
    if len({tuple(names) for _, names in found}) == 1:
        each = "each " if len(found) > 1 else ""
        return f" ({each}by itself on {joined(found[0][1])})"
    return f" (by itself {'; '.join(f'{arm} on {joined(names)}' for arm, names in found)})"


def _by_count(over: pd.DataFrame, column: str) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yields each count above 0 with its arms, the largest first."""
    for least in sorted({int(each) for each in over[column]} - {0}, reverse=True):
        yield least, over[over[column] == least]


def _named(rows: pd.DataFrame) -> str:
    return joined(list(rows["arm"])) if len(rows) <= MOST_NAMED else f"{len(rows)} arms"
