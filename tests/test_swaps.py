"""Examples gained and lost, what swapping gives of them, and what changes by class."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import arms_named, content, declaration, hashes, runs

from ablation.analysis.effects import judge
from ablation.analysis.swaps import by_class, moves, swapped
from ablation.errors import Refused
from ablation.report import Basis, Content, build, read
from ablation.report.blocks import Table
from ablation.report.files import TESTS
from ablation.report.parts import classes, swaps

SIZE = 40
SECRET = "a text that nobody may quote"


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), st.integers(1, 11), st.integers(0, 2**32 - 1))
def test_what_swapping_gives_is_the_mean_over_every_swap(n: int, size: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    share = draw.random(size)
    arm, base = (draw.random((2, n, size)) < share) ^ (draw.random((2, 1, size)) < 0.2)
    counts = []
    for pattern in itertools.product([False, True], repeat=n):
        swap = np.array(pattern)[:, None]
        moved = moves(np.where(swap, base, arm), np.where(swap, arm, base))
        counts.append(((moved > 0).sum(), (moved < 0).sum()))
    gained, lost = np.mean(counts, axis=0)
    np.testing.assert_allclose([gained, lost], swapped(arm, base), atol=1e-12)


def test_gained_and_lost_are_majorities_and_a_tie_is_neither() -> None:
    arm = np.array([[1, 0, 1, 1], [1, 0, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]], bool)
    base = np.array([[0, 1, 0, 1], [0, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 1]], bool)
    assert moves(arm, base).tolist() == [1, -1, 0, 0]


def test_the_change_of_a_class_is_that_of_its_examples_alone() -> None:
    arm = np.array([[1, 1, 0], [1, 0, 0]], bool)
    base = np.array([[0, 0, 1], [0, 0, 0]], bool)
    mean, spread = by_class(arm, base, np.array([0, 0, 1]))
    np.testing.assert_allclose(mean, [0.75, -0.5])
    np.testing.assert_allclose(spread, [np.sqrt(0.125), np.sqrt(0.5)])


def planted(tests: pd.DataFrame | None) -> Content:
    """Two arms on 40 examples, of which the other arm gains 0 and 1 and loses 39 on every seed."""
    right = np.random.default_rng(1).random((2, 8, SIZE)) < 0.97
    right[:, :, [0, 1, SIZE - 1]] = np.array([[0, 0, 1], [1, 1, 0]])[:, None]
    frame = runs()
    frame = frame[frame["arm"].isin(["base", "a|b"])].replace({"arm": {"a|b": "other"}})
    values = right.mean(axis=-1).ravel()
    frame = frame.assign(value=values, config=np.repeat(["c0", "c1"], 8)).reset_index(drop=True)
    bits = [np.packbits(row).tobytes() for row in right.reshape(-1, SIZE)]
    declared = declaration(
        arms=arms_named(["base", "other"]), quantum=1 / SIZE, collapse=None, floor=None
    )
    examples = frame[["arm", "seed"]].assign(correct=bits)
    judged = judge(frame, hashes(frame), declared, examples)
    return content(frame, declaration=declared, examples=examples, judged=judged, tests=tests)


def undrawn(draw: object, names: Collection[str], drawings: object) -> list[tuple[str, object]]:
    """Draws nothing, which is most of a report's time."""
    return [('<svg viewBox="0 0 1 1"></svg>', {}) for _ in names]


def tables_of(given: Content, part: Any) -> list[Table]:
    return [block for block in part.section(Basis(given)) if isinstance(block, Table)]


TOLD = pd.DataFrame({
    "class": ["<b>"] * 2 + ["sport"] * (SIZE - 2),
    "text": ["one & only", "two"] + [SECRET] * (SIZE - 3) + ["three"],
})  # fmt: skip


def test_a_report_quotes_what_moved_and_keeps_no_other_text(tmp_path: Path) -> None:
    folder = build(planted(TOLD), tmp_path, undrawn)
    kept = read(folder)
    assert kept.tests is not None
    assert set(kept.tests["text"]) == {"one & only", "two", "three", ""}
    counts, quotes = tables_of(kept, swaps)
    assert [[cell.text for cell in row[:3]] for row in counts.rows] == [["other", "2", "1"]]
    assert [[cell.text for cell in row] for row in quotes.rows] == [
        ["other", "gained", "one & only", "<b>", "8 of 8", "0 of 8"],
        ["other", "gained", "two", "<b>", "8 of 8", "0 of 8"],
        ["other", "lost", "three", "sport", "0 of 8", "8 of 8"],
    ]
    (by,) = tables_of(kept, classes)
    assert list(by.columns) == ["arm", "<b> (2)", "sport (38)"]
    assert by.rows[1][1].text == "+100.0 ± 0.0"
    assert by.rows[1][2].shade < 0 < by.rows[1][1].shade
    page = (folder / "index.html").read_text()
    again = build(kept, tmp_path / "again", undrawn)
    assert (again / "index.html").read_text() == page
    assert (again / TESTS).read_bytes() == (folder / TESTS).read_bytes()
    assert "one &amp; only" in page
    assert SECRET not in page


def test_of_many_classes_those_in_which_arms_change_most_have_a_column() -> None:
    each = [f"class {min(place, 24):02}" for place in range(SIZE)]
    (by,) = tables_of(planted(TOLD.assign(**{"class": each})), classes)
    assert len(by.columns) == 1 + classes.MOST_CLASSES
    assert {len(row) for row in by.rows} == {len(by.columns)}
    assert "class 00 (1)" in by.columns  # the gained example
    assert "5 more classes" in by.caption


def test_without_texts_or_classes_what_needs_them_is_left_out() -> None:
    assert len(tables_of(planted(TOLD[["class"]]), swaps)) == 1
    assert len(tables_of(planted(TOLD[["class"]]), classes)) == 1
    assert len(tables_of(planted(None), swaps)) == 1
    assert not tables_of(planted(None), classes)
    assert not tables_of(content(tests=TOLD), swaps)  # no scores by example


def test_a_table_of_other_examples_is_refused(tmp_path: Path) -> None:
    folder = build(planted(TOLD), tmp_path, undrawn)
    TOLD.iloc[1:].to_parquet(folder / TESTS)
    with pytest.raises(Refused, match="other rows than the test split"):
        read(folder)
