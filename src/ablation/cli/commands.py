"""The commands. Heavy libraries are imported inside the functions that need them."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablation.cli import asjson
from ablation.cli.asjson import Json, show_json, verdicts_of
from ablation.cli.folder import folder_of, refuse_places
from ablation.cli.judging import judge
from ablation.cli.new import new
from ablation.cli.output import escaped, show, show_data
from ablation.cli.recorded import (
    existing,
    find_home,
    page_of,
    show_report,
    write_report,
)
from ablation.errors import Refused, public

if TYPE_CHECKING:
    from ablation.execute import Glance, Held, ProcessCrew, Session
    from ablation.execute.walk import Orders
    from ablation.records.places import Places
    from ablation.study.plan import Plan
    from ablation.study.spec import Study
    from ablation.tracking import Home

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich takes longer to load than everything else that --help needs
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ablation studies of attention pooling in a text classifier, answered with evidence.",
)

MOST_WORKERS = 1000

INTERRUPTED = 130
"""Exit code after Ctrl-C, the convention of shells."""

DRAWING = (
    "ablation.report.drawing",
    "ablation.figures.library",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
)
"""What a worker needs to draw the report's figures. It takes a second or more to load, so that no
worker does before it has nothing left to train."""

REPORTING = ("ablation.report", "ablation.analysis.effects")
"""What this process needs to write the report."""

Name = Annotated[str, typer.Argument(help="A study in studies/, or the path of a study file.")]
Data = Annotated[
    str | None,
    typer.Option(
        help="Other data: a local folder or file, or a Hub id like owner/name@commit; several "
        "with commas between them."
    ),
]
Text = Annotated[str | None, typer.Option(help="Name of the text column.")]
Label = Annotated[str | None, typer.Option(help="Name of the class column.")]
Seeds = Annotated[int | None, typer.Option(help="Train each arm with this many seeds.")]
Store = Annotated[
    Path | None,
    typer.Option(
        parser=folder_of,
        help="Folder for mlflow.db, optuna.db and the artifacts; overrides the environment.",
    ),
]
Reports = Annotated[Path, typer.Option(parser=folder_of, help="Folder for the reports.")]
Workers = Annotated[
    int | None, typer.Option(help="Number of training processes; one per core if unset.")
]
FollowUp = Annotated[
    bool,
    typer.Option(
        "--follow-up",
        help="Run the follow-up study that the report proposes: its open arms, on fresh seeds.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
KeepResults = Annotated[
    bool,
    typer.Option("--keep-results", help="Keep results of trials whose sources changed since."),
]
Only = Annotated[
    list[str] | None,
    typer.Option(help="Train a part: arm=NAME or seed=NUMBER; may be given several times."),
]
Timeout = Annotated[
    float | None, typer.Option(help="Seconds after which a trial is ended, and tried again.")
]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", help="Stop at the first trial that raises or is lost.")
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        show(f"ablation {version('attention-ablation')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options of the command itself."""


@app.command("list")
def list_() -> None:
    """Lists the studies with their questions."""
    from rich.table import Table

    from ablation.study.load import STUDIES, known_studies, load

    table = Table("study", "arms", "baseline", "question", box=None)
    broken = []
    for name in known_studies(STUDIES):
        try:
            study = load(name, STUDIES)
        except Refused as error:
            broken.append(error.rule)
            continue
        arms = study.complete_arms
        table.add_row(*map(escaped, (name, len(arms), study.baseline_name, study.question)))
    show(table)
    for rule in broken:
        show(escaped(f"Not usable: {rule}"))
    show("Run one: make study NAME=init_std")


