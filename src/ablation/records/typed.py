"""Arguments of a command as a page may name them, without paths of this machine."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path


def portable(path: str) -> str:
    """Returns a path relative to the working folder; of one elsewhere, the last part alone.

    >>> portable("mine/study.py"), portable("/elsewhere/study.py")
    ('mine/study.py', 'study.py')
    """
    if not os.path.isabs(path):  # noqa: PTH117 - a path may be too long for Path's methods
        return path
    inside = Path(path).is_relative_to(Path.cwd())
    return str(Path(path).relative_to(Path.cwd())) if inside else Path(path).name


def typed(name: str, options: Mapping[str, object]) -> str:
    """Returns a name and the options that are given as the arguments of a command.

    >>> typed("tiny", {"data": "my texts", "seeds": None})
    "tiny --data 'my texts'"
    """
    given = [f"--{key} {shlex.quote(str(of))}" for key, of in options.items() if of is not None]
    return " ".join([shlex.quote(name), *given])


def read_typed(arguments: str) -> tuple[str, dict[str, str]]:
    """Returns the name and the options of arguments that :func:`typed` wrote.

    >>> read_typed("tiny --data 'my texts'")
    ('tiny', {'data': 'my texts'})
    """
    name, *rest = shlex.split(arguments)
    return name, {
        key.removeprefix("--"): of for key, of in zip(rest[::2], rest[1::2], strict=True)
    }


def over_data(commands: Sequence[str]) -> str:
    """Returns the arguments that report on several data sets, from those that run each.

    >>> over_data(["tiny --data one --seeds 3", "tiny --data two --seeds 3"])
    'tiny --data one,two'
    """
    name, options = read_typed(commands[0])
    sets = [read_typed(each)[1].get("data", "") for each in commands]
    return typed(
        name, {"data": ",".join(sets)} | {of: options.get(of) for of in ("text", "label")}
    )
