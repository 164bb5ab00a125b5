"""What the command line prints, in one place."""

from __future__ import annotations


def escaped(text: object) -> str:
    """Returns a text in which the terminal reads no markup."""
    from rich.markup import escape

    return escape(str(text))


def show(what: object) -> None:
    """Prints a text or a table; a file or a pipe has room for whole names."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=isinstance(what, str))
    if not console.is_terminal:
        console.width = 200
    console.print(what)
