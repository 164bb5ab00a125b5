"""The layout of a figure: panels as large as what is written around them leaves room for."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

PAD = 3.0
"""Points around a panel with all that is written beside it."""


class _Label(NamedTuple):
    axis: Axis
    direction: int
    """0 along the width, 1 along the height."""
    along: float
    """Where it is along its axis, as a share of the panel."""
    across: float
    """Points from the axis, negative outside of the panel."""


def lay_out(figure: Figure) -> None:
    """Gives a figure its final layout, as its SVG has it; what is drawn later keeps it."""
    # With an engine left, matplotlib draws the figure once more before each file, to nowhere.
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    if (engine := figure.get_layout_engine()) is None:
        return
    dpi = figure.get_dpi()
    FigureCanvasSVG(figure)  # measures the text from now on
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if not axis.get_label_text():
            axis.set_label_coords(0, 0)  # or all ticks are measured to place a label of no text
    figure.set_dpi(FigureCanvasSVG.fixed_dpi)
    if all(axes.get_subplotspec() for axes in figure.axes):
        _place(figure)
    else:
        engine.execute(figure)  # a panel beside another, such as a scale of colours
    figure.set_layout_engine(None)
    figure.set_dpi(dpi)


def _place(figure: Figure) -> None:
    """Places a grid of panels, and their labels, below the legend.

    It gives what matplotlib's constrained layout gives, which measures everything twice, and
    places each label anew, and so measures its axis, in each file.
    """
    from matplotlib.backends.backend_svg import RendererSVG

    width, height = figure.bbox.size
    renderer = RendererSVG(width, height, io.StringIO())  # type: ignore[no-untyped-call]  # matplotlib's own
    panels = [axes for axes in figure.axes if axes.get_visible()]
    legends = sum(each.get_window_extent(renderer).height + 2 * PAD for each in figure.legends)
    for _ in range(2):
        numbers = [_numbers(axes) for axes in panels]
        around = {axes: _around(axes, renderer) for axes in panels}
        labels = [label for axes in panels for label in _labels(axes)]
        _move(around, width, height, height - legends)
        if [_numbers(axes) for axes in panels] == numbers:
            break  # else an axis has other numbers now than were measured
    for axis, direction, along, across in labels:
        beyond = across / axis.axes.bbox.size[1 - direction]
        x, y = (beyond, along) if direction else (along, beyond)
        axis.set_label_coords(x, y)


def _numbers(axes: Axes) -> list[str]:
    return [text.get_text() for text in (*axes.get_xticklabels(), *axes.get_yticklabels())]


def _around(axes: Axes, renderer: Any) -> np.ndarray:
    """Returns the room of what is written left, right, below and above of a panel, in points."""
    inner = axes.get_window_extent(renderer)
    outer = axes.get_tightbbox(renderer, for_layout_only=True)
    assert outer is not None  # it is visible
    return PAD + np.concatenate([inner.p0 - outer.p0, outer.p1 - inner.p1])[[0, 2, 1, 3]]


def _labels(axes: Axes) -> Iterator[_Label]:
    """Yields where the labels outside of a panel are."""
    for direction, axis in enumerate((axes.xaxis, axes.yaxis)):
        at = axis.label.get_transform().transform(axis.label.get_position()) - axes.bbox.p0
        if axis.get_label_text() and at[1 - direction] < 0:
            along = at[direction] / axes.bbox.size[direction]
            yield _Label(axis, direction, along, at[1 - direction])


def _move(around: Mapping[Axes, np.ndarray], width: float, height: float, below: float) -> None:
    """Moves panels to their places in their grid.

    Args:
        around: Panel to the room around it.
        width: That of the figure, in points.
        height: That of the figure.
        below: Height that the legend leaves.
    """
    specs: dict[Axes, Any] = {axes: axes.get_subplotspec() for axes in around}
    grid = next(iter(specs.values())).get_gridspec()
    columns = np.zeros((grid.ncols, 2))
    rows = np.zeros((grid.nrows, 2))
    for axes, spec in specs.items():
        left, right, bottom, top = around[axes]
        columns[spec.colspan.start] = np.maximum(columns[spec.colspan.start], (left, right))
        rows[spec.rowspan.start] = np.maximum(rows[spec.rowspan.start], (top, bottom))
    x, widths = _spans(width, columns, grid.get_width_ratios())
    y, heights = _spans(below, rows, grid.get_height_ratios())
    for axes, spec in specs.items():
        column, row = spec.colspan.start, spec.rowspan.start
        from_bottom = below - y[row] - heights[row]
        axes.set_position((x[column] / width, from_bottom / height, widths[column] / width,
                           heights[row] / height))  # fmt: skip
        axes.set_in_layout(True)


def _spans(
    length: float, around: np.ndarray, ratios: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the panels of a row begin and how long they are.

    Args:
        length: Length of the row.
        around: The room before and after each panel, shape (panels, 2).
        ratios: Their lengths in relation to each other.
    """
    sizes = max(length - around.sum(), 0.1 * length) * np.array(ratios) / sum(ratios)
    ends = np.cumsum(around.sum(axis=1) + sizes)
    return ends - around[:, 1] - sizes, sizes
