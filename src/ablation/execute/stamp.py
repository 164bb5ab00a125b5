"""The commit, the library versions and the processor of a run."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

LIBRARIES = ("numpy", "mlflow", "optuna")
PROCESSOR = "ablation.processor"
"""Tag: the name of the processor."""


def stamp(libraries: Iterable[str]) -> dict[str, str]:
    """Returns commit, Python and library versions and the processor as tags for a run.

    Args:
        libraries: The task's libraries; those that are not installed are left out.
    """
    versions = surroundings((*LIBRARIES, *libraries))
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        commit = _git("rev-parse", "HEAD")
        changed = bool(_git("status", "--porcelain", "--untracked-files=no"))
        versions["mlflow.source.git.commit"] = commit
        versions["ablation.commit"] = f"{commit}+changes" if changed else commit
    return versions


def surroundings(libraries: Iterable[str]) -> dict[str, str]:
    """Returns the versions of Python and of libraries, and the processor, as tags for a run."""
    known = versions_of(libraries)
    tags = {f"ablation.version.{name}": version for name, version in known.items()}
    tags["ablation.version.python"] = platform.python_version()
    tags[PROCESSOR] = processor()
    return tags


def processor() -> str:
    """Returns the name of the processor, which decides the last digits of results."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions_of(names: Iterable[str]) -> dict[str, str]:
    """Returns name to version; leaves out what is not installed, as an optional import may be."""
    found: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
