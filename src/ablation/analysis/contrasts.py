"""The effects of several factors: main effects, interactions, components left out and added in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablation import stats
from ablation.analysis.evidence import Evidence
from ablation.records.declaration import Declaration

CONTRASTS = (
    "family", "name", "first_factor", "first", "second_factor", "second", "also", "effect", "low",
    "high", "adjusted_low", "adjusted_high", "p", "n", "alpha",
)  # fmt: skip
"""One row per contrast.

- ``family``: ``main``, a factor's level less the baseline's, over the levels of the others;
  ``interaction``, what two levels do together beyond the sum of what each does alone;
  ``left_out`` and ``added_in``, what a component is worth beside all others and alone; and
  ``in_or_out``, the former less the latter. Each is adjusted by Holm as a family of its own.
- ``first_factor``, ``second_factor``: paths, the second empty but for an interaction; ``first``,
  ``second``: reprs of the levels.
- ``also``: the interactions that a fraction cannot tell from this one.
- ``effect`` to ``adjusted_high``: in units of the metric; ``alpha``: of the family.
"""

TEXTS = CONTRASTS[:7]
"""The columns that are texts."""

FAMILIES = {
    "main": "main effect",
    "interaction": "interaction",
    "left_out": "beside all others",
    "added_in": "alone",
    "in_or_out": "beside all others less alone",
}
"""Family to its name in tables."""

Cells = NDArray[np.int64]
"""The place of each factor's level in each arm, ``[arm, factor]``; 0 is the baseline's."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """The arms of a study as combinations of the levels of several factors."""

    levels: Mapping[str, Sequence[str]]
    """Path to reprs of its levels, the baseline's first."""
    cells: Cells
    """Arms in the evidence's order: the baseline first."""

    @property
    def paths(self) -> list[str]:
        """The paths of the factors."""
        return list(self.levels)


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """Contrasts that are adjusted together."""

    name: str
    rows: Sequence[Mapping[str, str]]
    """The columns ``name`` to ``also`` of each."""
    weights: NDArray[np.float64]
    """``[contrast, arm]``."""


def crossing_of(declaration: Declaration) -> Crossing | None:
    """Returns how the arms combine the levels of two factors or more; None if they vary in one."""
    base, *others = sorted(declaration.arms, key=lambda arm: arm.name != declaration.baseline)
    arms = [base.values, *(arm.values for arm in others)]
    tuned = () if declaration.searched is None else declaration.searched.space
    levels = {
        path: list(dict.fromkeys(of.get(path, "") for of in arms))
        for path in base.values
        if path not in tuned and len({of.get(path) for of in arms}) > 1
    }
    cells = [[levels[path].index(of.get(path, "")) for path in levels] for of in arms]
    if len(levels) < 2 or len({*map(tuple, cells)}) < len(arms):  # noqa: PLR2004 - a crossing of two
        return None
    return Crossing(levels=levels, cells=np.array(cells))


def families_of(declaration: Declaration) -> list[Family]:
    """Returns the families of contrasts that the arms of a study allow; none for most studies."""
    crossing = crossing_of(declaration)
    if crossing is None:
        return []
    if _is_balanced(crossing.cells):
        return [_mains(crossing), _interactions(crossing)]
    return _components(crossing)


def contrasts(evidence: Evidence, seeds: int, alpha: float) -> pd.DataFrame:
    """Returns the columns :data:`CONTRASTS`; no row where the arms allow none.

    Args:
        evidence: The runs.
        seeds: Blocks that every arm was planned with; 0 where no look was reached.
        alpha: Error rate of each family.
    """
    frames: list[pd.DataFrame] = []
    for family in families_of(evidence.declaration) if seeds else ():
        found = estimate(evidence, seeds, family.weights, alpha)
        told = pd.DataFrame(family.rows).assign(family=family.name, alpha=alpha)
        frames.append(told.join(found)[list(CONTRASTS)])
    return (
        pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(CONTRASTS))
    )


def estimate(
    evidence: Evidence, seeds: int, weights: NDArray[np.float64], alpha: float
) -> pd.DataFrame:
    """Returns weighted sums of arms in units of the metric: effect, intervals, p and n.

    Args:
        evidence: The runs.
        seeds: Number of blocks.
        weights: ``[contrast, arm]``, arms in the evidence's order.
        alpha: Error rate of the family.
    """
    given = evidence.cut(range(len(evidence.arms)), seeds)
    cells = stats.contrasts(**given, weights=weights, alpha=alpha)
    direction = evidence.declaration.measure.direction
    ends = [
        np.sort(direction * np.stack(pair), axis=0)
        for pair in ((cells.low, cells.high), (cells.adjusted_low, cells.adjusted_high))
    ]
    table = np.column_stack([direction * cells.effect, *ends[0], *ends[1], cells.p])
    names = ["effect", "low", "high", "adjusted_low", "adjusted_high", "p"]
    return pd.DataFrame(table, columns=names).assign(n=int(cells.n))


