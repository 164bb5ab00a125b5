"""The forest on a page: its rows find their declared places, and dots tell seed and value."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from synthetic import ARMS, NASTY, arms_named, content, declaration, runs

from ablation.figures import svg
from ablation.report import Basis
from ablation.report.blocks import Figure
from ablation.report.parts import verdicts
from ablation.report.render.svg import inline, standalone

SVG = "{http://www.w3.org/2000/svg}"


def forest_of(basis: Basis) -> Figure:
    figure = next(iter(verdicts.section(basis)))
    assert isinstance(figure, Figure)
    return figure


@pytest.mark.parametrize("is_narrow", [False, True])
@pytest.mark.parametrize("is_far", [False, True])
def test_rows_move_to_their_declared_places(*, is_far: bool, is_narrow: bool) -> None:
    frame = runs()
    frame.loc[frame["arm"] == NASTY[1], "value"] -= 0.3 * is_far  # a panel of its own
    figure = forest_of(Basis(content(frame)))
    draw = figure.narrow if is_narrow else figure.draw
    assert draw is not None
    text = inline(svg(draw(), "x"), "x").replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ')
    page = ET.fromstring(text)
    before, after = {}, {}
    for row in page.iterfind(".//*[@class='row']"):
        way = re.fullmatch(r"--dy:(-?[\d.]+)px", row.attrib["style"])
        assert way is not None
        for text in row.iter(SVG + "text"):
            said = "".join(text.itertext()).strip()
            if said in ARMS:
                numbers = re.findall(r"-?[\d.]+", text.get("transform") or text.get("style", ""))
                at = float(text.get("y") or numbers[1])
                before[said], after[said] = at, at + float(way[1])
    assert sorted(after, key=lambda arm: after[arm]) == NASTY
    assert sorted(before, key=lambda arm: before[arm]) != NASTY
    np.testing.assert_allclose(sorted(before.values()), sorted(after.values()), atol=0.3)
    steps = [low - high for high, low in pairwise(sorted(after.values()))]
    np.testing.assert_allclose(steps, steps[0], atol=0.3)


def test_dots_tell_seed_and_value_and_no_link_is_left() -> None:
    basis = Basis(content())
    text = standalone(svg(forest_of(basis).draw(), "x"))
    assert "<a " not in text
    assert 'id="row' not in text
    titles = sorted(each.text or "" for each in ET.fromstring(text).iter(SVG + "title"))
    found = verdicts.find(basis)
    expected = [
        f"seed {seed}: {100 * value:+.2f}".replace("-", "−")
        for seed, value in zip(found["seed"], found["difference"], strict=True)
    ]
    assert titles == sorted(expected)


def test_levels_of_a_numeric_factor_have_one_order() -> None:
    names = ["0.05", "0.5", "0.01", "1.0", "0.1"]
    frame = runs()
    frame["arm"] = frame["arm"].map(dict(zip(ARMS, names, strict=True)))
    arms = arms_named(names, [{"model.dropout": name} for name in names])
    declared = declaration(factor="model.dropout", baseline="0.05", arms=arms)
    assert not forest_of(Basis(content(frame, declaration=declared))).has_two_orders
    assert forest_of(Basis(content())).has_two_orders
