"""A session records one study: it opens and reconciles the record, and closes it at the end."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ablation import mirror as mirrors
from ablation import tracking
from ablation.analysis.due import decide_looks, due_trials
from ablation.execute.attempts import Attempts
from ablation.execute.holding import Held, hold, opening, recording
from ablation.execute.live import Live
from ablation.execute.sender import Sender
from ablation.execute.stamp import stamp
from ablation.records.outcome import Outcome
from ablation.records.taken import Absent, Taken
from ablation.tracking import Finished, Home, Lease, Outbox, Outdated, Parcel, Unfinished, landing

if TYPE_CHECKING:
    import pandas as pd

    from ablation.mirror import Lenient, Mirror
    from ablation.records.places import Places
    from ablation.study.plan import Plan, Trial
    from ablation.study.spec import Study


@dataclasses.dataclass(kw_only=True, slots=True)
class Session:
    """A study with an open record, its due trials and its outcomes."""

    plan: Plan
    home: Home
    mirror: Lenient
    sender: Sender
    """Sends what is acknowledged to the record."""
    trials: Sequence[Trial] = ()
    """The trials that are due, given what earlier looks decided."""
    outcomes: dict[str, Outcome]
    """Trial key to outcome; grows as trials are recorded."""
    live: Live
    """Shows long trainings while they run."""
    versions: Mapping[str, str]
    """Commit and library versions, as tags."""
    outdated: Outdated | None = None
    """Trials that only a change of sources made due again, or would have."""
    wanted: Callable[[Trial], bool] = lambda _: True
    """Whether this start trains a trial; the others that are due stay missing."""
    attempts: Attempts = dataclasses.field(default_factory=Attempts)
    """The failures of this start."""
    taken: Taken = dataclasses.field(default_factory=dict)
    """Looks that were taken although runs were missing."""
    scores: dict[str, bytes] = dataclasses.field(default_factory=dict)
    """Key to packed scores by test example, as far as looks have needed them."""
    naive: bytes = b""
    """The scores of always naming the commonest class of test."""
    resent: int = 0
    """Trials that an earlier start left in the outbox, and this one recorded."""
    damaged: int = 0
    """Files of the outbox that were damaged; their trials are trained again."""
    _trials: dict[str, Trial] = dataclasses.field(default_factory=dict)
    """The trials that are acknowledged and not recorded."""

    def look(self) -> None:
        """Updates the due trials: decided arms get no more seeds."""
        declared = self.plan.declaration
        decided = decide_looks(
            self.plan, self.outcomes, self._examples, taken=self.taken, given_up=self.given_up
        )
        if decided.taken != self.taken:
            # Before anything is trained that rests on it, because it is final.
            self.sender.ask(lambda: tracking.keep_taken(self.home, declared.hash, decided.taken))
            self.taken = decided.taken
        self.trials = due_trials(self.plan, decided.seeds)
        self.mirror.keep_planned(decided.seeds)

    def _examples(self) -> pd.DataFrame:
        """Returns the examples frame; the record is asked only for runs of earlier starts."""
        declared = self.plan.declaration
        lacking = {key: each for key, each in self.outcomes.items() if key not in self.scores}
        if lacking:

            def read() -> dict[str, bytes]:  # the runs of all that was acknowledged are known then
                now = {key: self.outcomes[key] for key in lacking}
                return dict.fromkeys(lacking, b"") | tracking.scores_of(self.home, declared, now)

            self.scores |= self.sender.ask(read)
        return tracking.framed(declared, self.outcomes, self.scores, self.naive)

    @property
    def outbox(self) -> Outbox:
        """The outbox of the study."""
        return self.sender.outbox

    @property
    def missing(self) -> tuple[Trial, ...]:
        """The due trials without an outcome, in the plan's order."""
        return tuple(trial for trial in self.trials if trial.key not in self.outcomes)

    @property
    def left(self) -> tuple[Trial, ...]:
        """The missing trials that this start still trains."""
        return tuple(
            t for t in self.missing if self.wanted(t) and not self.attempts.is_given_up(t)
        )

    @property
    def given_up(self) -> Absent:
        """Arm and seed of the missing trials that this start trains no more: they failed."""
        return self.attempts.given_up(self.missing)

    @property
    def failed(self) -> int:
        """Number of due trials that ended as FAILED."""
        ended = (self.outcomes.get(trial.key) for trial in self.trials)
        return sum(outcome is not None and outcome.status == "FAILED" for outcome in ended)

    def record(self, finished: Finished) -> Outcome:
        """Acknowledges a trial and returns its outcome: it is kept on the disk and sent soon."""
        trial = finished.trial
        data = self.plan.data_of(trial)
        parcel = tracking.parcel_of(self.home, finished, data, self.versions)
        outcome = parcel.outcome
        assert outcome is not None
        path = self.sender.keep(parcel)  # until this has returned, the trial does not count
        if len(self.plan.declaration.looks) > 1:
            self.scores[trial.key] = finished.result.correct
        self._trials[trial.key] = trial
        self.outcomes[trial.key] = outcome
        self.sender.queue(path)
        self.live.forget(trial)
        return outcome

    def record_failure(self, ended: Unfinished) -> bool:
        """Records a training without an outcome; returns whether the trial is tried again."""
        trial = ended.trial
        data = self.plan.data_of(trial)
        parcel = tracking.parcel_of_failure(self.home, ended, data, self.versions)
        self.sender.queue(self.sender.keep(parcel))
        self.live.forget(trial)
        self.mirror.wait(trial)
        return self.attempts.note(trial, ended.failure)

    def show_long(self, running: Sequence[Trial]) -> None:
        """Shows long trainings in MLflow from time to time, unless the record has to catch up."""
        if self.live.is_due():
            self.sender.when_idle(lambda: self.live.look(running))

    def sent(self, parcel: Parcel, outcome: Outcome | None) -> None:
        """Notes that a parcel is recorded, and shows its trial in the mirror."""
        if outcome is not None:
            trial = self._trials.pop(parcel.key)
            self.outcomes[parcel.key] = outcome
            self.mirror.finish(trial, outcome, parcel.curve(self.plan.declaration.metric))


