"""Tags that several modules read: their names, and texts that are too long for one tag."""

from __future__ import annotations

import functools
import getpass
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablation.tracking.home import Home

KIND = "ablation.kind"
TRIAL, TUNING = "trial", "tuning"
"""The kinds of a trial of the plan and of a trial of a search."""
LABEL = "ablation.study"
DATA = "ablation.data"
TAG_LENGTH = 5000
"""Characters per part; MLflow stores up to 8,000 per tag."""
PER_REQUEST = 16
"""Tags per request: MLflow takes 1 MB, and JSON writes a character with up to 12 bytes."""


@functools.cache
def source() -> dict[str, str]:
    """Returns the tags for the user and the source of a run, in MLflow's own names."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return {
        "mlflow.user": user,
        "mlflow.source.name": "ablation",
        "mlflow.source.type": "LOCAL",
    }


def set_tags(home: Home, tags: Mapping[str, str]) -> None:
    """Sets tags of the parent run in their order, in as few requests as MLflow takes."""
    from ablation.tracking.late import log  # here, because that module imports this one

    given = list(tags.items())
    for start in range(0, len(given), PER_REQUEST):
        log(home.client, home.parent, tags=dict(given[start : start + PER_REQUEST]))


def in_parts(name: str, text: str) -> dict[str, str]:
    """Returns the tags that hold a text, last the number of its parts, which makes it whole."""
    parts = [text[i : i + TAG_LENGTH] for i in range(0, len(text), TAG_LENGTH)]
    return {f"{name}.{place}": part for place, part in enumerate(parts)} | {name: str(len(parts))}


def set_long(home: Home, name: str, text: str) -> None:
    """Sets the tags that hold a text."""
    set_tags(home, in_parts(name, text))


def long_in(tags: Mapping[str, str], name: str) -> str:
    """Returns a text from the tags that hold its parts; an empty one if there are none."""
    return "".join(tags[f"{name}.{place}"] for place in range(int(tags.get(name, 0))))
