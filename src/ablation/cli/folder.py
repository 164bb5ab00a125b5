"""Folders that options name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from ablation.errors import Refused
from ablation.records.whole import writable

LONGEST = 4000
"""Bytes of a path; systems take 4,096 or a few less."""


class Folder(click.ParamType[Path]):
    """A path that may not exist yet; an empty one is no folder, though Python takes it for one."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> Path:
        """Returns the path.

        Raises:
            Refused: If no folder can have it.
        """
        option = "The folder" if param is None else param.opts[0]
        text = os.fspath(value)
        if not text.strip() or "\0" in text or len(os.fsencode(text)) > LONGEST:
            raise Refused(
                f"{option} names no folder: {text[:60]!r}.", "Give the path of a folder."
            )
        if os.path.lexists(text) and not os.path.isdir(text):  # noqa: PTH112 - raises nothing
            raise Refused(f"{option} {text!r} is no folder.", "Give the path of a folder.")
        return Path(text)


def refuse_places(reports: Path) -> None:
    """Refuses a folder of reports that cannot be written, before anything is trained.

    Raises:
        Refused: If it cannot be made, or its disk takes no file.
    """
    with writable(reports):
        probe = reports / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