def cell_weights(
    crossing: Crossing, first: str, second: str
) -> tuple[list[tuple[str, str]], NDArray[np.float64]]:
    """Returns the pairs of levels of two factors, and the weights of the mean of each."""
    one, two = crossing.paths.index(first), crossing.paths.index(second)
    pairs = [(i, j) for i in range(len(crossing.levels[first]))
             for j in range(len(crossing.levels[second]))]  # fmt: skip
    chosen = [(crossing.cells[:, one] == i) & (crossing.cells[:, two] == j) for i, j in pairs]
    named = [(crossing.levels[first][i], crossing.levels[second][j]) for i, j in pairs]
    return named, np.array([each / each.sum() for each in chosen])


def _is_balanced(cells: Cells) -> bool:
    """Returns whether main effects and interactions can be told apart.

    That is: every factor has each pair of levels of every two others equally often at each of
    its levels. A full crossing does, and so does a fraction of resolution IV.
    """
    sizes = cells.max(axis=0) + 1
    if len(cells) == np.prod(sizes):
        return True
    triples = np.array(list(np.ndindex(*[len(sizes)] * 3)))
    for triple in triples[(np.diff(triples, axis=1) > 0).all(axis=1)]:
        _, counts = np.unique(cells[:, triple], axis=0, return_counts=True)
        if len(counts) < np.prod(sizes[triple]) or len(set(counts)) > 1:
            return False
    return len(sizes) > 2  # noqa: PLR2004 - two factors that leave out a pair


def _mains(crossing: Crossing) -> Family:
    at, weights = stats.factorial_weights(crossing.cells)
    rows = [_row(_level(crossing, *cell), _repr(crossing, *cell)) for cell in at]
    return Family("main", rows, weights)


def _interactions(crossing: Crossing) -> Family:
    """Returns the interactions, those that a fraction cannot tell apart once."""
    at, weights = stats.factorial_weights(crossing.cells, pairs=True)
    alike: dict[tuple[float, ...], list[int]] = {}
    for place, row in enumerate(weights.tolist()):
        alike.setdefault(tuple(row), []).append(place)
    names = [f"{_level(crossing, *cell[:2])} with {_level(crossing, *cell[2:])}" for cell in at]
    rows = [
        _row(
            names[first], _repr(crossing, *at[first][:2]), _repr(crossing, *at[first][2:]),
            also="; ".join(names[other] for other in others),
        )
        for first, *others in alike.values()
    ]  # fmt: skip
    return Family("interaction", rows, weights[[first for first, *_ in alike.values()]])


def _components(crossing: Crossing) -> list[Family]:
    """Returns what each component is worth beside all others, alone, and the difference.

    Nothing unless all components, none of them, and each left out and each alone are arms.
    """
    place = {tuple(cell): arm for arm, cell in enumerate(crossing.cells.tolist())}
    size = crossing.cells.shape[1]
    inside, outside = (0,) * size, (1,) * size
    left, added = [], []
    for factor, path in enumerate(crossing.paths):
        without = (*inside[:factor], 1, *inside[factor + 1 :])
        only = (*outside[:factor], 0, *outside[factor + 1 :])
        if not {inside, outside, without, only} <= place.keys() or len(crossing.levels[path]) > 2:  # noqa: PLR2004 - in or out
            return []
        left.append((place[inside], place[without]))
        added.append((place[only], place[outside]))
    rows = [_row(_short(path), (path, crossing.levels[path][0])) for path in crossing.paths]
    one, two = (_differences(pairs, len(crossing.cells)) for pairs in (left, added))
    named = {"left_out": one, "added_in": two, "in_or_out": one - two}
    return [Family(name, rows, weights) for name, weights in named.items()]


def _differences(pairs: Sequence[tuple[int, int]], arms: int) -> NDArray[np.float64]:
    unit = np.eye(arms)
    return np.array([unit[one] - unit[other] for one, other in pairs])


def _row(
    name: str, first: tuple[str, str], second: tuple[str, str] = ("", ""), also: str = ""
) -> dict[str, str]:
    """Returns the texts of a contrast; a factor is its path and the repr of its level."""
    return {
        "name": name, "first_factor": first[0], "first": first[1],
        "second_factor": second[0], "second": second[1], "also": also,
    }  # fmt: skip


def _short(path: str) -> str:
    return path.rpartition(".")[2]


def _repr(crossing: Crossing, factor: int, level: int) -> tuple[str, str]:
    """Returns a factor's path and the repr of one of its levels."""
    path = crossing.paths[factor]
    return path, crossing.levels[path][level]


def _level(crossing: Crossing, factor: int, level: int) -> str:
    """Returns ``init_std 0.5``; of a string the quotes are left out."""
    path, level_repr = _repr(crossing, factor, level)
    return f"{_short(path)} {level_repr.strip(chr(39))}"


def decided(contrasts: pd.DataFrame, family: str) -> Iterator[Mapping[Any, Any]]:
    """Yields the rows of a family whose p value is within its error rate, the largest first."""
    rows = contrasts[(contrasts["family"] == family) & (contrasts["p"] <= contrasts["alpha"])]
    order = rows["effect"].abs().sort_values(ascending=False, kind="stable").index
    yield from rows.loc[order].to_dict("records")
