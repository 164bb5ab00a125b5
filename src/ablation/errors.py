"""The one exception for errors that a user can cause, and two helpers for its text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Refused(ValueError):
    """Input that cannot be used; the command line prints both lines and exits with code 2.

    Args:
        rule: The rule that was broken, and the value that broke it.
        way_out: How the user can fix it.

    >>> raise Refused("dropout must be in [0, 1); got 2.0.", "Change dropout.")
    Traceback (most recent call last):
    ablation.errors.Refused: dropout must be in [0, 1); got 2.0.
    Change dropout.
    """

    code = 2
    """Exit code of the command line."""

    def __init__(self, rule: str, way_out: str) -> None:
        super().__init__(f"{rule}\n{way_out}")
        self.rule = rule
        self.way_out = way_out

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        # Exception's own __reduce__ passes the joined text as one argument, so unpickling a
        # worker's refusal would fail.
        return type(self), (self.rule, self.way_out)


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns ``" Did you mean 'x'?"`` for the closest known name, else an empty string.

    >>> nearest("int_std", ["init_std", "pooling"])
    " Did you mean 'init_std'?"
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def public(address: str) -> str:
    """Returns the address of a store without user name, password and query.

    A password may hold an unescaped ``@``, ``/`` or ``?``, so all up to the last ``@`` goes.

    >>> public("postgresql://me:sec@ret@host/runs?password=secret")
    'postgresql://host/runs'
    >>> public("sqlite:////home/me@work/runs.db")
    'sqlite:////home/me@work/runs.db'
    """
    scheme, colon, rest = address.partition("://")
    if not colon or rest.startswith("/"):
        return address
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
