"""The command ``run``: carries out what is missing of a study, and writes its report."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ablation.cli.folder import refuse_places
from ablation.cli.options import (
    Data,
    Device,
    FailFast,
    FollowUp,
    KeepResults,
    Label,
    Name,
    Only,
    Reports,
    Seeds,
    Store,
    Text,
    Timeout,
    Workers,
    WorkersAt,
    WorkersFrom,
)
from ablation.cli.output import show_data, show_line
from ablation.cli.plan import screening
from ablation.cli.process import INTERRUPTED, stop_if_asked, stop_when_asked
from ablation.cli.recorded import (
    DRAWING,
    find_home,
    load_for_the_report,
    show_report,
    write_report,
)
from ablation.cli.sync import of_trials, show_left_by_earlier
from ablation.errors import Refused
from ablation.records import causes

if TYPE_CHECKING:
    from ablation.execute import Crew, Glance, Held, Session
    from ablation.execute.walk import Orders
    from ablation.records.places import Places
    from ablation.study.plan import Plan
    from ablation.tracking import Home

MOST_WORKERS = 1000


def run(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    workers: Workers = None, device: Device = "auto", store: Store = None,
    reports: Reports = Path("reports"), follow_up: FollowUp = False, only: Only = None,
    timeout: Timeout = None, fail_fast: FailFast = False, keep_results: KeepResults = False,
    workers_at: WorkersAt = None, workers_from: WorkersFrom = None,
) -> None:  # fmt: skip
    """Runs the missing trials of a study, records them and writes the report."""
    _refuse_options(device, workers, timeout)
    from ablation.cli.asked import check_arms
    from ablation.cli.crews import crew_of
    from ablation.cli.follow import follow_up_plan
    from ablation.cli.part import part_of
    from ablation.cli.searched import with_searches
    from ablation.cli.sets import heading, plans_of, write_over_sets
    from ablation.execute.garbage import loading, seldom
    from ablation.execute.walk import Orders
    from ablation.records.places import places
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection
    from ablation.tracking import settled as settled_store

    study, where = load(name, STUDIES), places(store)  # a wrong name is refused at once
    here = workers_at is None and workers_from is None
    if device == "cuda" and here:  # also at once; for other devices it would load PyTorch in vain
        study.task.device(device)
    with crew_of(study, workers, at=workers_at, made_by=workers_from) as crew:
        if not where.record_exists:  # a record may show that nothing is left to train
            crew.prepare(*study.task.preload, environment=study.task.environment)
        with loading():
            plans = plans_of(study, Redirection(data=data, text=text, label=label), seeds)
            if follow_up:
                plans = tuple(
                    follow_up_plan(with_searches(given, store)[0], where) for given in plans
                )
        wanted = part_of(plans[0], only or ())
        for given in plans:  # before anything trains, on whichever data
            for warning in check_arms(given):
                show_line(f"Warning: {warning}")
        stop_when_asked()
        orders = Orders(
            device=device,
            timeout=timeout,
            fail_fast=fail_fast,
            wanted=wanted,
            keep_results=keep_results,
        )
        complete = []
        with seldom(), settled_store(where.tracking):
            for place, given in enumerate(plans):
                stop_if_asked()
                if which := heading(plans, place):
                    show_line(which)
                complete.append(_run_on(given, crew, where, reports, orders))
                over = write_over_sets(plans, reports, crew.map)
                if fail_fast and not complete[-1]:
                    break
    if over:
        show_line(over)
    if not all(complete):
        raise typer.Exit(1)


def _run_on(given: Plan, crew: Crew, where: Places, reports: Path, orders: Orders) -> bool:
    """Runs what is missing on one data set and writes its report.

    Returns:
        Whether every trial that was wanted has an outcome.

    Raises:
        Exit: After Ctrl-C.
    """
    from ablation.cli.searched import search_first
    from ablation.cli.settled import is_settled
    from ablation.execute import ProcessCrew, glance, hold

    given = search_first(given, crew, where, orders)
    seen = glance(given, where)
    # A store on a read-only disk may be so, too; of a study that asks for fresh runs, these may
    # still be missing.
    if seen is not None and not given.study.confirm and is_settled(given, where, seen):
        _report_settled(given, seen, crew, where, reports)
        return True
    if given.study.tune:
        _run_shared(given, crew, where, orders)
    with hold(where, given.study.name) as held:
        seen = glance(given, where)  # again: another process may have been recording
        refuse_places(reports)
        show_data(given)
        _prepare(given, seen, crew)
        opened, idle = _carry_out(given, crew, where, held, seen=seen, orders=orders)
    failed, left = opened.attempts.summary(), bool(opened.left)
    if opened.outcomes:
        if again := _run_fresh(given, opened.home, crew, where, orders):
            failed, left = [*failed, *again.attempts.summary()], left or bool(again.left)
        at_hand = not idle or isinstance(crew, ProcessCrew)
        stop_if_asked()
        write_report(opened.home, where, reports, crew if at_hand else None)
    for worker in opened.attempts.workers:
        show_line(f"Worker {worker} was put aside: three arms failed there and not elsewhere.")
    for line in failed:
        show_line(line)
    if opened.missing:
        names = ", ".join(f"{t.arm.name} seed {t.seed}" for t in opened.missing[:10])
        show_line(f"{len(opened.missing)} planned trials are missing: {names}")
    return not failed and not left


def _report_settled(given: Plan, seen: Glance, crew: Crew, where: Places, reports: Path) -> None:
    """Shows the report of a study that has nothing to train, and writes it first if need be."""
    from ablation.cli.settled import shown_of
    from ablation.execute import ProcessCrew

    shown = shown_of(seen, reports)
    if shown is not None:
        show_line(_all_done(seen.label, shown["trials"]))
        show_report(seen.label, shown, reports)
        return
    refuse_places(reports)
    show_data(given)
    show_line(_all_done(seen.label, len(seen.due(given))))
    _prepare(given, seen, crew)  # workers draw what this process reads
    if isinstance(crew, ProcessCrew):
        crew.start()
    home = find_home(where.tracking, seen.label)
    write_report(home, where, reports, crew if isinstance(crew, ProcessCrew) else None)


def _prepare(given: Plan, seen: Glance | None, crew: Crew) -> None:
    """Starts loading what the crew trains with; what it draws with if nothing is to train."""
    task = given.study.task
    trains = seen is None or given.study.confirm or seen.missing(given)
    crew.prepare(*(task.preload if trains else DRAWING), environment=task.environment)


def _run_fresh(
    given: Plan, home: Home, crew: Crew, where: Places, orders: Orders
) -> Session | None:
    """Runs what was decided once more on fresh seeds, where the study asks for that."""
    from ablation.cli.follow import fresh_plan
    from ablation.execute import glance, hold

    fresh = fresh_plan(given, home)
    if fresh is None:
        return None
    show_line(f"The arms that were decided run once more, on {given.study.confirm} fresh seeds.")
    with hold(where, fresh.study.name) as held:
        seen = glance(fresh, where)
        return _carry_out(fresh, crew, where, held, seen=seen, orders=orders)[0]


def _run_shared(given: Plan, crew: Crew, where: Places, orders: Orders) -> None:
    """Runs the arms of a tuned study at their shared hyperparameters, as a study beside it."""
    from ablation.cli.asked import replan
    from ablation.execute import glance, hold
    from ablation.study.searched import shared

    beside, task = replan(given, shared(given.study)), given.study.task
    with hold(where, beside.study.name) as held:
        seen = glance(beside, where)
        done = seen is not None and seen.parent is not None and seen.parent.status == "FINISHED"
        if seen is None or not done or seen.missing(beside):
            crew.prepare(*task.preload, environment=task.environment)
            _carry_out(beside, crew, where, held, seen=seen, orders=orders)


def _carry_out(
    given: Plan,
    crew: Crew,
    where: Places,
    held: Held,
    *,
    seen: Glance | None,
    orders: Orders,
) -> tuple[Session, bool]:
    """Trains and records the missing trials; returns the session and whether none was missing."""
    from ablation.cli.progress import follow
    from ablation.execute import hand_out, session
    from ablation.execute.garbage import loading

    opened: Session | None = None
    try:
        outdated = None if seen is None else seen.outdated(given)
        if outdated is not None:
            show_line(outdated.told(keep=orders.keep_results))
            if orders.keep_results and seen is not None:
                seen = seen.keeping(outdated.hashes)
        missing = [] if seen is None else seen.missing(given)
        missing, handed = [trial for trial in missing if orders.wanted(trial)], None
        if missing:
            device, timeout, folder = orders.device, orders.timeout, held.progress
            handed = hand_out(crew, given, missing, folder, device=device, timeout=timeout)
        with contextlib.ExitStack() as record:
            with loading():  # it takes seconds, in which the workers load and train
                keep, tell = orders.keep_results, show_line
                opened = record.enter_context(
                    session(given, where, held, orders.wanted, keep=keep, tell=tell)
                )
            stop_if_asked()  # libraries are loaded, which may take no notice
            show_left_by_earlier(opened)
            if outdated is None and opened.outdated is not None:  # of a record on a server
                show_line(opened.outdated.told(keep=orders.keep_results))
            if warning := screening(given.study):
                show_line(warning)
            idle = not opened.left
            if not opened.missing:
                show_line(_all_done(opened.home.label, len(opened.trials)))
            else:
                steps = follow(opened, crew, handed, orders)
                for left in record.enter_context(contextlib.closing(steps)):
                    stop_if_asked()
                    if left <= crew.at_once:
                        load_for_the_report(crew)
                stop_if_asked()
    except KeyboardInterrupt:
        crew.end()
        _show_stopped(opened)
        raise typer.Exit(INTERRUPTED) from None
    except BaseException:
        crew.end()  # while the lock is held: nobody trains beside another conductor
        raise
    if opened.mirror.fault is not None:
        why = causes.first_line(opened.mirror.fault)
        show_line(f"All is recorded, but the mirror could not be written: {why}")
        show_line("The next start restores it.")
    return opened, idle


def _show_stopped(opened: Session | None) -> None:
    """Says after Ctrl-C what is done, and what of that is not recorded yet."""
    planned = len(opened.trials) if opened else 0
    done = planned - len(opened.missing) if opened else 0
    kept = f": {done} of {planned} planned trials are done and kept" if planned else ""
    show_line(f"\nStopped{kept}. Run the same command again to go on.")
    if opened and (unsent := opened.sender.unsent):
        show_line(f"{of_trials(unsent)} not recorded yet; that comes first, or: ablation sync")


def _all_done(label: str, trials: int) -> str:
    return f"{label}: all {trials} planned trials are done; nothing to run."


def _refuse_options(device: str, workers: int | None, timeout: float | None) -> None:
    if device not in {"auto", "cpu", "cuda"}:
        raise Refused(f"No device {device!r}.", "Give auto, cpu or cuda.")
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise Refused(
            f"1 to {MOST_WORKERS} workers are possible; got {workers}.",
            "Leave --workers out for one per core.",
        )
    if timeout is not None and not timeout > 0:
        raise Refused(f"--timeout must be > 0; got {timeout!r}.", "Give seconds, or leave it out.")
