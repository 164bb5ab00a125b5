"""The one exception for what a user can cause: what is wrong, and the way out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class Refused(ValueError):
    """Input that cannot be used; the command line prints both lines and exits with 2.

    Args:
        rule: What is wrong: the rule, and the value that was found.
        way_out: What to do about it.
    """

    def __init__(self, rule: str, way_out: str) -> None:
        super().__init__(f"{rule}\n{way_out}")
        self.rule = rule
        self.way_out = way_out

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        # The default would rebuild it from the joined text, and a worker's refusal be lost.
        return Refused, (self.rule, self.way_out)


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns ``" Did you mean 'x'?"`` for the closest known name, else an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def public(address: str) -> str:
    """Returns the address of a store without the name and the password in it."""
    return re.sub(r"//[^/@]*@", "//", address)
