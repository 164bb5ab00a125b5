"""Classes: in which of them an arm is more or less accurate than the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.swaps import by_class, pair_of
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Table, Text, table
from ablation.report.numbers import minus

MOST_CLASSES = 20
"""Classes that have a column: those in which arms change most."""

CLASSES = ("arm", "class", "examples", "mean", "spread")
"""A row per arm and class: examples of test, and the accuracy on them, an arm's less the
baseline's, the baseline's as it is: mean and standard deviation over seeds, as shares."""


def find(basis: Basis) -> pd.DataFrame:
    """Returns the columns :data:`CLASSES`, the baseline first; empty without classes or scores."""
    tests, examples = basis.content.tests, basis.outcomes.examples
    seeds = basis.content.judged.seeds
    nothing = pd.DataFrame(columns=list(CLASSES))
    if tests is None or examples is None or not basis.declaration.paired:
        return nothing
    names, classes = np.unique(tests["class"].to_numpy(str), return_inverse=True)
    if len(tests) != examples.scores.shape[-1] or len(names) < 2:  # noqa: PLR2004 - one is all
        return nothing
    frames: list[pd.DataFrame] = []
    for arm in basis.drawn["arm"]:
        pair = pair_of(basis.outcomes, basis.outcomes.arms.index(arm), seeds[arm])
        if pair is not None:
            first = not frames
            mean, spread = by_class(pair[0], pair[1] & (not first), classes)
            counts = np.bincount(classes)
            columns = {"examples": counts, "mean": mean, "spread": spread}
            frames.append(pd.DataFrame({"arm": arm, "class": names, **columns}))
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else nothing


def section(basis: Basis) -> Iterator[Block]:
    """Yields what changes in each class, a row per arm."""
    found = find(basis)
    if found.empty:
        return
    yield Text(
        "The accuracy on the test examples of each class, less the baseline's on the same seeds, "
        "in points: mean ± standard deviation over seeds. Blue is more accurate, orange less. "
        "Descriptive, without verdicts."
    )
    yield classes_table(found)


def classes_table(found: pd.DataFrame) -> Table:
    """Returns a row per arm and a column per class, shaded by how much it changes."""
    first = found["arm"] == found["arm"].iloc[0]
    change = found["mean"].where(~first).abs()
    sizes = change.groupby(found["class"]).mean()
    kept = found[found["class"].isin(sizes.nlargest(MOST_CLASSES).index)]
    most = max(change.max(), 1e-12)
    rows = [
        [
            Cell(str(arm) + " (baseline)" * (not place)),
            *(_cell(row, most if place else 0.0) for row in of),
        ]
        for place, (arm, of) in enumerate(
            (arm, rows.to_dict("records")) for arm, rows in kept.groupby("arm", sort=False)
        )
    ]
    heads = [
        f"{row['class']} ({row['examples']:,})"
        for row in kept[first[kept.index]].to_dict("records")
    ]
    rest = len(sizes) - len(heads)
    caption = "Beside each class is its number of test examples."
    caption += f" {rest} more classes, in which arms change less, are left out." if rest else ""
    return table(["arm", *heads], rows, numeric="lr*", caption=caption)


def _cell(row: Mapping[Any, Any], most: float) -> Cell:
    """Returns a change, shaded by its root, so that one large one does not pale the others."""
    if not most:
        return Cell(f"{100 * row['mean']:.1f} ± {100 * row['spread']:.1f}", row["mean"])
    text = minus(f"{100 * row['mean']:+z.1f} ± {100 * row['spread']:.1f}")
    shade = np.sign(row["mean"]) * min(abs(row["mean"]) / most, 1) ** 0.5
    return Cell(text, row["mean"], shade=float(shade))
