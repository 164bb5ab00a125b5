"""The commands. Heavy libraries are imported inside the functions that need them."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablation.cli.judging import judge
from ablation.cli.output import escaped, show
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
    typer.Option(help="Other data: a local folder or file, or a Hub id like owner/name@commit."),
]
Text = Annotated[str | None, typer.Option(help="Name of the text column.")]
Label = Annotated[str | None, typer.Option(help="Name of the class column.")]
Seeds = Annotated[int | None, typer.Option(help="Train each arm with this many seeds.")]
Store = Annotated[
    Path | None,
    typer.Option(
        help="Folder for mlflow.db, optuna.db and the artifacts; overrides the environment."
    ),
]
Reports = Annotated[Path, typer.Option(help="Folder for the reports.")]
Workers = Annotated[
    int | None, typer.Option(help="Number of training processes; one per core if unset.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


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
    store: Store = None, workers: Workers = None,
) -> None:  # fmt: skip
    """Prints a study's arms, the finished and missing trials, and an estimate of the time."""
    from rich.table import Table

    from ablation.cli.asked import cores, estimate, look_up, plan_of
    from ablation.mirror import DONE
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    study = load(name, STUDIES)
    given = plan_of(study, Redirection(data=data, text=text, label=label), seeds)
    seen = look_up(given, store)
    table = Table("arm", "config", "seeds", "done", "missing", box=None)
    for arm, config in dict.fromkeys((t.arm.name, t.config_hash) for t in given.trials):
        states = [seen.state(trial) for trial in seen.planned if trial.arm.name == arm]
        done = sum(state in DONE for state in states)
        table.add_row(*map(escaped, (arm, config, len(states), done, len(states) - done)))
    show(escaped(f"{seen.label}: {study.question}"))
    show(table)
    missing = [trial for trial in seen.planned if seen.state(trial) not in DONE]
    show(f"{len(seen.planned)} trials are planned; {len(missing)} missing. {_budget(given.study)}")
    if seen.note:
        show(seen.note)
    # After the tables, because loading takes a second.
    from ablation.analysis import factor_rows, planning

    examples = given.data.rows.get("test") if given.declaration.can_generalise else None
    known = seen.values(study.baseline_name)
    show(planning(given.study, known, examples))
    for row in factor_rows(given.study, given.declaration, known):
        show(escaped(row))
    if missing:
        show(estimate(given, seen, missing, workers or cores()))


@app.command()
def status(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    store: Store = None,
    watch: Annotated[bool, typer.Option(help="Update it until all trials are done.")] = False,
) -> None:  # fmt: skip
    """Prints a study's results as a matrix of arms and seeds."""
    from rich.console import Console

    from ablation.cli import matrix
    from ablation.cli.asked import cores, look_up, plan_of
    from ablation.mirror import DONE
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    other = Redirection(data=data, text=text, label=label)
    given = plan_of(load(name, STUDIES), other, seeds)
    if watch:
        matrix.watch(given, lambda: look_up(given, store), Console(), workers=cores())
        return
    seen = look_up(given, store)
    show(escaped(f"{seen.label}, {given.declaration.metric} on test by seed and arm"))
    show(matrix.matrix(seen, times=False))
    done = sum(seen.state(trial) in DONE for trial in seen.planned)
    show(f"{done} of {len(seen.planned)} planned trials are done. {seen.note}")


