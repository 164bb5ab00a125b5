"""What each fill does in each dtype: the computed table against what is known on paper."""

from __future__ import annotations

import json
import math

import pytest

from ablation.task.text.model import fill_table

FILLS = (-1e32, -math.inf, "min", -1e9, -1e4, -100.0, -10.0, 0.0)
ROWS = {(row["fill"], row["dtype"]): row for row in fill_table(FILLS)}


def of(fill: float | str, dtype: str = "float32") -> dict[str, object]:
    return ROWS[str(fill), dtype]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("fill", FILLS)
def test_every_cell_is_there(fill: float | str, dtype: str) -> None:
    row = of(fill, dtype)
    refused = dtype == "float16" and fill in {-1e32, -1e9}
    assert row["overflow"] == refused
    assert (row["weight_half"] is None) == refused


@pytest.mark.parametrize("fill", FILLS[:5])
def test_tight_fills_leak_nothing(fill: float | str) -> None:
    for dtype in ("float32", "bfloat16"):
        assert of(fill, dtype)["weight_half"] == of(fill, dtype)["weight_most"] == 0


def test_the_others_leak_as_the_softmax_says() -> None:
    assert 1e-44 < of(-100.0)["weight_half"] < 4e-44
    assert of(-10.0)["weight_half"] == pytest.approx(1 / (1 + math.exp(10)), rel=1e-5)
    assert of(0.0)["weight_half"] == 0.5
    assert of(0.0)["weight_most"] == pytest.approx(0.95)
    # The smallest positive number of half precision is 6e-8: -10 leaks there, -100 does not.
    assert of(-10.0, "float16")["weight_half"] == pytest.approx(4.5e-5, rel=0.02)
    assert of(-100.0, "float16")["weight_half"] == 0


def test_only_an_infinite_fill_masked_once_gives_nan_and_no_gradient_is_lost() -> None:
    for (fill, _), row in ROWS.items():
        if not row["overflow"]:
            assert row["nan_once"] == (fill == "-inf")
            assert not row["nan_twice"]
            assert row["finite_gradient"]


def test_it_fits_into_a_tag() -> None:
    columns = {name: [row[name] for row in ROWS.values()] for name in of(0.0)}
    assert len(json.dumps(columns)) < 5000
