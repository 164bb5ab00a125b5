"""Shows long trainings in MLflow while they run: copies progress files into MLflow runs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ablation import tracking
from ablation.execute import progress_file
from ablation.execute.ahead import progress_of, scratch_of
from ablation.study.plan import Plan, Trial
from ablation.tracking import Early, Home, Started

AFTER = 10.0
"""Seconds of training after which a running training is shown in MLflow."""
EVERY = 2.0
"""Seconds between two reads of the progress files."""


class Live:
    """The running trainings of a session that are shown in MLflow.

    Args:
        home: The study label.
        folder: Folder of the progress files; it exists, and holds those of this session alone.
        plan: The plan.
        versions: Commit and library versions, as tags.
        now: Returns the time in seconds since the epoch.
    """

    def __init__(
        self,
        home: Home,
        folder: Path,
        plan: Plan,
        versions: Mapping[str, str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self._home, self._now = home, now
        self._plan, self._versions = plan, versions
        self._early: dict[str, Early] = {}
        self._looked = now()

    def file(self, trial: Trial) -> Path:
        """Returns the file that the trial's worker writes."""
        return progress_of(self.folder, trial)

    def is_due(self) -> bool:
        """Returns whether :data:`EVERY` seconds have passed since this was last so."""
        if self._now() - self._looked < EVERY:
            return False
        self._looked = self._now()
        return True

    def look(self, running: Iterable[Trial]) -> None:
        """Updates the MLflow runs of long trainings."""
        for trial in running:
            self._show(trial)

    def forget(self, trial: Trial) -> None:
        """Removes the progress file of an ended trial."""
        self.file(trial).unlink(missing_ok=True)

    def take(self, key: str) -> Early | None:
        """Returns and forgets the MLflow run that showed a trial's training, if there is one."""
        return self._early.pop(key, None)

    def close(self, *, complete: bool) -> None:
        """Removes the progress files, and if the study is complete the trials' own folders."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if complete:
            shutil.rmtree(scratch_of(self.folder), ignore_errors=True)

    def _show(self, trial: Trial) -> None:
        seen = progress_file.read(self.file(trial))
        if seen is None or self._now() - seen.began < AFTER:
            return
        data = self._plan.data_of(trial)
        started = Started(trial=trial, began=seen.began, device=seen.device)
        if trial.key not in self._early:  # kept before anything is logged, which may fail
            self._early[trial.key] = tracking.begin(self._home, started, data, self._versions)
        early = self._early[trial.key]
        self._early[trial.key] = tracking.append(self._home, early, started, data, seen.records)
