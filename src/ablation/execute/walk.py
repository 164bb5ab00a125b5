"""Walks a plan: a crew trains and the session records, until no trial is left to train."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused
from ablation.execute import progress_file
from ablation.execute.ahead import AHEAD, Handed, folder_of, job_of, limits_of, longest_first
from ablation.execute.blame import Blame, Choosy
from ablation.execute.crew import Stranded
from ablation.execute.live import EVERY
from ablation.execute.processes import LimitExceeded
from ablation.execute.worker import Job, Ran, crash_file, run_trial
from ablation.records.failure import Failure, lost, raised_by
from ablation.records.outcome import Reason, RunResult
from ablation.tracking import Finished, Unfinished

if TYPE_CHECKING:
    from ablation.execute.crew import Crew
    from ablation.execute.processes import Limits
    from ablation.execute.session import Session
    from ablation.study.plan import Trial

Ended = Finished | Unfinished
"""A trial that was trained, or whose training failed without an outcome."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """Options of one start; none changes a result."""

    device: str = "auto"
    """``auto``, ``cpu`` or ``cuda``."""
    timeout: float | None = None
    """Seconds after which a trial is lost; None for no limit but the study's own."""
    fail_fast: bool = False
    """Whether to stop at the first trial that raises or is lost."""
    wanted: Callable[[Trial], bool] = lambda _: True
    """Whether a trial is to be trained."""
    keep_results: bool = False
    """Whether results under earlier sources are taken as they are."""


def walk(
    opened: Session,
    crew: Crew,
    *,
    device: str,
    handed: Handed | None = None,
    timeout: float | None = None,
) -> Iterator[Ended]:
    """Trains and records every trial that is left, block by block; yields each when recorded.

    A trial that raises, or whose worker is lost, does not keep the others from being trained. An
    interrupt or an error of the record ends the crew and shows unfinished trials as waiting.

    Args:
        opened: The session.
        crew: Trains the trials; stays usable if the walk completes.
        device: ``auto``, ``cpu`` or ``cuda``.
        handed: Trials that the crew has already.
        timeout: Seconds after which a trial is lost; None for no limit but the study's own.
    """
    walking = _Walking(opened, crew, device, limits_of(opened.plan, timeout))
    try:
        while opened.left:
            futures, handed = walking.adopt(handed), None
            yield from walking.train(futures)
            opened.look()
    except BaseException:
        # Workers first: if the database fails, they must not go on training.
        crew.end()
        for trial in walking.running.values():
            if trial.key not in opened.outcomes:
                opened.mirror.wait(trial)
        raise


