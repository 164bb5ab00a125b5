"""A session records one study: it opens and reconciles the record, and closes it at the end."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from ablation import mirror as mirrors
from ablation import tracking
from ablation.analysis.due import decide_seeds, due_trials
from ablation.errors import Refused, public
from ablation.execute.live import Live
from ablation.execute.stamp import stamp
from ablation.records.outcome import Outcome
from ablation.tracking import Finished, Home

if TYPE_CHECKING:
    from ablation.mirror import Mirror
    from ablation.records.places import Places
    from ablation.study.plan import Plan, Trial
    from ablation.study.spec import Study


@dataclasses.dataclass(kw_only=True, slots=True)
class Session:
    """A study with an open record, its due trials and its outcomes."""

    plan: Plan
    home: Home
    mirror: Mirror
    trials: Sequence[Trial] = ()
    """The trials that are due, given what earlier looks decided."""
    outcomes: dict[str, Outcome]
    """Trial key to outcome; grows as trials are recorded."""
    live: Live
    """Shows long trainings while they run."""
    versions: Mapping[str, str]
    """Commit and library versions, as tags."""

    def look(self) -> None:
        """Updates the due trials: decided arms get no more seeds."""
        declared = self.plan.declaration
        seeds = decide_seeds(
            self.plan,
            self.outcomes,
            lambda: tracking.examples_frame(self.home, declared, self.outcomes),
        )
        self.trials = due_trials(self.plan, seeds)
        self.mirror.keep_planned(seeds)

    @property
    def missing(self) -> tuple[Trial, ...]:
        """The due trials without an outcome, in the plan's order."""
        return tuple(trial for trial in self.trials if trial.key not in self.outcomes)

    @property
    def failed(self) -> int:
        """Number of due trials that ended as FAILED."""
        ended = (self.outcomes.get(trial.key) for trial in self.trials)
        return sum(outcome is not None and outcome.status == "FAILED" for outcome in ended)

    def record(self, finished: Finished) -> Outcome:
        """Records a trial, shows it in the mirror and returns its outcome."""
        # The record first: it decides what is done, and the mirror follows.
        trial = finished.trial
        data, early = self.plan.data_of(trial), self.live.take(trial)
        outcome = tracking.record(self.home, finished, data, self.versions, early)
        self.outcomes[trial.key] = outcome
        self.mirror.finish(trial, outcome)
        return outcome


@contextlib.contextmanager
def session(plan: Plan, places: Places) -> Iterator[Session]:
    """Opens the record of a study, declares the study and cleans up after interrupted runs.

    Args:
        plan: The plan.
        places: The places of the record and its mirror.

    Raises:
        Refused: If the record cannot be used, or another process is using it.
    """
    study = plan.study.name
    with _explained(places), _lock(places, study):
        # Two processes that create the databases or an experiment at once would collide.
        with FileLock(places.folder / ".ablation/opening.lock", timeout=120):
            client = tracking.connect(places.tracking, record=True)
            storage = mirrors.connect(places.storage)
            label = plan.label(tracking.labels_taken(client, study))
            home = tracking.open_home(
                client, study, label, data=plan.declaration.data, artifacts=places.artifacts
            )
        try:
            mirror = mirrors.open_mirror(storage, plan, label=label)
            opened = _open(plan, home, mirror, places)
            yield opened
        except BaseException:
            _close(home, complete=False)
            raise
        opened.live.close()
        _close(home, complete=not opened.missing)


def _open(plan: Plan, home: Home, mirror: Mirror, places: Places) -> Session:
    """Declares the study, reconciles the mirror with the record and returns the session."""
    study = plan.study
    tracking.close_unfinished(home)
    outcomes = tracking.outcomes(home)
    wording = {"question": study.question, "title": study.title, "caveats": list(study.caveats)}
    tracking.declare(home, plan.declaration, wording, seen=len(outcomes))
    tracking.describe_data(home, plan.data)
    tracking.keep_commonest(home, plan.data.test_commonest())
    _keep_table(study, home)
    mirror.reconcile(plan.trials, outcomes)
    mirror.reconcile_others(home.label, outcomes)
    versions = stamp(study.task.libraries)
    opened = Session(
        plan=plan,
        home=home,
        mirror=mirror,
        outcomes=outcomes,
        live=Live(home, places.progress(study.name), plan, versions),
        versions=versions,
    )
    opened.look()
    return opened


def _keep_table(study: Study, home: Home) -> None:
    """Stores the task's own table if the study asks for it, else removes it."""
    of, rows = study.task.table([arm.config for arm in study.complete_arms])
    wanted = of if study.numerics else ""
    if tracking.numerics_of(home) != wanted:
        tracking.keep_numerics(home, rows() if study.numerics else [], of=wanted)


def _close(home: Home, *, complete: bool) -> None:
    """Closes the parent run and every child that is still RUNNING."""
    tracking.close_unfinished(home)
    tracking.close(home, complete=complete)


@contextlib.contextmanager
def _lock(places: Places, study: str) -> Iterator[None]:
    """Holds the study's lock, so that only one process at a time records the study."""
    lock = places.lock(study)
    try:
        (places.folder / ".ablation").mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise Refused(
            f"Another process is running {study!r} in {places.folder}.",
            "Wait until it has ended, or give another folder with --store.",
        ) from error
    except OSError as error:
        raise Refused(
            f"The folder {places.folder} cannot be written: {error.strerror}.",
            "Give another one: STORE=... (--store).",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _explained(places: Places) -> Iterator[None]:
    """Turns database, server and disk errors into a two-line `Refused`."""
    failures: tuple[type[Exception], ...] = (OSError, *mirrors.failures(), *tracking.failures())
    try:
        yield
    except BrokenPipeError:
        raise  # of the terminal, not of the record
    except failures as error:
        first = next(iter(str(error).strip().splitlines()), "")
        raise Refused(
            f"The record in {public(places.tracking)} failed ({type(error).__name__}): {first}",
            "Free disk space or make the server reachable, then run the same command again; "
            "recorded trials are kept.",
        ) from error
