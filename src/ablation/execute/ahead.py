"""Hands trials to a crew: the order, the job of each, and the first ones ahead of the record."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.execute.processes import Limits
from ablation.execute.worker import Job, run_trial

if TYPE_CHECKING:
    from ablation.execute.crew import Crew
    from ablation.study.plan import Plan, Trial

AHEAD = 2
"""Trials submitted per worker, so that each has its next one while its last is recorded."""

Handed = Future[dict[Future[Any], "Trial"]]
"""The futures of the trials that were handed out, once they are."""


def hand_out(
    crew: Crew,
    plan: Plan,
    missing: Sequence[Trial],
    folder: Path,
    *,
    device: str,
    timeout: float | None = None,
) -> Handed:
    """Hands the first trials to a crew that may still be starting; returns at once.

    The workers train while the caller imports MLflow and opens the record, 2 s in all. The caller
    has the study's lock, and records none of them before the record is open.

    Args:
        crew: Trains the trials.
        plan: The plan.
        missing: The trials that are due and not done, as far as the caller knows.
        folder: Folder of the progress files.
        device: ``auto``, ``cpu`` or ``cuda``.
        timeout: Seconds after which a trial is lost; None for no limit but the study's own.
    """
    limits = limits_of(plan, timeout)
    first = longest_first(plan, missing)[: AHEAD * crew.at_once]
    jobs = [(trial, job_of(plan, trial, folder, device)) for trial in first]
    thread = ThreadPoolExecutor(1)
    handed = thread.submit(
        lambda: {crew.submit(run_trial, job, limits=limits): trial for trial, job in jobs}
    )
    thread.shutdown(wait=False)
    return handed


def longest_first(plan: Plan, missing: Sequence[Trial]) -> list[Trial]:
    """Returns trials block by block, in each the long ones first.

    The last block then ends with short ones, and hardly a worker waits for another.
    """
    seconds = plan.guess_seconds(missing)
    return sorted(missing, key=lambda each: (each.seed, -seconds[each.config_hash]))


def job_of(plan: Plan, trial: Trial, folder: Path, device: str) -> Job:
    """Returns a trial as it is sent to a worker.

    Args:
        plan: The plan.
        trial: The trial.
        folder: Folder of the progress files.
        device: ``auto``, ``cpu`` or ``cuda``.
    """
    task = plan.study.task
    return Job(
        train=task.train,
        resolve_device=task.device,
        config=task.send(trial.config),
        seed=trial.training_seed,
        data=plan.data_of(trial),
        device=device,
        progress=progress_of(folder, trial),
        folder=folder_of(folder, trial),
        travel=task.travel,
        sources=trial.sources,
    )


def limits_of(plan: Plan, timeout: float | None) -> Limits | None:
    """Returns the limits of each trial: those that the study declares, and the start's own.

    Args:
        plan: The plan.
        timeout: Seconds after which a trial is lost, or None.
    """
    study = plan.study
    times = [each for each in (study.timeout, timeout) if each is not None]
    if not times and study.memory is None:
        return None
    memory = None if study.memory is None else study.memory * 2**30
    return Limits(seconds=min(times, default=None), memory=memory)


def scratch_of(folder: Path) -> Path:
    """Returns the folder of the trials' own folders, which unlike the progress files are kept.

    Args:
        folder: Folder of the progress files.
    """
    return folder.parent.with_name("scratch") / folder.name


def folder_of(folder: Path, trial: Trial) -> Path:
    """Returns the path of a trial's own folder.

    Args:
        folder: Folder of the progress files.
        trial: The trial.
    """
    return scratch_of(folder) / progress_of(folder, trial).stem


def progress_of(folder: Path, trial: Trial) -> Path:
    """Returns the path of a trial's progress file."""
    return folder / f"{trial.config_hash}-{trial.seed}.jsonl"
