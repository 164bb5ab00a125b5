"""No picture and no line contradicts its verdict: what is drawn and told is what it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from synthetic import arms_named, content, declaration

from ablation.analysis.words import between, sentences
from ablation.records.declaration import Look
from ablation.records.metric import METRICS
from ablation.report import Basis, brief, compose, note
from ablation.report.numbers import Scale
from ablation.report.parts import verdicts
from ablation.report.render import html, latex, markdown

MARGIN = 2.0
"""Points."""
SHOWN = 1e-5
"""What rounding may move an end by, which is told with more digits near 0 and the margin."""
ROW = re.compile(
    r"(arm\d).*?(BETTER|WORSE|EQUIVALENT|INCONCLUSIVE).*?([+−-][\d.]+) to ([+−-][\d.]+)"
)
SENTENCE = re.compile(r"((?:arm\d(?:, | and )?)+): (\w+).*?\(([−\d.]+) to ([−\d.]+),")

families = st.builds(
    lambda seed, arms, seeds, noise, shift: (seed, arms, seeds, noise, shift),
    st.integers(0, 2**32 - 1),
    st.integers(1, 5),
    st.integers(3, 12),
    st.floats(0.001, 0.03),
    st.floats(0, 0.03),
)


def runs_of(seed: int, arms: int, seeds: int, noise: float, shift: float) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    names = ["base", *(f"arm{place}" for place in range(arms))]
    shifts = dict(zip(names, [0.0, *draw.normal(0, shift, arms)], strict=True))
    rows = [
        ("s", f"c{place}", arm, block, "test", "accuracy",
         float(0.7 + shifts[arm] + draw.normal(0, noise)), "FINISHED", None, 3, 1.5,
         f"r{place}-{block}")
        for place, arm in enumerate(names)
        for block in range(seeds)
    ]  # fmt: skip
    columns = "study config arm seed split metric value status reason epoch seconds run_id"
    return pd.DataFrame(rows, columns=columns.split())


def told(basis: Basis) -> Iterator[tuple[str, str, str, float, float]]:
    """Yields where, arm, verdict and both ends, for everything that a reader may meet."""
    page, table = compose(basis), verdicts.verdict_table(basis.shown, basis.scale)
    drawn = {each.name: "" for each in page.figures}
    rows = html.render(page, drawn).replace("\n", " ").replace("</tr>", "\n")
    told_in = {
        "html": re.sub(r"<[^>]+>", " ", rows),
        "markdown": markdown.render(page),
        "latex": latex.render(table).replace("$-$", "−").replace("{-}", "-"),
        "terminal": "\n".join(
            " ".join(cell.text for cell in row) for row in brief(basis.content).rows
        ),
        "note": note(basis.content),
    }
    for place, text in told_in.items():
        found = list(ROW.finditer(unescape(text)))
        assert {match[1] for match in found} >= set(basis.effects["arm"].iloc[1:]), place
        seen = set()
        for match in found:
            if match[1] not in seen:  # the table; sentences and looks follow it
                seen.add(match[1])
                low, high = (float(end.replace("−", "-")) for end in match.groups()[2:])
                yield place, match[1], match[2], low, high
    for said in sentences(basis.shown, basis.declaration):
        match = re.match(SENTENCE, said)
        assert match, said
        low, high = (float(end.replace("−", "-")) for end in match.groups()[2:])
        ends = (-high, -low) if match[2] == "WORSE" else (low, high)
        for arm in re.findall(r"arm\d", match[1]):  # those of which the same is said share it
            yield "sentence", arm, match[2], *ends
    (figure,) = (block for section in page.sections for block in section.blocks
                 if getattr(block, "name", "") == "differences")  # fmt: skip
    arms = basis.shown.iloc[1:].reset_index(drop=True)
    for axes in figure.draw().axes:
        for line in axes.lines:
            if line.get_linewidth() == 3.0 and len(line.get_xdata()):
                ends, places = (each.reshape(-1, 3)[:, :2] for each in line.get_data())
                for (low, high), (place, _) in zip(ends, places, strict=True):
                    row = arms.loc[int(place)]
                    yield "figure", row["arm"], row["verdict"], low, high


@given(st.sampled_from([0.0, 0.02, -0.02]), st.floats(1e-6, 1e-3), st.sampled_from([1, -1]))
def test_an_end_is_shown_on_its_side_of_zero_and_of_the_margin(
    edge: float, off: float, side: int
) -> None:
    metric, end = METRICS["accuracy"], edge + side * off
    sentence = between(end, 0.5, metric, 0.02)
    cell = Scale(metric, 0.02).interval(end, 0.5).text
    for shown in (sentence, cell):
        value = float(shown.partition(" to ")[0].replace("−", "-"))
        assert np.sign(round(value - 100 * edge, 9)) == side, shown


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(families)
@example((39, 5, 11, 0.001, 5e-324))
def test_what_is_told_and_drawn_agrees_with_its_verdict(
    family: tuple[int, int, int, float, float],
) -> None:
    frame = runs_of(*family)
    names = list(dict.fromkeys(frame["arm"]))
    declared = declaration(arms=arms_named(names), looks=(Look(family[2], 0.05),), quantum=0.0)
    basis = Basis(content(frame, declaration=declared))
    places = set()
    for place, arm, verdict, low, high in told(basis):
        places.add(place)
        wanted = basis.effects.set_index("arm").loc[arm, "verdict"]
        assert verdict == wanted, (place, arm)
        if verdict in {"BETTER", "WORSE"}:
            assert (low > -SHOWN) if verdict == "BETTER" else (high < SHOWN), (place, arm)
        elif verdict == "EQUIVALENT":
            assert -MARGIN - SHOWN < low < high < MARGIN + SHOWN, (place, arm)
        else:
            assert low < SHOWN, (place, arm)
            assert high > -SHOWN, (place, arm)
            assert max(-low, high) > MARGIN - SHOWN, (place, arm)
    assert places == {"html", "markdown", "latex", "terminal", "note", "sentence", "figure"}
