"""Walks a plan: a crew trains and the session records, until no trial is missing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused
from ablation.execute.live import EVERY
from ablation.execute.worker import Job, run_trial
from ablation.tracking import Finished

if TYPE_CHECKING:
    from ablation.execute.crew import Crew
    from ablation.execute.session import Session
    from ablation.study.plan import Trial

AHEAD = 2
"""Trials submitted per worker, so that a worker starts its next trial while the last is
recorded."""


def walk(opened: Session, crew: Crew, *, device: str) -> Iterator[Finished]:
    """Trains every missing trial, block by block; yields each after it is recorded.

    An interrupt or an error ends the crew and shows unfinished trials as waiting.

    Args:
        opened: The session.
        crew: Trains the trials; stays usable if the walk completes.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        Refused: If user-defined code fails, or a worker dies.
    """
    running: dict[str, Trial] = {}
    try:
        while opened.missing:
            for finished in _train(opened, crew, running, device=device):
                opened.record(finished)
                del running[finished.trial.key]
                yield finished
            opened.look()
    except BaseException:
        # Workers first: if the database fails, they must not go on training.
        crew.end()
        for key, trial in running.items():
            if key not in opened.outcomes:
                opened.mirror.wait(trial)
        raise


def _train(
    opened: Session, crew: Crew, running: dict[str, Trial], *, device: str
) -> Iterator[Finished]:
    """Keeps every worker busy and yields the trained trials."""
    waiting = iter(_longest_first(opened))
    futures: dict[Future[Any], Trial] = {}

    def refill() -> None:
        for trial in itertools.islice(waiting, AHEAD * crew.at_once - len(futures)):
            opened.mirror.start(trial)
            running[trial.key] = trial
            futures[_submit(opened, crew, trial, device)] = trial

    refill()
    while futures:
        done = wait(futures, timeout=EVERY, return_when=FIRST_COMPLETED).done
        opened.live.look(trial for future, trial in futures.items() if future not in done)
        for future in [each for each in futures if each in done]:
            trial = futures.pop(future)
            refill()  # before the yield, so that no worker waits while the trial is recorded
            records, result, began, used = _unpack(crew, future, trial)
            yield Finished(trial=trial, records=records, result=result, began=began, device=used)


def _submit(opened: Session, crew: Crew, trial: Trial, device: str) -> Future[Any]:
    task = opened.plan.study.task
    job = Job(
        train=task.train,
        resolve_device=task.device,
        config=trial.arm.config,
        seed=trial.training_seed,
        data=opened.plan.data_of(trial),
        device=device,
        progress=opened.live.file(trial),
    )
    try:
        return crew.submit(run_trial, job)
    except Exception as error:
        if crew.is_broken(error):
            raise _lost(trial) from error
        raise


def _longest_first(opened: Session) -> list[Trial]:
    """Returns the missing trials block by block, the longest first within each block."""
    # The last trials are then short, so that workers finish at nearly the same time.
    seconds: dict[str, float] = {}
    for trial in opened.missing:
        if trial.config_hash not in seconds:
            guess = opened.plan.study.task.seconds
            seconds[trial.config_hash] = guess(trial.arm.config, opened.plan.data_of(trial))
    return sorted(opened.missing, key=lambda each: (each.seed, -seconds[each.config_hash]))


def _unpack(crew: Crew, future: Future[Any], trial: Trial) -> Any:
    try:
        return future.result()
    except Refused as error:
        raise Refused(f"{_where(trial)}: {error.rule}", error.way_out) from error
    except Exception as error:
        if crew.is_broken(error):
            raise _lost(trial) from error
        raise


def _lost(trial: Trial) -> Refused:
    return Refused(
        f"{_where(trial)}: its worker process died, perhaps for lack of memory.",
        "Run the same command again to continue; WORKERS=1 needs less memory.",
    )


def _where(trial: Trial) -> str:
    return f"Arm {trial.arm.name!r} with seed {trial.seed}"