@dataclasses.dataclass(slots=True)
class _Walking:
    """A walk: its session, its crew and the trials that the crew has."""

    opened: Session
    crew: Crew
    device: str
    limits: Limits | None
    running: dict[str, Trial] = dataclasses.field(default_factory=dict)
    waiting: deque[Trial] = dataclasses.field(default_factory=deque)
    blame: Blame = dataclasses.field(default_factory=Blame)

    def adopt(self, handed: Handed | None) -> dict[Future[Any], Trial]:
        """Returns what was handed out ahead, without what the record turns out to have already.

        The result of that is never recorded: a worker that has begun with it goes on for nothing.
        """
        futures = {} if handed is None else handed.result()
        wanted = {trial.key for trial in self.opened.left}
        for future in [each for each, trial in futures.items() if trial.key not in wanted]:
            del futures[future]
            future.cancel()
        for trial in futures.values():
            self._show(trial)
        return futures

    def train(self, futures: dict[Future[Any], Trial]) -> Iterator[Ended]:
        """Keeps every worker busy, and records and yields what has ended.

        What has ended is replaced before it is recorded, so no worker waits meanwhile.
        """
        ordered = longest_first(self.opened.plan, self.opened.left)
        self.waiting = deque(trial for trial in ordered if trial.key not in self.running)
        self._refill(futures)
        while futures:
            done = wait(futures, timeout=EVERY, return_when=FIRST_COMPLETED).done
            self.opened.sender.watch()
            self._refill(futures)  # workers may have joined
            self.opened.show_long([t for future, t in futures.items() if future not in done])
            for future in [each for each in futures if each in done]:
                trial = futures.pop(future)
                self._refill(futures)
                ended = self._ending(future, trial)
                self._judge_worker(future, ended)
                self._record(ended)
                self._refill(futures)  # a failure may be tried again, or put others aside
                yield ended

    def _refill(self, futures: dict[Future[Any], Trial]) -> None:
        while self.waiting and len(futures) < AHEAD * self.crew.at_once:
            trial = self.waiting.popleft()
            if not self.opened.attempts.is_given_up(trial):
                self._show(trial)
                job = job_of(self.opened.plan, trial, self.opened.live.folder, self.device)
                futures[self._submit(job, self.blame.workers_against(trial))] = trial

    def _submit(self, job: Job, avoided: Collection[str]) -> Future[Any]:
        try:
            if avoided and isinstance(self.crew, Choosy):
                return self.crew.submit_elsewhere(avoided, run_trial, job, limits=self.limits)
            return self.crew.submit(run_trial, job, limits=self.limits)
        except Exception as error:
            if not self.crew.is_broken(error):
                raise
            raise Refused(
                f"The workers take no more trials: {error}",
                "Run the same command again to continue; recorded trials are kept.",
            ) from error

    def _judge_worker(self, future: Future[Any], ended: Ended) -> None:
        """Puts a worker aside on which trials of several arms failed that succeed elsewhere."""
        if not isinstance(self.crew, Choosy) or (at := self.crew.worker_of(future)) is None:
            return
        trial = ended.trial
        if isinstance(ended, Unfinished):
            self.blame.failed(at, trial.key, trial.arm.name)
            return
        for worker in self.blame.succeeded(at, trial.key):
            if self.crew.put_aside(worker):
                self.opened.attempts.workers.append(worker)

    def _show(self, trial: Trial) -> None:
        self.opened.mirror.start(trial)
        self.running[trial.key] = trial

    def _record(self, ended: Ended) -> None:
        if isinstance(ended, Finished):
            self.opened.record(ended)
        elif self.opened.record_failure(ended):
            self.waiting.appendleft(ended.trial)  # soon it is known whether its worker is to blame
        del self.running[ended.trial.key]

    def _ending(self, future: Future[Any], trial: Trial) -> Ended:
        """Returns how a trial ended; a future that failed ran into trouble outside of it."""
        try:
            ran: Ran = future.result()
        except Exception as error:
            return self._without_result(trial, error)
        given: dict[str, Any] = {"trial": trial, "began": ran.began, "device": ran.device}
        if isinstance(ran.ending, Failure):
            return Unfinished(failure=ran.ending, **given)
        return Finished(records=ran.records, result=ran.ending, facts=ran.facts, **given)

    def _without_result(self, trial: Trial, error: Exception) -> Ended:
        """Returns the ending of a trial whose worker sent no result."""
        if isinstance(error, Stranded):
            raise error
        file = self.opened.live.file(trial)
        seen = progress_file.read(file)
        now, trace = time.time(), _trace(file)
        plan, live = self.opened.plan, self.opened.live
        printed = plan.study.task.printed(folder_of(live.folder, trial))
        began, device = (now, self.device) if seen is None else (seen.began, seen.device)
        given: dict[str, Any] = {"trial": trial, "began": began, "device": device}
        if (reason := self._declared(error)) is not None:
            records = () if seen is None else seen.records
            epoch = max([1, *(record.epoch for record in records)])
            result = RunResult(
                status="FAILED", reason=reason, epoch=epoch, seconds=now - began, log=printed
            )
            return Finished(records=records, result=result, **given)
        if not self.crew.is_broken(error):
            return Unfinished(failure=raised_by(error), **given)
        failure = lost(_said(error), trace).after(printed.decode("utf-8", "replace"))
        return Unfinished(failure=failure, **given)

    def _declared(self, error: Exception) -> Reason | None:
        """Returns the reason of an outcome, if a limit was exceeded that the study declares."""
        if not isinstance(error, LimitExceeded):
            return None
        if str(error) == "memory":
            return "oom"
        assert self.limits is not None
        return "timeout" if self.limits.seconds == self.opened.plan.study.timeout else None


def _said(error: Exception) -> str:
    return "took longer than --timeout" if isinstance(error, LimitExceeded) else str(error)


def _trace(progress: Path) -> str:
    """Returns the traceback that a signal left in a worker, and removes it; it may be empty."""
    file = crash_file(progress)
    with contextlib.suppress(OSError):
        text = file.read_text(encoding="utf-8")
        file.unlink()
        return text
    return ""
