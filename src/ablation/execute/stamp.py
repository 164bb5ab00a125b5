"""The commit and the library versions of a run."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable

LIBRARIES = ("numpy", "mlflow", "optuna")


def stamp(libraries: Iterable[str]) -> dict[str, str]:
    """Returns commit, Python and library versions as tags for a run.

    Args:
        libraries: The task's libraries.
    """
    names = (*LIBRARIES, *libraries)
    versions = {f"ablation.version.{name}": importlib.metadata.version(name) for name in names}
    versions["ablation.version.python"] = platform.python_version()
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        commit = _git("rev-parse", "HEAD")
        changed = bool(_git("status", "--porcelain", "--untracked-files=no"))
        versions["mlflow.source.git.commit"] = commit
        versions["ablation.commit"] = commit + "+changes" * changed
    return versions


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
