"""The command line: chooses what, calls the rest, prints. Heavy libraries load when needed."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablation.errors import Refused, nearest, public

if TYPE_CHECKING:
    from ablation.execute.conductor import Session
    from ablation.request import Asked
    from ablation.spec import Study
    from ablation.tracking import Home

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # which would take longer to load than all else that --help needs
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ablation studies of attention pooling in a text classifier, answered with evidence.",
)

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

DRAWING = (
    "ablation.report.drawing",
    "ablation.figures.library",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
)
"""What the workers need besides, since at the end they draw the report's figures."""

Name = Annotated[str, typer.Argument(help="A study in studies/, or the path of a study file.")]
Data = Annotated[
    str | None,
    typer.Option(help="Other data: a local folder or file, or a Hub id, as in owner/name@commit."),
]
Text = Annotated[str | None, typer.Option(help="Column that holds the text.")]
Label = Annotated[str | None, typer.Option(help="Column that holds the class.")]
Seeds = Annotated[int | None, typer.Option(help="Train each arm with this many seeds.")]
Store = Annotated[
    Path | None,
    typer.Option(help="Folder of mlflow.db, optuna.db and the artifacts; wins over everything."),
]
Reports = Annotated[Path, typer.Option(help="Folder for the reports.")]
Workers = Annotated[int | None, typer.Option(help="Processes that train; one per core if unset.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@app.command("list")
def list_() -> None:
    """Lists the studies with their questions."""
    from rich.table import Table

    from ablation import spec
    from ablation.spec import STUDIES

    table = Table("study", "arms", "baseline", "question", box=None)
    broken = []
    for name in spec.known_studies(STUDIES):
        try:
            study = spec.load(name, STUDIES)
        except Refused as error:
            broken.append(error.rule)
            continue
        arms = spec.arms_of(study)
        table.add_row(*map(_text, (name, len(arms), study.baseline_name, study.question)))
    _print(table)
    for rule in broken:
        _print(_text(f"Not usable: {rule}"))
    _print("Run one: make study NAME=init_std")


@app.command()
def plan(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    store: Store = None, workers: Workers = None,
) -> None:  # fmt: skip
    """Prints a study's arms and trials, what is missing, and about how long it takes."""
    from rich.table import Table

    from ablation.execute.mirrored import DONE
    from ablation.request import ask, estimate, look_up

    asked = ask(name, data, text, label, seeds)
    seen = look_up(asked, store)
    table = Table("arm", "config", "seeds", "done", "missing", box=None)
    for arm, config in dict.fromkeys((t.arm.name, t.config_hash) for t in asked.trials):
        states = [seen.state(trial) for trial in seen.planned if trial.arm.name == arm]
        done = sum(state in DONE for state in states)
        table.add_row(*map(_text, (arm, config, len(states), done, len(states) - done)))
    _print(_text(f"{seen.label}: {asked.study.question}"))
    _print(table)
    missing = [trial for trial in seen.planned if seen.state(trial) not in DONE]
    _print(f"{len(seen.planned)} trials are planned; {len(missing)} missing. {_budget(asked)}")
    if seen.note:
        _print(seen.note)
    from ablation.analysis import planning  # after the tables, as it takes a second to load

    _print(planning(asked.study, seen.values(asked.study.baseline_name)))
    if missing:
        _print(estimate(asked, seen, missing, workers or _cores()))


@app.command()
def status(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    store: Store = None,
    watch: Annotated[bool, typer.Option(help="Keep it up to date until all is done.")] = False,
) -> None:  # fmt: skip
    """Prints the arm x seed matrix of a study."""
    from rich.console import Console

    from ablation import matrix
    from ablation.execute.mirrored import DONE
    from ablation.request import ask, look_up

    asked = ask(name, data, text, label, seeds)
    if watch:
        matrix.watch(asked, lambda: look_up(asked, store), Console(), workers=_cores())
        return
    seen = look_up(asked, store)
    _print(_text(f"{seen.label}, {asked.study.metric} on test by seed and arm"))
    _print(matrix.matrix(seen, times=False))
    done = sum(seen.state(trial) in DONE for trial in seen.planned)
    _print(f"{done} of {len(seen.planned)} planned trials are done. {seen.note}")


@app.command()
def run(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    workers: Workers = None, device: Device = "auto", store: Store = None,
    reports: Reports = Path("reports"),
) -> None:  # fmt: skip
    """Runs what is missing of a study, records it, and writes its report."""
    _refuse_options(device, workers)
    from concurrent.futures.process import BrokenProcessPool

    from ablation import spec
    from ablation.execute.garbage import loading
    from ablation.execute.workers import check_classes, check_vectors, prepare_pool
    from ablation.progress import crew, follow
    from ablation.request import ask, surely_missing
    from ablation.spec import STUDIES

    spec.load(name, STUDIES)  # a wrong name is refused before anything is loaded
    prepare_pool(*DRAWING)
    with loading():
        asked = ask(name, data, text, label, seeds)
    check_classes(asked.study)
    check_vectors(asked.corpora, asked.study)
    _terminate_like_interrupt()
    number = workers or _cores()
    opened: Session | None = None
    with crew(number, at_once=surely_missing(asked, store)) as workers_of:
        try:
            with contextlib.ExitStack() as record:
                with loading():
                    # Only now, as it takes seconds, in which the workers load what they need.
                    from ablation.execute.conductor import session
                    from ablation.records.places import places

                    where = places(store)
                    opened = record.enter_context(
                        session(asked.study, asked.corpora, where, replaced=asked.replaced)
                    )
                if screening := _screening(asked.study):
                    _print(screening)
                idle = not opened.missing
                if idle:
                    all_done = f"all {len(opened.trials)} planned trials are done"
                    _print(_text(f"{opened.home.label}: {all_done}; nothing to run."))
                else:
                    follow(opened, workers_of(), ahead=2 * number, device=device)
        except KeyboardInterrupt:
            done = len(opened.trials) - len(opened.missing) if opened else 0
            planned = len(opened.trials) if opened else 0
            kept = f": {done} of {planned} planned trials are done and kept" if planned else ""
            _print(f"\nStopped{kept}. Run the same command again to go on.")
            raise typer.Exit(INTERRUPTED) from None
        missing = opened.missing
        if missing:
            keys = ", ".join(f"{trial.arm.name} seed {trial.seed}" for trial in missing[:10])
            _print(_text(f"{len(missing)} planned trials are missing: {keys}"))
            raise typer.Exit(1)
        try:
            _report(opened.home, reports, map if idle else workers_of().map)
        except BrokenProcessPool:  # all is recorded: without its workers it takes a second longer
            _report(opened.home, reports)


@app.command()
def report(
    name: Annotated[
        str | None,
        typer.Argument(help="A study, or the path of its file; without one, the page over all."),
    ] = None, *, data: Data = None, text: Text = None, label: Label = None, store: Store = None,
    reports: Reports = Path("reports"),
) -> None:  # fmt: skip
    """Rebuilds a study's report from what is recorded, or the page over all reports."""
    if name is None:
        from ablation.report import index

        reports.mkdir(parents=True, exist_ok=True)
        _print(_text(f"All studies: {index(reports)}"))
        return
    from ablation import spec, tracking
    from ablation.records.places import places
    from ablation.request import ask
    from ablation.spec import STUDIES

    uri = _existing(places(store).tracking)
    study = spec.load(name, STUDIES).name if name.endswith(".py") else name.partition("@")[0]
    title = study if name.endswith(".py") else name
    if data or text or label:
        asked = ask(name, data, text, label, None)
        title = asked.label(tracking.labels_taken(tracking.connect(uri), study))
    _report(_home(uri, title), reports)


@app.command()
def rebuild(
    folders: Annotated[list[Path], typer.Argument(help="Folders of reports.")],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a file would change.")
    ] = False,
) -> None:
    """Rebuilds reports from their folders alone, without any record."""
    from ablation import report

    differing: list[Path] = []
    for folder in folders:
        if check:
            differing += [folder / name for name in report.differing(folder)]
        else:
            report.rebuild(folder)
    for path in differing:
        _print(_text(f"A rebuild would change {path}"))
    if differing:
        raise typer.Exit(1)
    said = "1 report is" if len(folders) == 1 else f"{len(folders)} reports are"
    _print(f"{said} {'as a rebuild makes them' if check else 'rebuilt'}.")


@app.command()
def ui(
    name: Annotated[str | None, typer.Argument(help="A study whose page to open.")] = None,
    *,
    store: Store = None,
    port: Annotated[int, typer.Option(help="Port.")] = 5000,
) -> None:
    """Starts MLflow's pages for the store, on this machine alone."""
    from ablation import pages
    from ablation.records.places import places

    uri = _existing(places(store).tracking)
    page = "" if name is None else _page(uri, name)
    if uri.startswith("http"):
        where = public(uri).rstrip("/") + (f"/#/{page}" if page else "")
        _print(_text(f"The runs are on a tracking server: open {where}"))
        return
    _terminate_like_interrupt()
    try:
        with pages.server(uri, port) as process:
            pages.until_it_listens(process, port)
            where = pages.address(port, page)
            _print(_text(f"MLflow listens on {where} for {public(uri)}; Ctrl-C ends it."))
            pages.open_browser(where)
            raise pages.ended(process, process.wait())
    except KeyboardInterrupt:
        return


def _page(uri: str, name: str) -> str:
    """Returns MLflow's page of a study's parent run."""
    home = _home(uri, Path(name).stem if name.endswith(".py") else name)
    # Else MLflow may show the page among those for chatbots.
    return f"experiments/{home.experiment}/runs/{home.parent}?workflowType=machine_learning"


def _home(uri: str, title: str) -> Home:
    """Finds where a study's runs are kept, or refuses."""
    from ablation import spec, tracking
    from ablation.spec import STUDIES

    client, study = tracking.connect(uri), title.partition("@")[0]
    home = tracking.find_home(client, study, title)
    if home is not None:
        return home
    known = spec.known_studies(STUDIES)
    recorded = sorted(tracking.labels_taken(client, study))
    raise Refused(
        f"No runs of {title!r} are recorded.{'' if study in known else nearest(study, known)}",
        f"Recorded are: {', '.join(recorded)}."
        if recorded
        else f"Run a study first; known are: {', '.join(known)}.",
    )


def main() -> None:
    """Runs the command line; what a user caused is two lines and exit code 2."""
    try:
        app()
    except Refused as error:
        sys.stderr.write(f"{error.rule}\n{error.way_out}\n")
        raise SystemExit(2) from None
    except BrokenPipeError:  # what read the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def _refuse_options(device: str, workers: int | None) -> None:
    if device not in {"auto", "cpu", "cuda"}:
        raise Refused(f"No device {device!r}.", "Give auto, cpu or cuda.")
    if workers is not None and workers < 1:
        raise Refused(f"At least 1 worker is needed; got {workers}.", "Leave it out.")
    if device == "cuda":
        from ablation.execute.workers import check_cuda

        check_cuda()


def _report(home: Home, reports: Path, mapping: Callable[..., Iterable[Any]] = map) -> None:
    """Builds the report and prints the verdicts and where it lies."""
    from rich.table import Table

    from ablation import tracking
    from ablation.analysis import answer
    from ablation.report import brief, build, gather, index, note

    content = gather(home)
    folder = build(content, reports, mapping)
    index(reports, mapping)
    failures: tuple[type[Exception], ...] = (OSError, *tracking.failures())
    try:
        tracking.publish(home, content.judged.effects.to_dict("records"), note(content), folder)
    except failures as error:
        why = next(iter(str(error).strip().splitlines()), "")
        _print(_text(f"MLflow does not show the report ({type(error).__name__}): {why}"))
    verdicts = brief(content)
    _print(_text(f"{home.label}: {verdicts.caption}"))
    table = Table(*verdicts.columns, box=None)
    for row in verdicts.rows:
        table.add_row(*(_text(cell.text) for cell in row))
    _print(table)
    _print(_text(answer(content.judged.effects, content.declaration)))
    _print(_text(f"Report: {folder / 'index.html'}"))


def _budget(asked: Asked) -> str:
    """Returns a sentence on what is planned beyond now, or on how little it is."""
    if len(asked.study.schedule) > 1:
        looks = ", ".join(str(seeds) for seeds, _ in asked.study.schedule)
        return f"Looks at {looks} seeds: only arms that are undecided get more."
    return _screening(asked.study)


def _screening(study: Study) -> str:
    least = 5
    if study.most_seeds >= least:
        return ""
    seeds = "1 seed is" if study.most_seeds == 1 else f"{study.most_seeds} seeds are"
    return f"{seeds} a screening: take {least} or more for verdicts that others can rest on."


def _existing(uri: str) -> str:
    """Refuses an SQLite store that is not there, which connecting would create."""
    path = uri.removeprefix("sqlite:///")
    if path != uri and not Path(path).exists():
        raise Refused(f"Nothing is recorded in {path}.", "Run a study first: ablation list")
    return uri


def _terminate_like_interrupt() -> None:
    """Lets SIGTERM end a command as Ctrl-C does: workers or a server ended, runs closed."""
    import signal

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _cores() -> int:
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def _text(text: object) -> str:
    """Keeps the terminal from reading markup into a name."""
    from rich.markup import escape

    return escape(str(text))


def _print(what: object) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=isinstance(what, str))
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has room for whole names
    console.print(what)
