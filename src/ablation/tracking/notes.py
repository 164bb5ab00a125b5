"""Notes: what MLflow's pages show of a run as Markdown, in which names stay text."""

from __future__ import annotations

NOTE = "mlflow.note.content"
"""The tag that holds it."""
LIMIT = 8000
"""Characters that MLflow keeps of a tag; it cuts off the rest in silence."""
LONGEST = 1500
"""Characters that a text takes of a note."""

MARKUP = frozenset(r"\`*_{}[]()<>#+!|~$&:@=^")
"""What Markdown, HTML or a formula may begin with, in whatever dialect."""


def text(words: object, longest: int = LONGEST) -> str:
    """Returns words that every dialect of Markdown shows as they are.

    Entities, since dialects differ in what a backslash may stand before.

    Args:
        words: Any text; its white space is collapsed.
        longest: Characters of the result, after which it is cut.
    """
    shown = []
    for sign in " ".join(str(words).split()):
        shown.append(f"&#{ord(sign)};" if sign in MARKUP else sign)
        longest -= len(shown[-1])
        if longest < 0:
            return "".join(shown[:-1]) + "…"
    return "".join(shown)
