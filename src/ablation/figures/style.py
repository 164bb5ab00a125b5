"""Shared by all figures: colours that a page can exchange, plain text, equal bytes."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ablation.figures.layout import lay_out
from ablation.records.colours import ARMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL.Image import Image

INK, MUTED, FAINT, BAND = "#24292f", "#6e7681", "#d3d8de", "#e9edf1"

VERDICTS = {
    "BETTER": "#0173b2",
    "WORSE": "#c44e00",
    "EQUIVALENT": "#007a5a",
    "IDENTICAL": "#6b4fa0",
    "INCONCLUSIVE": "#5c6570",
    "": INK,
}
"""From seaborn's colour-blind palette, darkened to be read as text; the word is always
beside the colour."""

LEVELS = ("#7fc8b6", "#5fb3b3", "#469cae", "#3684a8", "#306b9e", "#33518f", "#363a7a", "#2c2459")
"""For the levels of a numeric factor, from the lowest to the highest: one hue to the next, each
darker than the one before."""

COLOURS = {
    INK: "ink", MUTED: "muted", FAINT: "faint", BAND: "band", "#0173b2": "better",
    "#c44e00": "worse", "#007a5a": "equivalent", "#6b4fa0": "identical",
    "#5c6570": "inconclusive",
    **{colour: f"arm-{place}" for place, colour in enumerate(ARMS)},
    **{colour: f"level-{place}" for place, colour in enumerate(LEVELS)},
}  # fmt: skip
"""Colour to the name by which a page in the dark exchanges it."""

MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Marks that tell arms apart without colour."""

WIDTH = 8.2
"""Inches; as wide as a page's text."""

NARROW = 3.9
"""Inches; as wide as a telephone's."""

NAME = 34
"""Characters of a name in a figure; the whole name is in the table below."""

OTHER_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "PingFang SC",
    "Hiragino Sans", "Microsoft YaHei", "WenQuanYi Zen Hei", "Noto Sans Thai",
    "Noto Sans Devanagari", "Arial Unicode MS", "Unifont", "Noto Emoji", "Symbola",
)  # fmt: skip
"""Fonts with the signs that DejaVu Sans lacks; those that are installed are used."""

NO_GLYPH = r"Glyph (\d+) .*missing from"
"""First words of matplotlib's warning that no font has a sign."""

