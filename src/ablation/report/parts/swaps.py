"""Examples gained and lost: which ones most seeds of an arm get right and the baseline wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ablation.analysis.swaps import changes, moves, pair_of
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Cell, Table, Text, table
from ablation.report.numbers import count

QUOTED_ARMS = 3
"""Arms of which texts are quoted: those that moved most beyond what swapping gives."""
QUOTED = 2
"""Texts gained, and texts lost, that are quoted of an arm."""

QUOTES = ("arm", "move", "place", "arm_right", "baseline_right", "n")
"""One row per quoted text: its arm, whether gained (1) or lost (-1), its place in test, and on how
many of ``n`` seeds arm and baseline are right."""


def find(basis: Basis) -> pd.DataFrame:
    """Returns examples gained and lost, a row per drawn arm: see ``analysis.swaps.CHANGES``."""
    if not basis.declaration.paired:
        return changes(basis.outcomes, {})
    arms, seeds = list(basis.drawn["arm"]), basis.content.judged.seeds
    found = changes(basis.outcomes, {arm: seeds[arm] for arm in arms})
    return found.sort_values("arm", key=lambda names: names.map(arms.index), kind="stable")


def find_quotes(basis: Basis, found: pd.DataFrame) -> pd.DataFrame:
    """Returns the columns :data:`QUOTES`, the clearest first; no row without a text to quote."""
    texts = texts_of(basis)
    if texts is None or found.empty:
        return pd.DataFrame(columns=list(QUOTES))
    beyond = found["gained"] + found["lost"] - 2 * found["swapped"]
    most = set(beyond[beyond > 0].nlargest(QUOTED_ARMS).index)
    rows = []
    for arm in found.loc[found.index.isin(most), "arm"]:
        place, seeds = basis.outcomes.arms.index(arm), basis.content.judged.seeds[arm]
        pair = pair_of(basis.outcomes, place, seeds)
        assert pair is not None  # else the arm has no row
        moved, (ours, theirs) = moves(*pair), (each.sum(axis=0) for each in pair)
        for move in (1, -1):
            places = np.flatnonzero(moved == move)
            clearest = places[np.argsort(-np.abs(ours - theirs)[places], kind="stable")]
            rows += [
                (arm, move, each, ours[each], theirs[each], len(pair[0]))
                for each in clearest[:QUOTED].tolist()
            ]
    return pd.DataFrame(rows, columns=list(QUOTES))


def texts_of(basis: Basis) -> list[str] | None:
    """Returns the text of each test example; None where none may be quoted."""
    tests, examples = basis.content.tests, basis.outcomes.examples
    if tests is None or "text" not in tests or examples is None:
        return None
    return list(tests["text"]) if len(tests) == examples.scores.shape[-1] else None


def only_quoted(basis: Basis) -> pd.DataFrame | None:
    """Returns the table about the test examples with those texts alone that the report quotes."""
    tests = basis.content.tests
    if tests is None or "text" not in tests:
        return tests
    places = set(find_quotes(basis, find(basis))["place"])
    kept = [text if place in places else "" for place, text in enumerate(tests["text"])]
    return tests.assign(text=kept)


def section(basis: Basis) -> Iterator[Block]:
    """Yields the counts, and a few of the texts where they may be shown."""
    found = find(basis)
    if found.empty:
        return
    yield Text(
        "Gained are the test examples that most seeds of an arm get right and most of the "
        "baseline get wrong; lost are the reverse. Some move by luck: were arm and baseline the "
        "same, each of the two counts would be near the one by swapping, the average over all "
        "ways to swap the two within seeds. Descriptive, without verdicts."
    )
    yield changes_table(found, basis)
    quotes = find_quotes(basis, found)
    if len(quotes):
        yield quotes_table(quotes, basis)


def changes_table(found: pd.DataFrame, basis: Basis) -> Table:
    """Returns a row per arm."""
    examples = basis.outcomes.examples
    size = 0 if examples is None else examples.scores.shape[-1]
    rows = [
        [
            Cell(row["arm"]),
            count(row["gained"]),
            count(row["lost"]),
            Cell(f"{row['swapped']:.1f}", row["swapped"]),
            count(row["n"]),
        ]
        for row in found.to_dict("records")
    ]
    caption = f"Of {size:,} test examples, on the seeds that arm and baseline share."
    columns = ["arm", "gained", "lost", "by swapping", "seeds"]
    return table(columns, rows, numeric="lrrrr", caption=caption)


def quotes_table(quotes: pd.DataFrame, basis: Basis) -> Table:
    """Returns a row per quoted text, cut to its first words."""
    tests, texts = basis.content.tests, texts_of(basis)
    assert tests is not None  # else nothing is quoted
    assert texts is not None
    classes = list(tests["class"])
    rows = [
        [
            Cell(row["arm"]),
            Cell("gained" if row["move"] > 0 else "lost"),
            Cell(texts[row["place"]]),
            Cell(classes[row["place"]]),
            Cell(f"{row['arm_right']} of {row['n']}", row["arm_right"]),
            Cell(f"{row['baseline_right']} of {row['n']}", row["baseline_right"]),
        ]
        for row in quotes.to_dict("records")
        if texts[row["place"]]
    ]
    columns = ["arm", "change", "first words", "class", "arm right", "baseline right"]
    caption = (
        "Those on which the seeds differ most, of the arms that moved most beyond swapping; how "
        "many seeds are right beside them."
    )
    return table(columns, rows, numeric="llllrr", caption=caption)
