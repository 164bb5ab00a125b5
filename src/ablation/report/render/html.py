"""A page as one HTML file: nothing is fetched, nothing needs a script to be read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import jinja2
from markupsafe import Markup, escape

from ablation.report.blocks import Page, Table


def render(page: Page, figures: Mapping[str, str], links: Sequence[tuple[str, str]] = ()) -> str:
    """Returns the page as HTML.

    Args:
        page: The page.
        figures: Name to inline SVG; a figure that a telephone sees in its place ends in
            ``-narrow``.
        links: Links at the foot: text and address.
    """
    marked = {name: Markup(text) for name, text in figures.items()}
    return _environment().get_template("page.html.jinja").render(
        page=page, figures=marked, links=links
    )  # fmt: skip


def fragment(question: str, answer: str, image: str, table: Table) -> str:
    """Returns the answer with its evidence as a part of another page, such as a notebook.

    Args:
        question: What was asked.
        answer: What came out.
        image: Address of the forest.
        table: The verdicts.
    """
    return _environment().get_template("fragment.html.jinja").render(
        question=question, answer=answer, image=image, table=table
    )  # fmt: skip


def _code(text: str) -> Markup:
    """Formats text between backticks as code and escapes all of it."""
    parts = re.split(r"`", _unbroken(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def _unbroken(value: Any) -> Any:
    """Returns a text with no line break between a number and its per cent."""
    return _PER_CENT.sub("\N{NO-BREAK SPACE}%", value) if type(value) is str else value


_PER_CENT = re.compile(r"(?<=\d) %")


def _kind(block: object) -> str:
    return type(block).__name__


def gaps(page: Page) -> dict[str, str]:
    """Returns name to mark of all forms of a page's figures, for :func:`render` and `fill`."""
    return {name: f"<!--figure:{name}-->" for figure in page.figures for name in figure.forms}


def fill(text: str, figures: Mapping[str, str]) -> str:
    """Returns a rendered page with its figures, name to inline SVG, for the marks of them."""
    return re.sub("<!--figure:(.*?)-->", lambda mark: figures[mark[1]], text)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ablation.report.render"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_unbroken,
    )
    environment.filters |= {"code": _code, "kind": _kind}
    return environment
