"""Where a study is recorded: two SQLite files in a folder, or two addresses."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from filelock import FileLock, Timeout


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Addresses of the record (MLflow) and of its mirror (Optuna)."""

    tracking: str
    """MLflow tracking URI."""
    storage: str
    """Optuna storage URL."""
    artifacts: Path | None
    """Folder for the artifacts of new experiments; None leaves that to a tracking server."""
    folder: Path
    """Where this machine keeps what belongs to neither: a lock per study."""

    @property
    def mirror_exists(self) -> bool:
        """Whether there may be a mirror to read; a file that is missing is not created."""
        return _may_exist(self.storage)

    @property
    def record_exists(self) -> bool:
        """Whether there may be a record to read."""
        return _may_exist(self.tracking)

    def lock(self, study: str) -> FileLock:
        """Returns the lock that whoever records the study on this machine holds."""
        return FileLock(self.folder / ".ablation" / f"{study}.lock")

    def progress(self, study: str) -> Path:
        """Folder of the progress files of the study's trials."""
        return self.folder / ".ablation" / "progress" / study

    def is_busy(self, study: str) -> bool:
        """Whether a process on this machine is recording the study."""
        if not (self.folder / ".ablation" / f"{study}.lock").exists():
            return False
        try:
            with self.lock(study).acquire(timeout=0):
                return False
        except (Timeout, PermissionError):
            return True


def _may_exist(url: str) -> bool:
    path = url.removeprefix("sqlite:///")
    return path == url or Path(path).exists()


def places(store: Path | None) -> Places:
    """Resolves where to record.

    Args:
        store: A folder, which wins over everything; None means the environment variables
            MLFLOW_TRACKING_URI and ABLATION_STORAGE, and the working folder for what they do not
            name.
    """
    folder = Path.cwd() if store is None else store.absolute()
    given = os.environ if store is None else {}
    tracking = given.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / 'mlflow.db'}"
    database = tracking.removeprefix("sqlite:///")
    return Places(
        tracking=tracking,
        storage=given.get("ABLATION_STORAGE") or f"sqlite:///{folder / 'optuna.db'}",
        artifacts=None if tracking.startswith("http") else folder / "mlartifacts",
        folder=Path(database).absolute().parent if database != tracking else folder,
    )
