"""Which figures a report has, and the frames that each draws, in the unit of the page."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from ablation import figures
from ablation.analysis import Findings, is_log
from ablation.figures import Axis, Panel
from ablation.records.declaration import Declaration
from ablation.report.numbers import Scale

MOST_ROWS = 40
"""Arms in a figure with a row for each; the table below holds all of them."""

COLOURED = 8
"""Arms told apart by colour and mark."""

MOVING = ("displacement_", "gradient_")
"""How the probes begin that tell of tensors and not of texts."""

DIFFERENCE = ("effect", "low", "high", "adjusted_low", "adjusted_high")


def axis_of(declaration: Declaration) -> Axis:
    """Returns how the metric of a study is drawn."""
    scale, margin = Scale.of(declaration), declaration.margin
    return Axis(
        metric=scale.metric.title,
        unit=scale.unit,
        digits=scale.metric.digits,
        baseline=declaration.baseline,
        margin=None if margin is None else scale.factor * margin,
    )


def shown(effects: pd.DataFrame, most: int = MOST_ROWS) -> pd.DataFrame:
    """Returns the baseline and the arms with the largest effects, in their declared order."""
    if len(effects) <= most + 1:
        return effects
    arms = effects.iloc[1:]
    # An arm without an effect is one whose runs failed: it stands before the smallest effects.
    kept = arms["effect"].abs().fillna(math.inf).nlargest(most).index
    return effects.loc[[effects.index[0], *sorted(kept)]]


def coloured(effects: pd.DataFrame) -> list[str]:
    """Returns the arms that curves tell apart by colour, the baseline first."""
    return list(shown(effects, COLOURED - 1)["arm"])


def panels(findings: Findings, metric: str) -> list[Panel]:
    """Returns the learning curves that are drawn: the loss on train, the metric on validation."""
    wanted = [Panel("train", "loss"), Panel("validation", metric)]
    drawn = pd.concat([findings.bands, findings.cut_short])
    there = set(zip(drawn["split"], drawn["metric"], strict=True))
    return [panel for panel in wanted if (panel.split, panel.metric) in there]


def probe_panels(findings: Findings, *, moving: bool) -> list[Panel]:
    """Returns the probes that are there: what the attention does, or how its tensors move."""
    probes = findings.bands.loc[findings.bands["split"] == "probe", "metric"]
    there = dict.fromkeys(probes)
    return [Panel("probe", name) for name in there if name.startswith(MOVING) == moving]


def saved(findings: Findings, declaration: Declaration, name: str) -> tuple[str, bytes]:
    """Returns a figure as SVG and as PNG, which a narrow one is not needed as; else empty."""
    figure = figure_of(name, findings, declaration)
    if figure is None:
        return "", b""
    text = figures.svg(figure, name)
    return text, b"" if name.endswith("-narrow") else figures.png(figure)


def figure_of(name: str, findings: Findings, declaration: Declaration) -> Any:
    """Returns one figure by its name in :data:`DRAWN`; None where there is nothing to draw."""
    return DRAWN[name](findings, declaration, Scale.of(declaration), axis_of(declaration))


def _forest(findings: Findings, _: Declaration, scale: Scale, axis: Axis) -> Any:
    some = _scaled(shown(findings.effects), scale, DIFFERENCE)
    return figures.forest(some, _scaled(findings.differences, scale, ("difference",)), axis)


def _narrow(findings: Findings, _: Declaration, scale: Scale, axis: Axis) -> Any:
    some = _scaled(shown(findings.effects), scale, DIFFERENCE)
    paired = _scaled(findings.differences, scale, ("difference",))
    return figures.forest(some, paired, axis, narrow=True)


def _response(findings: Findings, given: Declaration, scale: Scale, axis: Axis) -> Any:
    if findings.response.empty:
        return None
    levels = dict(zip(findings.response["arm"], findings.response["level"], strict=True))
    rows = _scaled(findings.response, scale, ("mean", "low", "high"))
    return figures.response(rows, axis, str(given.factor), log=is_log(levels))


def _decisions(findings: Findings, _: Declaration, scale: Scale, axis: Axis) -> Any:
    if findings.looks.empty:
        return None
    looks = _scaled(findings.looks, scale, DIFFERENCE)
    return figures.decisions(looks[looks["arm"].isin(shown(findings.effects)["arm"])], axis)


def _seeds(findings: Findings, given: Declaration, scale: Scale, axis: Axis) -> Any:
    some = _scaled(shown(findings.effects), scale, ("mean",))
    ordered = some.iloc[_in_declared_order(some, given)]
    return figures.across_seeds(_scaled(findings.scores, scale, ("value",)), ordered, axis)


def _curves(findings: Findings, given: Declaration, *_: Any) -> Any:
    return _panels(findings, panels(findings, given.metric))


def _probes(findings: Findings, *_: Any) -> Any:
    return _panels(findings, probe_panels(findings, moving=False))


def _movement(findings: Findings, *_: Any) -> Any:
    return _panels(findings, probe_panels(findings, moving=True))


def _panels(findings: Findings, wanted: list[Panel]) -> Any:
    if not wanted:
        return None
    arms = coloured(findings.effects)
    return figures.curves(findings.bands, findings.cut_short, arms, wanted)


def _variance(findings: Findings, _: Declaration, scale: Scale, axis: Axis) -> Any:
    if findings.variance.empty:
        return None
    return figures.variance(_scaled(findings.variance, scale, ("deviation",)), axis)


def _interactions(findings: Findings, _: Declaration, scale: Scale, axis: Axis) -> Any:
    if findings.interactions.empty:
        return None
    return figures.interactions(_scaled(findings.interactions, scale, ("effect",)), axis)


DRAWN: dict[str, Callable[[Findings, Declaration, Scale, Axis], Any]] = {
    "probes": _probes,
    "movement": _movement,
    "curves": _curves,
    "differences": _forest,
    "differences-narrow": _narrow,
    "response": _response,
    "decisions": _decisions,
    "seeds": _seeds,
    "variance": _variance,
    "interactions": _interactions,
}
"""Name to what draws the figure, None where the study has nothing to draw; the longest first."""


def _scaled(frame: pd.DataFrame, scale: Scale, columns: tuple[str, ...]) -> pd.DataFrame:
    """Returns the frame with some columns in the unit of the page."""
    there = [column for column in columns if column in frame]
    return frame.assign(**{column: scale.factor * frame[column] for column in there})


def _in_declared_order(effects: pd.DataFrame, declaration: Declaration) -> list[int]:
    """Returns the places of the rows in the order of the levels, the baseline among them."""
    declared = {arm.name: place for place, arm in enumerate(declaration.arms)}
    return sorted(range(len(effects)), key=lambda place: declared[effects["arm"].iloc[place]])