@contextlib.contextmanager
def session(
    plan: Plan,
    places: Places,
    held: Held | None = None,
    wanted: Callable[[Trial], bool] = lambda _: True,
    *,
    keep: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Session]:
    """Opens the record of a study, declares it, and reconciles what an earlier end left behind.

    Args:
        plan: The plan.
        places: Where it is recorded.
        held: The study's lock; None takes it.
        wanted: Whether a trial is to be trained in this start.
        keep: Whether results under earlier sources are taken as they are.
        tell: Shows a line to the user.

    Raises:
        Refused: If the record cannot be used, or another process is using it.
    """
    study = plan.study.name
    with recording(places), tracking.short_requests(), contextlib.ExitStack() as stack:
        held = held or stack.enter_context(hold(places, study))
        home, storage, lease = open_stores(plan, places, stack)
        opened: Session | None = None
        # From here on every request is the sender's, because a record may hang at any of them.
        sender = Sender(
            home,
            tracking.outbox_of(places, study),
            lease,
            tell=tell,
            sent=lambda parcel, outcome: opened.sent(parcel, outcome) if opened else None,
            early=lambda key: opened.live.take(key) if opened else None,
        )
        try:
            damaged = sender.outbox.set_damaged_aside()
            opened = sender.ask(lambda: _open(plan, home, storage, held, sender, keep=keep))
            opened.resent, opened.damaged = sender.resent, damaged
            opened.look()
            opened.wanted = wanted
            yield opened
            sender.drain()
            complete = not opened.missing
            opened.live.close(complete=complete)
            sender.later(lease.check)
            sender.ask(opened.mirror.mend)
            sender.end(lambda: _close(home, complete=complete))
        except tracking.LeaseLost:
            sender.abandon()  # what is left is its new holder's
            raise
        except BaseException:
            sender.leave(lambda: _close(home, complete=False))
            raise


