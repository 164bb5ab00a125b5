"""Figures as SVG: a file of its own on white, or a part of a page that follows its colours."""

from __future__ import annotations

import re

from ablation.figures import COLOURS

FONTS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"


ROW = r'<g id="row-(\d+)-(\d+)">'
"""Begins a group of a row's artists: its place from the top, and that in the declared order."""


def standalone(text: str) -> str:
    """Returns a figure's SVG with a white background, for a file."""
    text = _titled(_rows(_fonts(text)))
    return re.sub(r"(<svg [^>]*>)", r'\1\n <rect width="100%" height="100%" fill="#ffffff"/>',
                  text, count=1)  # fmt: skip


def inline(text: str, name: str) -> str:
    """Returns a figure's SVG for a page: no header, no spare ids, fonts and colours of the page.

    Args:
        text: What matplotlib wrote.
        name: The figure's name, which its ids begin with.
    """
    body = _titled(_rows(text[text.index("<svg") :]))
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", body))
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{name}-", body)
    body = _colours(_short(body))
    body = re.sub(r"<svg [^>]*viewBox=\"([^\"]*)\"[^>]*>", _opening, body, count=1)
    body = re.sub(r"<g>\s*(<path [^>]*/>|<use [^>]*/>)\s*</g>", r"\1", body)
    return re.sub(r">\s*\n\s*", ">\n", body).strip()


def _titled(text: str) -> str:
    """Turns addresses of marks, which matplotlib can write, into titles, which it cannot."""
    return re.sub(
        r'<a xlink:href="([^"]*)"[^>]*>\s*<(use|path)([^>]*)/>\s*</a>',
        r"<\2\3><title>\1</title></\2>", text,
    )  # fmt: skip


def _rows(text: str) -> str:
    """Turns groups of rows into a class; each knows how far off its declared place is."""
    text = re.sub(ROW[:-1] + r"\s*/>\s*", "", text)  # of what is no number
    mark = ROW + r'\s*(?:<defs>\s*<path[^>]*/>\s*</defs>\s*)?<g[^>]*>\s*<use [^>]*? y="([\d.]+)"'
    heights = {int(m[1]): float(m[3]) for m in re.finditer(mark, text)}
    if len(heights) < 2:  # noqa: PLR2004 - two heights make a distance
        return re.sub(ROW, "<g>", text)
    top, bottom = min(heights), max(heights)
    pitch = (heights[bottom] - heights[top]) / (bottom - top)
    return re.sub(
        ROW,
        lambda m: f'<g class="row" style="--dy:{pitch * (int(m[2]) - int(m[1])):.1f}px">',
        text,
    )


def _opening(match: re.Match[str]) -> str:
    _, _, width, _ = match[1].split()
    return (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{match[1]}" aria-hidden="true"'
        f' style="width:{float(width) * 4 / 3:.0f}px">'
    )


def _short(text: str) -> str:
    """Leaves out what a page says once for all figures, and digits that no screen shows."""
    text = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", text)
    return re.sub(
        r' (?:d|x|y|transform)="[^"]*"',
        lambda attribute: re.sub(r"-?\d+\.\d{3,}", _two_digits, attribute[0]),
        text,
    )


def _two_digits(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _colours(text: str) -> str:
    known = "|".join(COLOURS)
    return re.sub(known, lambda m: f"var(--{COLOURS[m[0]]})", text)


def _fonts(text: str) -> str:
    """Names fonts that are there: all of them are narrower than the one that was measured."""
    text = re.sub(r"font: ([0-9.]+px) [^;\"]*", rf"font: \1 {FONTS}", text)
    return re.sub(r"font-family: [^;\"]*", f"font-family: {FONTS}", text)
