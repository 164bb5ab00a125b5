"""The GPUs that this process may use, as the driver's files and the environment name them."""

from __future__ import annotations

import os
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""Environment variable that names the GPUs a process sees."""


def visible_gpus() -> tuple[str, ...]:
    """Returns the name of each GPU, such as ``0``; needs no GPU library."""
    given = os.environ.get(VISIBLE)
    if given is not None:
        return tuple(name.strip() for name in given.split(",") if name.strip() not in {"", "-1"})
    nodes = [each for each in Path("/dev").glob("nvidia*") if each.name[6:].isdigit()]
    return tuple(map(str, range(len(nodes))))
