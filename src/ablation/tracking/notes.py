"""Notes: the Markdown that MLflow's pages show for a run, with names escaped."""

from __future__ import annotations

NOTE = "mlflow.note.content"
"""The tag that holds the note."""
LIMIT = 8000
"""Characters that MLflow stores of a tag; it drops the rest without a warning."""
LONGEST = 1500
"""Most characters of one text in a note."""

MARKUP = frozenset(r"\`*_{}[]()<>#+!|~$&:@=^")
"""Characters with a meaning in any dialect of Markdown, in HTML or in formulas."""


def text(words: object, longest: int = LONGEST) -> str:
    """Returns a text that every dialect of Markdown shows unchanged.

    Args:
        words: Any text; its white space is collapsed.
        longest: Most characters of the result; a longer one is cut.

    >>> text("an_arm")
    'an&#95;arm'
    """
    # Entities, because dialects differ in the characters that a backslash escapes.
    shown = []
    for sign in " ".join(str(words).split()):
        shown.append(f"&#{ord(sign)};" if sign in MARKUP else sign)
        longest -= len(shown[-1])
        if longest < 0:
            return "".join(shown[:-1]) + "…"
    return "".join(shown)
