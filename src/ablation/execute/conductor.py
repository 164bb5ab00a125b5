"""Walks the plan: an executor trains, MLflow records, Optuna mirrors; one process owns both."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import itertools
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ablation import tracking
from ablation.analysis.due import due_trials
from ablation.errors import Refused, public
from ablation.execute import mirror as mirrors
from ablation.execute.live import EVERY, Live
from ablation.execute.mirror import Mirror
from ablation.execute.workers import end_workers, run_trial
from ablation.plan import Plan, Trial, missing, seconds_guess
from ablation.records.digest import digest
from ablation.records.outcome import Outcome
from ablation.records.places import Places
from ablation.spec import Study
from ablation.tracking import Finished, Home

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


@dataclasses.dataclass(kw_only=True, slots=True)
class Session:
    """A study whose record is open and reconciled: what is planned, and what is done."""

    plan: Plan
    home: Home
    mirror: Mirror
    trials: Sequence[Trial] = ()
    """The trials that are due, given what earlier looks decided."""
    outcomes: dict[str, Outcome]
    """Key to outcome; grows as trials are recorded."""
    live: Live
    """Shows long trainings while they run."""
    versions: Mapping[str, str]
    """Commit and library versions, as tags."""

    def look(self) -> None:
        """Plans what the runs so far ask for: an arm that is decided gets no more seeds."""
        self.trials = due_trials(self.plan, self.outcomes)

    @property
    def missing(self) -> tuple[Trial, ...]:
        """The planned trials that are not done."""
        return missing(self.trials, self.outcomes)

    @property
    def failed(self) -> int:
        """Planned trials that ended as FAILED."""
        found = (self.outcomes.get(trial.key) for trial in self.trials)
        return sum(outcome is not None and outcome.status == "FAILED" for outcome in found)

    def record(self, finished: Finished) -> Outcome:
        """Records a trial and shows it in the mirror: the record first, it decides."""
        trial = finished.trial
        encoded, early = self.plan.data_of(trial), self.live.take(trial)
        outcome = tracking.record(self.home, finished, encoded, self.versions, early)
        self.outcomes[trial.key] = outcome
        self.mirror.finish(trial, outcome)
        return outcome


@contextlib.contextmanager
def session(plan: Plan, places: Places) -> Iterator[Session]:
    """Opens the record of a study, declares it, and reconciles what an earlier end left behind.

    Args:
        plan: The plan.
        places: Where it is recorded.

    Raises:
        Refused: If the record cannot be used, or another process is at work on it.
    """
    study, data = plan.study.name, plan.declaration.data
    with _explained(places), _lock(places, study):
        # Two processes that both create databases or an experiment would trip each other up.
        with FileLock(places.folder / ".ablation/opening.lock", timeout=120):
            client = tracking.connect(places.tracking, record=True)
            storage = mirrors.connect(places.storage)
            label = plan.label(tracking.labels_taken(client, study))
            home = tracking.open_home(client, study, label, data=data, artifacts=places.artifacts)
        try:
            opened = _open(plan, home, storage, places)
            yield opened
        except BaseException:
            _close(home, complete=False)
            raise
        opened.live.close()
        _close(home, complete=not opened.missing)


def _open(plan: Plan, home: Home, storage: RDBStorage, places: Places) -> Session:
    """Declares the study, and brings the mirror and the plan into line with the record."""
    study, declared = plan.study, plan.declaration
    tracking.close_unfinished(home)
    outcomes = tracking.outcomes(home)
    wording = {"question": study.question, "title": study.title, "caveats": list(study.caveats)}
    tracking.declare(home, declared, wording, seen=len(outcomes))
    tracking.describe_data(home, plan.encoded)
    _keep_numerics(study, home)
    mirror = mirrors.open_mirror(storage, plan, label=home.label)
    mirror.reconcile(plan.trials, outcomes)
    mirror.reconcile_others(home.label, outcomes)
    versions = stamp()
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


def _keep_numerics(study: Study, home: Home) -> None:
    """Keeps with the study what each fill of the arms does in each dtype, if it asks for that."""
    fills = dict.fromkeys(arm.config.model.attention.fill for arm in study.complete_arms)
    of = digest(list(fills)) if study.numerics else ""
    if tracking.numerics_of(home) == of:
        return
    rows = []
    if study.numerics:
        from ablation.model import fill_table

        rows = fill_table(list(fills))
    tracking.keep_numerics(home, rows, of=of)


def _close(home: Home, *, complete: bool) -> None:
    """Leaves no run RUNNING: neither a child that was being recorded, nor the parent."""
    tracking.close_unfinished(home)
    tracking.close(home, complete=complete)


def walk(opened: Session, executor: Executor, *, ahead: int, device: str) -> Iterator[Finished]:
    """Trains and records every missing trial, block by block; yields each when recorded.

    Interrupted at any point, it ends its workers and shows what was cut short as waiting.

    Args:
        opened: The session.
        executor: Where trials are trained; it goes on when all is done.
        ahead: Trials submitted at a time; twice the workers keeps all of them busy.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        Refused: If a class of the user's fails, or a worker dies.
    """
    running: dict[str, Trial] = {}
    try:
        while opened.missing:
            for finished in _train(opened, executor, running, ahead=ahead, device=device):
                opened.record(finished)
                del running[finished.trial.key]
                yield finished
            opened.look()
    except BaseException:
        # First the workers: a database that fails must not leave them training.
        end_workers(executor)
        for key, trial in running.items():
            if key not in opened.outcomes:
                opened.mirror.wait(trial)
        raise


def stamp() -> dict[str, str]:
    """Returns commit, Python and library versions as tags for a run."""
    libraries = ("torch", "numpy", "mlflow", "optuna", "datasets", "tokenizers", "sentencex")
    versions = {f"ablation.version.{name}": importlib.metadata.version(name) for name in libraries}
    versions["ablation.version.python"] = platform.python_version()
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        commit = _git("rev-parse", "HEAD")
        changed = bool(_git("status", "--porcelain", "--untracked-files=no"))
        versions["mlflow.source.git.commit"] = commit
        versions["ablation.commit"] = commit + "+changes" * changed
    return versions


def _train(
    opened: Session, executor: Executor, running: dict[str, Trial], *, ahead: int, device: str
) -> Iterator[Finished]:
    """Keeps ``ahead`` trials submitted and yields what is trained.

    What has ended is replaced before it is yielded, so no worker waits while it is recorded.
    """
    waiting = iter(_longest_first(opened))
    futures: dict[Future[Any], Trial] = {}

    def refill() -> None:
        for trial in itertools.islice(waiting, ahead - len(futures)):
            opened.mirror.start(trial)
            running[trial.key] = trial
            config, file = trial.arm.config, opened.live.file(trial)
            encoded = opened.plan.data_of(trial)
            try:
                future = executor.submit(
                    run_trial, config, trial.training_seed, encoded, device, file
                )
            except BrokenProcessPool as error:
                raise _ended(trial) from error
            futures[future] = trial

    refill()
    while futures:
        done = wait(futures, timeout=EVERY, return_when=FIRST_COMPLETED).done
        opened.live.look(trial for future, trial in futures.items() if future not in done)
        for future in [each for each in futures if each in done]:
            trial = futures.pop(future)
            refill()
            records, result, began, used = _unpack(future, trial)
            yield Finished(trial=trial, records=records, result=result, began=began, device=used)


def _longest_first(opened: Session) -> list[Trial]:
    """Returns the missing trials block by block, in each the long ones first.

    The last block then ends with short ones, and hardly a worker waits for another.
    """
    seconds = {}
    for trial in opened.missing:
        config = trial.arm.config
        if trial.config_hash not in seconds:
            train = opened.plan.data_of(trial).split("train")
            guess = seconds_guess(config, len(train.labels), len(train.tokens))
            seconds[trial.config_hash] = guess
    return sorted(opened.missing, key=lambda each: (each.seed, -seconds[each.config_hash]))


def _unpack(future: Future[Any], trial: Trial) -> Any:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise _ended(trial) from error
    except Refused as error:
        raise Refused(f"{_where(trial)}: {error.rule}", error.way_out) from error


def _ended(trial: Trial) -> Refused:
    return Refused(
        f"{_where(trial)}: its worker was ended from outside, perhaps for lack of memory.",
        "Run the same command again to go on; WORKERS=1 takes less memory.",
    )


def _where(trial: Trial) -> str:
    return f"Arm {trial.arm.name!r} with seed {trial.seed}"


@contextlib.contextmanager
def _lock(places: Places, study: str) -> Iterator[None]:
    """Lets one process at a time record a study in a store; beside the store, not the caller."""
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
    """Says in two lines what a database, a server or a disk that fails would say in fifty."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    failures: tuple[type[Exception], ...] = (SQLAlchemyError, OptunaError, OSError)
    try:
        yield
    except BrokenPipeError:
        raise  # of the terminal, not of the record
    except failures + tracking.failures() as error:
        first = next(iter(str(error).strip().splitlines()), "")
        raise Refused(
            f"The record in {public(places.tracking)} failed ({type(error).__name__}): {first}",
            "Make room on the disk or the server reachable, then run the same command again; "
            "what is recorded is kept.",
        ) from error


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
