"""Locations of a study's record: two SQLite files in a folder, or two addresses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from filelock import FileLock, Timeout

from ablation.records import addresses


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Addresses of the record (MLflow) and of its mirror (Optuna)."""

    tracking: str
    """MLflow tracking URI."""
    storage: str
    """Optuna storage URL."""
    artifacts: Path | None
    """Folder for the artifacts of new experiments; None leaves the choice to the server."""
    folder: Path
    """Folder on this machine for locks and progress files."""

    @property
    def mirror_exists(self) -> bool:
        """Returns whether the mirror may exist: its file does, or it is not a file."""
        return _may_exist(self.storage)

    @property
    def record_exists(self) -> bool:
        """Returns whether the record may exist: its file does, or it is not a file."""
        return _may_exist(self.tracking)

    def lock(self, study: str) -> FileLock:
        """Returns the lock held by the process that records the study on this machine."""
        return FileLock(self.folder / ".ablation" / f"{study}.lock")

    def opening(self) -> FileLock:
        """Returns the lock held while databases and experiments are created."""
        # No study has this name: only -follow-up and -fresh may follow a hyphen.
        return FileLock(self.folder / ".ablation" / "opening-store.lock")

    def progress(self, study: str) -> Path:
        """Returns the folder of the progress files of the study's trials."""
        return self.folder / ".ablation" / "progress" / study

    def is_busy(self, study: str) -> bool:
        """Returns whether a process on this machine is recording the study."""
        if not (self.folder / ".ablation" / f"{study}.lock").exists():
            return False
        try:
            with self.lock(study).acquire(timeout=0):
                return False
        except (Timeout, PermissionError):
            return True


def _may_exist(url: str) -> bool:
    path = addresses.file_of(url)
    return path is None or path.exists()


def places(store: Path | None) -> Places:
    """Returns the places of the record and its mirror.

    Args:
        store: A folder, which overrides the environment variables. If None, they are named by
            MLFLOW_TRACKING_URI and ABLATION_STORAGE, and are in the working folder if unset.

    Raises:
        Refused: If an environment variable names no place where anything can be recorded.

    >>> places(Path("/runs")).tracking
    'sqlite:////runs/mlflow.db'
    """
    folder = Path.cwd() if store is None else store.absolute()
    tracking, storage = addresses.given() if store is None else (None, None)
    tracking = tracking or addresses.of_file(folder / "mlflow.db")
    database = addresses.file_of(tracking)
    folder = folder if database is None else database.parent
    return Places(
        tracking=tracking,
        storage=storage or addresses.of_file(folder / "optuna.db"),
        artifacts=None if tracking.startswith("http") else folder / "mlartifacts",
        folder=folder,
    )
