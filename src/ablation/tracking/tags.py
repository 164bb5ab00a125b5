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
LABEL = "ablation.study"
DATA = "ablation.data"
TAG_LENGTH = 5000
"""Characters per part; MLflow stores up to 8,000 per tag."""


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


def set_long(home: Home, name: str, text: str) -> None:
    """Sets a tag in parts; the number of parts, which makes it whole, is set last."""
    parts = [text[i : i + TAG_LENGTH] for i in range(0, len(text), TAG_LENGTH)]
    for place, part in enumerate(parts):
        home.client.set_tag(home.parent, f"{name}.{place}", part)
    home.client.set_tag(home.parent, name, str(len(parts)))


def long_in(tags: Mapping[str, str], name: str) -> str:
    """Returns the text that :func:`set_long` wrote."""
    return "".join(tags[f"{name}.{place}"] for place in range(int(tags[name])))
