"""Prints the command line's output; the only place that does."""

from __future__ import annotations


def escaped(text: object) -> str:
    r"""Returns a text with Rich's markup escaped.

    >>> print(escaped("[bold] arm"))
    \[bold] arm
    """
    from rich.markup import escape

    return escape(str(text))


def show(what: object) -> None:
    """Prints a text or a table."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=isinstance(what, str))
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has room for whole names
    console.print(what)