def open_stores(
    plan: Plan, places: Places, stack: contextlib.ExitStack
) -> tuple[Home, Any, Lease]:
    """Opens record and mirror, creates what is missing of them, and takes the label's lease.

    Args:
        plan: The plan.
        places: Where it is recorded.
        stack: Closes the mirror and releases the lease when it is closed.
    """
    study = plan.study.name
    # Two processes that both create databases or an experiment would trip each other up.
    with opening(places):
        tracking.reach(places.tracking, "MLFLOW_TRACKING_URI")
        tracking.reach(places.storage, "ABLATION_STORAGE")
        client = tracking.connect(places.tracking, record=True)
        storage = mirrors.connect(places.storage)
        stack.callback(mirrors.close, storage)
        label = plan.label(tracking.labels_taken(client, study))
        place = tracking.open_experiment(client, study, label, places.artifacts)
    # The lock keeps out other processes of this machine, the lease those of others. Only who has
    # both changes what is recorded.
    lease = stack.enter_context(tracking.leased(client, place, label))
    home = tracking.open_home(
        client, study, label, data=plan.declaration.data, artifacts=places.artifacts
    )
    home = dataclasses.replace(home, colours=landing.colours(plan.declaration))
    return home, storage, lease


def _open(
    plan: Plan, home: Home, storage: Any, held: Held, sender: Sender, *, keep: bool
) -> Session:
    """Sends what an earlier end left, declares the study, and reconciles plan, mirror, record."""
    study = plan.study
    tracking.close_unfinished(home)
    sender.send_left()
    outcomes = tracking.outcomes(home)
    outdated = tracking.outdated_of(home, plan, outcomes)
    if keep and outdated is not None:
        tracking.keep(home, outdated.hashes)
        outcomes = tracking.outcomes(home)
    # As of the lock: a worker may have begun with a trial since, but none earlier.
    tracking.declare(home, plan.declaration, wording_of(plan), seen=len(outcomes), at=held.since)
    tracking.describe_data(home, plan.data)
    landing.set_up(home, plan.declaration, study.question)
    landing.recolour(home, outcomes)
    about = plan.study.task.about(_baseline(plan), plan.data)
    tracking.keep_about(home, _shown(plan, about, "texts"))
    tracking.keep_tests(home, _shown(plan, plan.study.task.tests(plan.data), "text"))
    tracking.keep_commonest(home, plan.data.test_commonest())
    _keep_table(study, home)

    def reconcile(mirror: Mirror) -> None:
        curves = partial(tracking.validation_curves, home, plan.declaration, outcomes)
        mirror.reconcile(plan.trials, outcomes, curves)
        mirror.reconcile_others(home.label, outcomes)

    opening = partial(mirrors.open_mirror, storage, plan, label=home.label)
    versions = stamp(study.task.libraries)
    return Session(
        plan=plan,
        home=home,
        mirror=mirrors.Lenient(opening, reconcile, later=sender.later),
        sender=sender,
        outcomes=outcomes,
        live=Live(home, held.progress, plan, versions),
        outdated=outdated,
        versions=versions,
        taken=tracking.taken_of(home, plan.declaration.hash),
        naive=plan.data.test_commonest(),
    )


def _baseline(plan: Plan) -> Any:
    """Returns the baseline's configuration."""
    arms, name = plan.study.complete_arms, plan.study.baseline_name
    return next(arm.config for arm in arms if arm.name == name)


def _shown(plan: Plan, said: Mapping[str, Any], texts: str) -> dict[str, Any]:
    """Returns what the task says of the data, without its texts where the study shows none."""
    return {name: value for name, value in said.items() if name != texts or plan.study.show_texts}


def wording_of(plan: Plan) -> dict[str, Any]:
    """Returns the wording of a study and its data, which is no part of the declaration."""
    study, notes = plan.study, plan.study.task.notes(plan.data)
    data = {"data": list(notes.read), "data_warnings": list(notes.warnings)}
    words = {"question": study.question, "title": study.title, "caveats": list(study.caveats)}
    if study.command != study.name:
        words["command"] = study.command
    return words | {name: said for name, said in data.items() if said}


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
