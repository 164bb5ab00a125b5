"""Walks a plan: a crew trains and the session records, until no trial is missing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused
from ablation.execute.ahead import AHEAD, Handed, job_of, longest_first
from ablation.execute.live import EVERY
from ablation.execute.worker import run_trial
from ablation.tracking import Finished

if TYPE_CHECKING:
    from ablation.execute.crew import Crew
    from ablation.execute.session import Session
    from ablation.study.plan import Trial


def walk(
    opened: Session, crew: Crew, *, device: str, handed: Handed | None = None
) -> Iterator[Finished]:
    """Trains and records every missing trial, block by block; yields each when recorded.

    An interrupt or an error ends the crew and shows unfinished trials as waiting.

    Args:
        opened: The session.
        crew: Trains the trials; stays usable if the walk completes.
        device: ``auto``, ``cpu`` or ``cuda``.
        handed: Trials that the crew has already.

    Raises:
        Refused: If user-defined code fails, or a worker dies.
    """
    running: dict[str, Trial] = {}
    try:
        while opened.missing:
            futures, handed = _adopt(opened, crew, handed), None
            for finished in _train(opened, crew, running, futures, device=device):
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
    opened: Session,
    crew: Crew,
    running: dict[str, Trial],
    futures: dict[Future[Any], Trial],
    *,
    device: str,
) -> Iterator[Finished]:
    """Keeps every worker busy and yields what is trained.

    What has ended is replaced before it is yielded, so no worker waits while it is recorded.
    """
    for trial in futures.values():
        opened.mirror.start(trial)
        running[trial.key] = trial
    ordered = longest_first(opened.plan, opened.missing)
    waiting = (trial for trial in ordered if trial.key not in running)

    def refill() -> None:
        for trial in itertools.islice(waiting, max(0, AHEAD * crew.at_once - len(futures))):
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


def _adopt(opened: Session, crew: Crew, handed: Handed | None) -> dict[Future[Any], Trial]:
    """Returns what was handed out ahead, without what the record turns out to have already.

    The result of that is never recorded: a worker that has begun with it goes on for nothing.
    """
    try:
        futures = {} if handed is None else handed.result()
    except Exception as error:
        if crew.is_broken(error):
            raise _lost(opened.missing[0]) from error
        raise
    wanted = {trial.key for trial in opened.missing}
    for future in [each for each, trial in futures.items() if trial.key not in wanted]:
        del futures[future]
        future.cancel()
    return futures


def _submit(opened: Session, crew: Crew, trial: Trial, device: str) -> Future[Any]:
    try:
        return crew.submit(run_trial, job_of(opened.plan, trial, opened.live.folder, device))
    except Exception as error:
        if crew.is_broken(error):
            raise _lost(trial) from error
        raise


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