SETTINGS: Any = {
    "font.size": 9.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9.0,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.fonttype": "none",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """The words and digits of a metric's axis; frames come in its unit."""

    metric: str
    """The metric's name."""
    unit: str
    """Such as ``points``; may be empty."""
    digits: int
    """Digits after the point."""
    baseline: str
    """The baseline's name."""
    margin: float | None
    """The margin, in the unit."""

    @property
    def values(self) -> str:
        """Label of an axis of values."""
        return plain(f"{self.metric} on test" + (f", {self.unit}" if self.unit else ""))

    @property
    def differences(self) -> str:
        """Label of an axis of differences."""
        what = f"{self.metric} on test, difference to {short(self.baseline)}"
        return plain(what + (f", {self.unit}" if self.unit else ""))


def figure_of(width: float, height: float) -> Figure:
    """Returns an empty figure; call it within :func:`styled`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def styled(**more: Any) -> Any:
    """Returns the context in which a figure is drawn and saved, whatever the user has set.

    Args:
        **more: Further settings.
    """
    import matplotlib as mpl

    now: Any = mpl.rcParams
    # Only what differs: setting all takes 4 ms, and a page has dozens of figures.
    changed = {name: value for name, value in _defaults().items()
               if dict.__getitem__(now, name) != value}  # fmt: skip
    return mpl.rc_context(changed | SETTINGS | _fonts() | more)


@functools.cache
def _fonts() -> dict[str, Any]:
    """Returns the setting by which signs that matplotlib's font lacks come from an installed one.

    Text that it has looks the same with and without.
    """
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    others = [name for name in OTHER_FONTS if name in installed]
    return {"font.family": ["DejaVu Sans", *others]} if others else {}


@functools.cache
def _defaults() -> dict[str, Any]:
    """Returns matplotlib's own settings, without those of the process as a whole."""
    import matplotlib as mpl

    whole = {"backend", "backend_fallback", "interactive", "toolbar", "timezone", "date.epoch"}
    return {name: value for name, value in mpl.rcParamsDefault.items() if name not in whole}


def plain(text: str) -> str:
    """Keeps matplotlib from reading a name as mathematics."""
    return text.replace("$", r"\$")


def short(text: str, most: int = NAME) -> str:
    """Returns a name on one line, with something left out where it is long.

    Of a name in parts, such as an arm of several factors, it is the first word of each part: the
    factors, since arms differ in their levels. Of any other name it is the middle.

    >>> short("init_std 0.05 · mean · learning_rate 0.003"), short("a very long name" * 3, 12)
    ('0.05 · mean · 0.003', 'a ver… name')
    """
    flat = " ".join(text.split())
    if len(flat) > most:
        parts = flat.split(" · ")
        flat = " · ".join(p.partition(" ")[2] or p for p in parts) if parts[1:] else flat
    half = (most - 1) // 2
    return flat if len(flat) <= most else f"{flat[:half]}…{flat[-half:]}"


def name(text: str) -> str:
    """Returns a name as a figure writes it."""
    return plain(short(text))


def wrapped(text: str, most: int = 28) -> str:
    """Returns a name as a figure writes it where there is room for two lines."""
    first, *rest = textwrap.wrap(" ".join(text.split()), most) or [""]
    return plain("\n".join([first, short(" ".join(rest), most)] if rest else [first]))


def grid(axes: Axes, along: Any) -> None:
    """Draws faint lines along one axis, behind everything."""
    axes.set_axisbelow(True)
    axes.grid(axis=along, color=FAINT, linewidth=0.6)


def draw_lines(axes: Axes, lines: Any, **style: Any) -> None:
    """Draws lines as one artist.

    Args:
        axes: The panel.
        lines: An array of points per line.
        **style: As that of matplotlib's ``LineCollection``.
    """
    from matplotlib.collections import LineCollection

    # An artist takes half a millisecond or more to make and to draw, and of lines there are many.
    axes.add_collection(LineCollection(lines, capstyle="projecting", joinstyle="round", **style))


def beside(axes: Axes, points: float) -> Any:
    """Returns the transform of texts beside a panel: x across it from 0 to 1, y as its data.

    Args:
        axes: The panel.
        points: How far to the right everything is moved.
    """
    from matplotlib.transforms import ScaledTranslation

    # An annotation would do, and take four times as long.
    moved = ScaledTranslation(points / 72, 0, axes.figure.dpi_scale_trans)
    return axes.get_yaxis_transform() + moved


def gradient(name: str, stops: Sequence[tuple[float, str]]) -> Any:
    """Returns a colour map through some colours, each at a place between 0 and 1."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(name, list(stops))


def svg(figure: Figure, salt: str) -> str:
    """Returns the figure as SVG without a background, its text as text; equal calls, equal text.

    Args:
        figure: The figure.
        salt: Makes the ids in it differ from those of other figures on a page.
    """
    buffer = io.StringIO()
    with styled(**{"svg.hashsalt": salt}):
        lay_out(figure)
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    return buffer.getvalue()


def png(figure: Figure) -> bytes:
    """Returns the figure as PNG on white, in 64 colours: a fifth of the bytes.

    Where no installed font has a sign, a line under the figure says so; the figure keeps it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image as Images

    with styled():
        figure.set_dpi(144)
        canvas = FigureCanvasAgg(figure)
        if missing := _draw(canvas):
            plural = "s have" if len(missing) > 1 else " has"
            few = ", ".join(f"U+{sign:04X}" for sign in missing[:3])
            said = f"{len(missing)} sign{plural} no font here ({few}); the SVG names them."
            figure.set_layout_engine("constrained")
            figure.supxlabel(said, fontsize=7, color=MUTED)
            _draw(canvas)
    buffer = canvas.buffer_rgba()  # type: ignore[no-untyped-call]  # matplotlib's own
    image = Images.frombytes("RGBA", canvas.get_width_height(), buffer).convert("RGB")
    small = io.BytesIO()
    image.quantize(palette=_palette(image), dither=Images.Dither.NONE).save(small, "PNG")
    return small.getvalue()


def pdf(figure: Figure) -> bytes:
    """Returns the figure as PDF with its fonts embedded; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with styled(**{"pdf.fonttype": 42}):  # TrueType, which publishers take; type 3 they refuse
        nothing = {"CreationDate": None, "Creator": None, "Producer": None}
        figure.savefig(buffer, format="pdf", metadata=nothing)
    return buffer.getvalue()


def _draw(canvas: FigureCanvasAgg) -> list[int]:
    """Draws a figure; returns the code points that no installed font has."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", NO_GLYPH)
        canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib's own
    missing = set()
    for each in caught:
        if found := re.match(NO_GLYPH, str(each.message)):
            missing.add(int(found[1]))
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    return sorted(missing)


@contextlib.contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """Silences matplotlib's warning for each sign that no installed font has.

    :func:`png` says it in one line, and a browser has fonts of its own for an SVG.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", NO_GLYPH)
        yield


def _palette(image: Image) -> Image:
    """Returns 64 colours for an image, those with a meaning among them, as an image of them."""
    # The median cut alone drops colours of few pixels: an arm's in the legend was 108 of 765 off.
    from PIL import Image as Images

    named = b"".join(bytes.fromhex(colour[1:]) for colour in COLOURS)
    few = image.resize((image.width // 3, image.height // 3), Images.Resampling.NEAREST)
    cut = few.quantize(64 - len(COLOURS), dither=Images.Dither.NONE).getpalette() or []
    palette = Images.new("P", (1, 1))
    palette.putpalette(bytes(cut) + named)
    return palette