@app.command()
def run(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    workers: Workers = None, device: Device = "auto", store: Store = None,
    reports: Reports = Path("reports"),
) -> None:  # fmt: skip
    """Runs the missing trials of a study, records them and writes the report."""
    _refuse_options(device, workers)
    from ablation.cli.asked import cores, plan_of
    from ablation.cli.settled import settled
    from ablation.execute import ProcessCrew, glance, hold
    from ablation.execute.crew import prepare_pool
    from ablation.execute.garbage import loading, seldom
    from ablation.records.places import places
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection
    from ablation.tracking import settled as settled_store

    study, where = load(name, STUDIES), places(store)  # a wrong name is refused at once
    if device == "cuda":  # likewise, and only then, since asking loads PyTorch
        study.task.device(device)
    if not where.record_exists:  # else there may be nothing to train, as is told in no time
        prepare_pool(*study.task.preload)
    with loading():
        given = plan_of(study, Redirection(data=data, text=text, label=label), seeds)
    arms = given.study.complete_arms
    given.study.task.check([(arm.config, given.data_by_arm[arm.name]) for arm in arms])
    _terminate_like_interrupt()
    with seldom(), settled_store(where.tracking), ProcessCrew(workers or cores()) as crew:
        with hold(where, given.study.name) as held:
            seen = glance(given, where)
            shown = settled(given, where, seen, reports)
            if seen is not None and shown is not None:
                show(escaped(_all_done(seen.label, shown["trials"])))
                show_report(seen.label, shown, reports)
                return
            prepare_pool(*study.task.preload)
            opened, idle = _carry_out(given, crew, where, held, seen, device=device)
        if opened.missing:
            names = ", ".join(f"{t.arm.name} seed {t.seed}" for t in opened.missing[:10])
            show(escaped(f"{len(opened.missing)} planned trials are missing: {names}"))
            raise typer.Exit(1)
        _write_report(opened.home, where, reports, None if idle else crew)


def _carry_out(
    given: Plan,
    crew: ProcessCrew,
    where: Places,
    held: Held,
    seen: Glance | None,
    *,
    device: str,
) -> tuple[Session, bool]:
    """Trains and records the missing trials; returns the session and whether none was missing."""
    from ablation.cli.progress import follow
    from ablation.execute import hand_out, session
    from ablation.execute.garbage import loading

    opened: Session | None = None
    try:
        missing = [] if seen is None else seen.missing(given)
        handed = None
        if missing:
            handed = hand_out(crew, given, missing, held.progress, device=device)
        with contextlib.ExitStack() as record:
            with loading():  # it takes seconds, in which the workers load and train
                opened = record.enter_context(session(given, where, held))
            if screening := _screening(given.study):
                show(screening)
            idle = not opened.missing
            if idle:
                show(escaped(_all_done(opened.home.label, len(opened.trials))))
            else:
                steps = follow(opened, crew, handed, device=device)
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
    reports: Reports = Path("reports"),
) -> None:  # fmt: skip
    """Builds a study's report from its record, or the overview page of all reports."""
    if name is None:
        from ablation.report import index

        reports.mkdir(parents=True, exist_ok=True)
        show(escaped(f"All studies: {index(reports)}"))
        return
    from ablation import tracking
    from ablation.cli.asked import cores, plan_of
    from ablation.execute.crew import ProcessCrew, prepare_pool
    from ablation.records.places import places
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    where = places(store)
    uri = existing(where.tracking)
    prepare_pool(*DRAWING)  # while this process loads MLflow and reads the record
    study = load(name, STUDIES).name if name.endswith(".py") else name.partition("@")[0]
    title = study if name.endswith(".py") else name
    if data or text or label:
        given = plan_of(load(name, STUDIES), Redirection(data=data, text=text, label=label))
        title = given.label(tracking.labels_taken(tracking.connect(uri), study))
    with tracking.settled(uri), ProcessCrew(cores()) as crew:
        home = find_home(uri, title)
        crew.start()
        _write_report(home, where, reports, crew)


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


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder for the copy.")],
    *,
    store: Store = None,
) -> None:
    """Copies databases and artifacts to a new folder, while studies may run."""
    from ablation.execute import back_up
    from ablation.records.places import places

    back_up(places(store), folder)
    show(escaped(f"Copied to {folder}; it is a store of its own: --store {folder}"))


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
    try:
        app()
    except Refused as error:
        sys.stderr.write(f"{error.rule}\n{error.way_out}\n")
        raise SystemExit(2) from None
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    finally:
        # Else the collector looks through all libraries once more at the end: 0.3 s.
        gc.freeze()


def _refuse_options(device: str, workers: int | None) -> None:
    if device not in {"auto", "cpu", "cuda"}:
        raise Refused(f"No device {device!r}.", "Give auto, cpu or cuda.")
    if workers is not None and workers < 1:
        raise Refused(
            f"At least 1 worker is needed; got {workers}.", "Leave --workers out for one per core."
        )


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
    """Makes SIGTERM act like Ctrl-C: workers and servers are ended, runs are closed."""
    import signal

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
