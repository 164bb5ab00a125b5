"""Prints the command line's output; the only place that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablation.study.plan import Plan


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


def show_line(text: object) -> None:
    """Prints a text as it is, whatever Rich would take for markup in it."""
    show(escaped(text))


def show_data(plan: Plan) -> None:
    """Prints what was read as a study's data, and warnings about them."""
    notes = plan.study.task.notes(plan.data)
    for said in notes.read:
        show_line(said)
    for warning in notes.warnings:
        show_line(f"Warning: {warning}")