@app.command()
def plan(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    store: Store = None, workers: Workers = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Prints a study's arms, the finished and missing trials, and an estimate of the time."""
    from ablation.cli.searched import with_searches
    from ablation.cli.sets import plans_of
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    other = Redirection(data=data, text=text, label=label)
    plans = plans_of(load(name, STUDIES), other, seeds)
    if as_json:
        from ablation.cli.asked import look_up

        show_json({"plans": [asjson.plan_of(given, look_up(given, store)) for given in plans]})
        return
    for before in plans:
        given, said = with_searches(before, store)
        for line in said:
            show(escaped(line))
        _show_plan(given, store, workers)


def _show_plan(given: Plan, store: Path | None, workers: int | None) -> None:
    """Prints one data set's arms, trials and estimate of the time."""
    from rich.table import Table

    from ablation.cli.asked import cores, estimate, look_up
    from ablation.mirror import DONE

    study, seen = given.study, look_up(given, store)
    table = Table("arm", "config", "seeds", "done", "missing", box=None)
    for arm, config in dict.fromkeys((t.arm.name, t.config_hash) for t in given.trials):
        states = [seen.state(trial) for trial in seen.planned if trial.arm.name == arm]
        done = sum(state in DONE for state in states)
        table.add_row(*map(escaped, (arm, config, len(states), done, len(states) - done)))
    show(escaped(f"{seen.label}: {study.question}"))
    show(table)
    show_data(given)
    missing = [trial for trial in seen.planned if seen.state(trial) not in DONE]
    show(f"{len(seen.planned)} trials are planned; {len(missing)} missing. {_budget(given.study)}")
    if seen.note:
        show(seen.note)
    # After the tables, because loading takes a second.
    from ablation.analysis import checks_of, factor_rows, planning

    examples = given.data.rows.get("test") if given.declaration.can_generalise else None
    known = seen.values(study.baseline_name)
    show(planning(given.study, known, examples, seen.deviation))
    for row in factor_rows(given.study, given.declaration, known):
        show(escaped(row))
    for found in checks_of(given, known):
        show(escaped(f"Check {found}"))
    if missing:
        show(estimate(given, seen, missing, workers or cores()))


@app.command()
def status(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    store: Store = None,
    watch: Annotated[bool, typer.Option(help="Update it until all trials are done.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Prints a study's results as a matrix of arms and seeds."""
    from rich.console import Console

    from ablation.cli import matrix
    from ablation.cli.asked import cores, look_up
    from ablation.cli.searched import with_searches
    from ablation.cli.sets import plans_of
    from ablation.mirror import DONE
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    other = Redirection(data=data, text=text, label=label)
    plans = [with_searches(each, store)[0] for each in plans_of(load(name, STUDIES), other, seeds)]
    if as_json:
        show_json({"studies": [asjson.status_of(given, look_up(given, store)) for given in plans]})
        return
    for given in plans:
        look = partial(look_up, given, store)
        if watch:
            if not matrix.watch(given, look, Console(), workers=cores()):
                return
            continue
        seen = look()
        show(escaped(f"{seen.heading}, by seed and arm"))
        show(matrix.matrix(seen, times=False))
        done = sum(seen.state(trial) in DONE for trial in seen.planned)
        show(f"{done} of {len(seen.planned)} planned trials are done. {seen.note}")


@app.command()
def run(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    workers: Workers = None, device: Device = "auto", store: Store = None,
    reports: Reports = Path("reports"), follow_up: FollowUp = False, only: Only = None,
    timeout: Timeout = None, fail_fast: FailFast = False, keep_results: KeepResults = False,
) -> None:  # fmt: skip
    """Runs the missing trials of a study, records them and writes the report."""
    _refuse_options(device, workers, timeout)
    from ablation.cli.asked import cores
    from ablation.cli.follow import follow_up_plan
    from ablation.cli.part import part_of
    from ablation.cli.searched import with_searches
    from ablation.cli.sets import heading, plans_of, write_over_sets
    from ablation.execute import ProcessCrew
    from ablation.execute.alone import alone
    from ablation.execute.crew import prepare_pool
    from ablation.execute.garbage import loading, seldom
    from ablation.execute.walk import Orders
    from ablation.records.places import places
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection
    from ablation.tracking import settled as settled_store

    study, where = load(name, STUDIES), places(store)  # a wrong name is refused at once
    if device == "cuda":  # likewise, and only then, since asking loads PyTorch
        study.task.device(device)
    if not where.record_exists:  # else there may be nothing to train, as is told in no time
        prepare_pool(*study.task.preload, environment=study.task.environment)
    with loading():
        plans = plans_of(study, Redirection(data=data, text=text, label=label), seeds)
        if follow_up:
            plans = tuple(follow_up_plan(with_searches(given, store)[0], where) for given in plans)
    wanted = part_of(plans[0], only or ())
    for given in plans:  # before anything trains, on whichever data
        arms = given.study.complete_arms
        pairs = [(arm.config, given.data_by_arm[arm.name]) for arm in arms]
        with alone(0):  # user-defined code may set anything for the process
            warnings = given.study.task.check(pairs)
        for warning in warnings:
            show(escaped(f"Warning: {warning}"))
    _terminate_like_interrupt()
    orders = Orders(
        device=device,
        timeout=timeout,
        fail_fast=fail_fast,
        wanted=wanted,
        keep_results=keep_results,
    )
    complete = []
    at_once = workers or max(1, cores() // study.task.threads)
    with seldom(), settled_store(where.tracking), ProcessCrew(at_once) as crew:
        for place, given in enumerate(plans):
            if which := heading(plans, place):
                show(escaped(which))
            complete.append(_run_on(given, crew, where, reports, orders))
            over = write_over_sets(plans, reports, crew.map)
            if fail_fast and not complete[-1]:
                break
    if over:
        show(escaped(over))
    if not all(complete):
        raise typer.Exit(1)


def _run_on(given: Plan, crew: ProcessCrew, where: Places, reports: Path, orders: Orders) -> bool:
    """Runs what is missing on one data set and writes its report.

    Returns:
        Whether every trial that was wanted has an outcome.

    Raises:
        Exit: After Ctrl-C.
    """
    from ablation.cli.searched import search_first
    from ablation.cli.settled import settled
    from ablation.execute import glance, hold
    from ablation.execute.crew import prepare_pool

    given = search_first(given, crew, where, orders)
    seen = glance(given, where)
    shown = settled(given, where, seen, reports)
    # A store on a read-only disk may be so, too; of a study that asks for fresh runs, these may
    # still be missing.
    if seen is not None and shown is not None and not given.study.confirm:
        show(escaped(_all_done(seen.label, shown["trials"])))
        show_report(seen.label, shown, reports)
        return True
    if given.study.tune:
        _run_shared(given, crew, where, orders)
    with hold(where, given.study.name) as held:
        seen = glance(given, where)  # again: another process may have been recording
        refuse_places(reports)
        show_data(given)
        task = given.study.task
        prepare_pool(*task.preload, environment=task.environment)
        opened, idle = _carry_out(given, crew, where, held, seen=seen, orders=orders)
    failed, left = opened.attempts.summary(), bool(opened.left)
    if opened.outcomes:
        if again := _run_fresh(given, opened.home, crew, where, orders):
            failed, left = [*failed, *again.attempts.summary()], left or bool(again.left)
        _write_report(opened.home, where, reports, None if idle else crew)
    for line in failed:
        show(escaped(line))
    if opened.missing:
        names = ", ".join(f"{t.arm.name} seed {t.seed}" for t in opened.missing[:10])
        show(escaped(f"{len(opened.missing)} planned trials are missing: {names}"))
    return not failed and not left


def _run_fresh(
    given: Plan, home: Home, crew: ProcessCrew, where: Places, orders: Orders
) -> Session | None:
    """Runs what was decided once more on fresh seeds, where the study asks for that."""
    from ablation.cli.follow import fresh_plan
    from ablation.execute import glance, hold

    fresh = fresh_plan(given, home)
    if fresh is None:
        return None
    show(f"The arms that were decided run once more, on {given.study.confirm} fresh seeds.")
    with hold(where, fresh.study.name) as held:
        seen = glance(fresh, where)
        return _carry_out(fresh, crew, where, held, seen=seen, orders=orders)[0]


def _run_shared(given: Plan, crew: ProcessCrew, where: Places, orders: Orders) -> None:
    """Runs the arms of a tuned study at their shared hyperparameters, as a study beside it."""
    from ablation.cli.searched import plan_of_shared
    from ablation.execute import glance, hold
    from ablation.execute.crew import prepare_pool

    beside, task = plan_of_shared(given), given.study.task
    with hold(where, beside.study.name) as held:
        seen = glance(beside, where)
        done = seen is not None and seen.parent is not None and seen.parent.status == "FINISHED"
        if seen is None or not done or seen.missing(beside):
            prepare_pool(*task.preload, environment=task.environment)
            _carry_out(beside, crew, where, held, seen=seen, orders=orders)


def _carry_out(
    given: Plan,
    crew: ProcessCrew,
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
            show(escaped(outdated.told(keep=orders.keep_results)))
            if orders.keep_results and seen is not None:
                seen = seen.keeping(outdated.hashes)
        missing = [] if seen is None else seen.missing(given)
        missing, handed = [trial for trial in missing if orders.wanted(trial)], None
        if missing:
            device, timeout, folder = orders.device, orders.timeout, held.progress
            handed = hand_out(crew, given, missing, folder, device=device, timeout=timeout)
        with contextlib.ExitStack() as record:
            with loading():  # it takes seconds, in which the workers load and train
                opened = record.enter_context(
                    session(given, where, held, orders.wanted, keep=orders.keep_results)
                )
            if outdated is None and opened.outdated is not None:  # of a record on a server
                show(escaped(opened.outdated.told(keep=orders.keep_results)))
            if screening := _screening(given.study):
                show(screening)
            idle = not opened.left
            if not opened.missing:
                show(escaped(_all_done(opened.home.label, len(opened.trials))))
            else:
                steps = follow(opened, crew, handed, orders)
                for left in record.enter_context(contextlib.closing(steps)):
                    if left <= crew.at_once:
                        _load_for_the_report(crew)
    except KeyboardInterrupt:
        crew.end()
        planned = len(opened.trials) if opened else 0
        done = planned - len(opened.missing) if opened else 0
        kept = f": {done} of {planned} planned trials are done and kept" if planned else ""
        show(f"\nStopped{kept}. Run the same command again to go on.")
        raise typer.Exit(INTERRUPTED) from None
    except BaseException:
        crew.end()  # while the lock is held: nobody trains beside another conductor
        raise
    return opened, idle


def _write_report(home: Home, where: Places, reports: Path, crew: ProcessCrew | None) -> None:
    """Writes a report whose figures a crew draws, or this process if there is none."""
    from concurrent.futures import BrokenExecutor

    try:
        write_report(home, where, reports, map if crew is None else crew.map)
    except BrokenExecutor:  # all is recorded; drawing without workers takes a second longer
        write_report(home, where, reports)


def _all_done(label: str, trials: int) -> str:
    return f"{label}: all {trials} planned trials are done; nothing to run."


def _load_for_the_report(crew: ProcessCrew) -> None:
    """Loads what writes the report while the last trials train, and what draws it after them.

    A worker that has no trial left loads beside one that has.
    """
    from concurrent.futures import BrokenExecutor

    from ablation.execute.crew import load

    with contextlib.suppress(BrokenExecutor):  # the walk tells which trial lost its worker
        for _ in range(crew.at_once):
            crew.submit(load, *DRAWING)
    load(*REPORTING)


@app.command()
def report(
    name: Annotated[
        str | None,
        typer.Argument(help="A study, or the path of its file; if unset, the overview page."),
    ] = None, *, data: Data = None, text: Text = None, label: Label = None, store: Store = None,
    reports: Reports = Path("reports"), as_json: Json = False,
) -> None:  # fmt: skip
    """Builds a study's report from its record, or the overview page of all reports."""
    if name is None:
        from ablation.report import index

        path = index(reports)
        show_json({"index": str(path)}) if as_json else show(escaped(f"All studies: {path}"))
        return
    from ablation import tracking
    from ablation.cli.asked import cores
    from ablation.cli.sets import ENDING, plans_to_report, write_over_sets
    from ablation.execute.crew import ProcessCrew, prepare_pool
    from ablation.records.places import places
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    where = places(store)
    uri = existing(where.tracking)
    prepare_pool(*DRAWING)  # while this process loads MLflow and reads the record
    study = load(name, STUDIES).name if name.endswith(".py") else name.partition("@")[0]
    title = study if name.endswith(".py") else name
    plans = plans_to_report(name, Redirection(data=data, text=text, label=label))
    taken = tracking.labels_taken(tracking.connect(uri), study) if plans else {}
    titles = [plan.label(taken) for plan in plans] or [title]
    with _quiet(as_json), tracking.settled(uri), ProcessCrew(cores()) as crew:
        built = [title for title in titles if title in taken] or titles[:1]
        for each in built:
            home = find_home(uri, each)
            crew.start()
            _write_report(home, where, reports, crew)
        over = write_over_sets(plans, reports, crew.map, labels=titles) if plans else ""
    if as_json:
        from ablation.report import read

        folders = [reports / each for each in built]
        told = [verdicts_of(read(folder), folder) for folder in folders]
        page = asjson.over_sets_of(reports / f"{study}{ENDING}") if over else None
        show_json({"judged": told, "over_sets": page})
    elif over:
        show(escaped(over))


def _quiet(as_json: bool) -> contextlib.AbstractContextManager[Any]:
    """Leaves the standard output to one JSON object, if that is asked for."""
    return asjson.elsewhere() if as_json else contextlib.nullcontext()


@app.command()
def rerun(
    run_id: Annotated[str, typer.Argument(help="MLflow's id of a trial's run.")],
    study: Annotated[
        str | None, typer.Argument(help="Its study, if that is no longer in studies/ by its name.")
    ] = None, *, data: Data = None, text: Text = None, label: Label = None, store: Store = None,
) -> None:  # fmt: skip
    """Trains a recorded run again and says whether it comes out the same, bit for bit."""
    from ablation import tracking
    from ablation.cli.again import train_again
    from ablation.cli.asked import plan_of
    from ablation.records.places import places
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    client = tracking.connect(existing(places(store).tracking))
    known = tracking.recorded(client, run_id)
    name = study or known.tags[tracking.LABEL].partition("@")[0]
    given = plan_of(load(name, STUDIES), Redirection(data=data, text=text, label=label))
    if not train_again(given, known):
        raise typer.Exit(1)


@app.command()
def rebuild(
    folders: Annotated[list[Path], typer.Argument(help="Folders of reports.")],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file would change.")
    ] = False,
) -> None:
    """Rebuilds reports from their own folders, without a record."""
    from ablation import report

    differing: list[Path] = []
    for folder in folders:
        if check:
            differing += [folder / name for name in report.differing(folder)]
        else:
            report.rebuild(folder)
    for path in differing:
        show(escaped(f"A rebuild would change {path}"))
    if differing:
        raise typer.Exit(1)
    said = "1 report is" if len(folders) == 1 else f"{len(folders)} reports are"
    show(f"{said} {'as a rebuild makes them' if check else 'rebuilt'}.")


app.command()(judge)
app.command()(new)


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for the copy.")],
    *,
    store: Store = None,
) -> None:
    """Copies databases and artifacts to a new folder, while studies may run."""
    from ablation.execute import back_up
    from ablation.records.places import places

    back_up(places(store), to)
    show(escaped(f"Copied to {to}; it is a store of its own: --store {to}"))


@app.command()
def ui(
    name: Annotated[
        str | None, typer.Argument(help="Study to open; if unset, the one that ran last.")
    ] = None,
    *,
    store: Store = None,
    port: Annotated[int, typer.Option(help="Port.")] = 5000,
) -> None:
    """Serves MLflow's web pages for the store, on this machine only."""
    from ablation.cli import pages
    from ablation.records.places import places

    if not 0 < port < 1 << 16:
        raise Refused(f"There is no port {port}.", "Give a port from 1024 to 65535.")
    uri = existing(places(store).tracking)
    page = page_of(uri, name)
    if uri.startswith("http"):
        where = public(uri).rstrip("/") + (f"/#/{page}" if page else "")
        show(escaped(f"The runs are on a tracking server: open {where}"))
        return
    _terminate_like_interrupt()
    try:
        with pages.server(uri, port) as process:
            pages.until_it_listens(process, port)
            where = pages.address(port, page)
            show(escaped(f"MLflow serves {public(uri)} on {where}; press Ctrl-C to stop."))
            pages.open_browser(where)
            raise pages.ended(process, process.wait())
    except KeyboardInterrupt:
        return


def main() -> None:
    """Runs the command line; a `Refused` is printed as two lines and exits with code 2."""
    from ablation.cli import process

    process.prepare()
    try:
        sys.exit(app(standalone_mode=len(sys.argv) == 1))  # without arguments it shows the help
    except Refused as error:
        process.say(error)
        raise SystemExit(error.code) from None
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (OSError, MemoryError) as error:
        process.say(process.refused_by_system(error))
        raise SystemExit(2) from None
    except Exception as error:
        if (misuse := process.misused(error)) is None:
            process.say_fault()
            raise SystemExit(1) from None
        process.say(misuse)
        raise SystemExit(2) from None
    finally:
        # Else the collector looks through all libraries once more at the end: 0.3 s.
        gc.freeze()


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


def _budget(study: Study) -> str:
    """Returns a sentence about the looks, or a warning if the seeds are few."""
    if len(study.schedule) > 1:
        looks = ", ".join(str(look.seeds) for look in study.schedule)
        return f"Looks at {looks} seeds: only undecided arms get more."
    return _screening(study)


def _screening(study: Study) -> str:
    """Returns a warning if the seeds are too few for verdicts, else an empty string."""
    least = 5
    if study.most_seeds >= least:
        return ""
    seeds = "1 seed is" if study.most_seeds == 1 else f"{study.most_seeds} seeds are"
    return f"{seeds} only a screening: use {least} or more for verdicts."


def _terminate_like_interrupt() -> None:
    """Makes TERM, HUP and QUIT act like Ctrl-C: workers and servers are ended, runs are closed."""
    import signal

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP", "SIGQUIT"):
        which = getattr(signal, name, None)
        if which is not None and signal.getsignal(which) != signal.SIG_IGN:  # as nohup has it
            signal.signal(which, interrupt)
