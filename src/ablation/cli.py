"""The command line: chooses what, calls the rest, prints. Heavy libraries load when needed."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablation.errors import Refused

if TYPE_CHECKING:
    from ablation.config import DataConfig
    from ablation.data import Encoded
    from ablation.execute.mirror import Cell
    from ablation.plan import Trial
    from ablation.spec import Study

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ablation studies of attention pooling in a text classifier, answered with evidence.",
)

STUDIES = Path("studies")
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

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

    table = Table("study", "arms", "baseline", "question", box=None)
    for name in spec.known_studies(STUDIES):
        study = spec.load(name, STUDIES)
        arms = spec.arms_of(study)
        table.add_row(*map(_text, (name, len(arms), study.baseline_name, study.question)))
    _print(table)
    _print("Run one: make study NAME=init_std")


@app.command()
def plan(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    store: Store = None, workers: Workers = None,
) -> None:  # fmt: skip
    """Prints a study's arms and trials, what is missing, and about how long it takes."""
    from rich.table import Table

    asked = _ask(name, data, text, label, seeds)
    title, cells = _mirrored(asked, store)
    trials = asked.trials
    table = Table("arm", "config", "done", "missing", box=None)
    for arm, config in dict.fromkeys((trial.arm.name, trial.config_hash) for trial in trials):
        states = [_state(cells, trial) for trial in trials if trial.arm.name == arm]
        done = sum(state in {"COMPLETE", "FAIL"} for state in states)
        table.add_row(*map(_text, (arm, config, done, len(states) - done)))
    _print(_text(f"{title}: {asked.study.question}"))
    _print(table)
    missing = [t for t in trials if _state(cells, t) not in {"COMPLETE", "FAIL"}]
    _print(
        f"{len(trials)} trials = {len(trials) // asked.study.seeds} arms x {asked.study.seeds} "
        f"seeds; {len(missing)} missing. {_screening(asked.study)}"
    )
    if missing:
        _print(_estimate(asked, cells, missing, workers or _cores()))


@app.command()
def status(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    store: Store = None,
) -> None:  # fmt: skip
    """Prints the arm x seed matrix of a study."""
    from rich.table import Table

    asked = _ask(name, data, text, label, seeds)
    title, cells = _mirrored(asked, store)
    by_arm: dict[str, list[str]] = {}
    for trial in asked.trials:
        by_arm.setdefault(trial.arm.name, []).append(_shown(cells.get(trial.key)))
    table = Table("arm", *(str(seed) for seed in range(asked.study.seeds)), box=None)
    for arm, shown in by_arm.items():
        table.add_row(_text(arm), *shown)
    _print(_text(f"{title}, {asked.study.metric} on test by arm and seed"))
    _print(table)
    holes = sum(_state(cells, t) not in {"COMPLETE", "FAIL"} for t in asked.trials)
    _print(f"{len(asked.trials) - holes} of {len(asked.trials)} trials are done.")


@app.command()
def run(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    workers: Workers = None, device: Device = "auto", store: Store = None,
    reports: Reports = Path("reports"),
) -> None:  # fmt: skip
    """Runs what is missing of a study, records it, and writes its report."""
    if device not in {"auto", "cpu", "cuda"}:
        raise Refused(f"No device {device!r}.", "Give auto, cpu or cuda.")
    if workers is not None and workers < 1:
        raise Refused(f"At least 1 worker is needed; got {workers}.", "Leave --workers out.")
    asked = _ask(name, data, text, label, seeds)
    from ablation.execute.conductor import session
    from ablation.execute.places import places
    from ablation.progress import follow

    _terminate_like_interrupt()
    with session(asked.study, asked.corpora, places(store), replaced=asked.replaced) as opened:
        title, planned = opened.home.label, len(opened.trials)
        if screening := _screening(asked.study):
            _print(screening)
        try:
            if opened.missing:
                follow(opened, workers=workers or _cores(), device=device)
            else:
                _print(_text(f"{title}: all {planned} trials are done; nothing to run."))
        except KeyboardInterrupt:
            done = planned - len(opened.missing)
            _print(
                f"\nStopped: {done} of {planned} trials are done and kept. "
                "Run the same command again to go on."
            )
            raise typer.Exit(INTERRUPTED) from None
        missing = opened.missing
    if missing:
        keys = ", ".join(f"{trial.arm.name} seed {trial.seed}" for trial in missing[:10])
        _print(_text(f"{len(missing)} planned trials are missing: {keys}"))
        raise typer.Exit(1)
    _report(opened.home, reports)


@app.command()
def report(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, store: Store = None,
    reports: Reports = Path("reports"),
) -> None:  # fmt: skip
    """Rebuilds a study's report from what is recorded."""
    from ablation import tracking
    from ablation.execute.places import places

    client = tracking.connect(_existing(places(store).tracking))
    study = name.partition("@")[0]
    if "@" not in name:
        asked = _ask(name, data, text, label, None)
        study = asked.study.name
        name = asked.title(tracking.labels_taken(client, study))
    home = tracking.find_home(client, study, name)
    if home is None:
        raise Refused(f"No runs of {name!r} are recorded.", f"Run it: ablation run {name}")
    _report(home, reports)


@app.command()
def ui(store: Store = None, port: Annotated[int, typer.Option(help="Port.")] = 5000) -> None:
    """Starts MLflow's pages for the store, on this machine alone."""
    from ablation.execute.places import places

    uri = places(store).tracking
    if uri.startswith("http"):
        _print(f"The runs are on a tracking server: open {uri}")
        return
    _print(f"MLflow listens on http://127.0.0.1:{port} for {_existing(uri)}; Ctrl-C ends it.")
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    os.environ.update(quiet)
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--backend-store-uri", uri]
    os.execv(sys.executable, command)


def main() -> None:
    """Runs the command line; what a user caused is two lines and exit code 2."""
    try:
        app()
    except Refused as error:
        sys.stderr.write(f"{error.rule}\n{error.way_out}\n")
        raise SystemExit(2) from None


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """A study as the command line asked for it, with its data."""

    study: Study
    corpora: Mapping[DataConfig, Encoded]
    replaced: bool

    @property
    def encoded(self) -> Encoded:
        return self.corpora[self.study.config.data]

    @property
    def trials(self) -> tuple[Trial, ...]:
        from ablation.plan import trials_of

        return trials_of(self.study, self.encoded.fingerprint)

    def title(self, taken: Mapping[str, str]) -> str:
        from ablation.plan import label_of

        data = self.encoded.name if self.replaced else None
        return label_of(self.study.name, data, self.encoded.fingerprint, taken)


def _ask(
    name: str, data: str | None, text: str | None, label: str | None, seeds: int | None
) -> _Asked:
    """Loads the study, puts in what the options replace, and prepares its data."""
    from ablation import spec
    from ablation.data import prepare
    from ablation.plan import check_margin

    study = spec.load(name, STUDIES)
    given = study.config.data
    wanted = dataclasses.replace(given, text=text or given.text, label=label or given.label)
    if data is not None:
        source, at, revision = data.partition("@")
        if Path(data).exists() or not at:
            source, revision = data, ""
        wanted = dataclasses.replace(wanted, source=source, revision=revision or None)
    config = dataclasses.replace(study.config, data=wanted)
    study = dataclasses.replace(
        study, config=config, seeds=study.seeds if seeds is None else seeds
    )
    cache = Path(os.environ.get("ABLATION_CACHE", ".cache/ablation"))
    configs = {config.data, *(arm.config.data for arm in spec.arms_of(study))}
    corpora = {each: prepare(each, cache=cache) for each in configs}
    check_margin(study, corpora[config.data].rows["test"])
    return _Asked(study, corpora, replaced=wanted.source != given.source)


def _mirrored(asked: _Asked, store: Path | None) -> tuple[str, Mapping[str, Cell]]:
    """Returns the study's label, and the state of its trials, from the mirror alone."""
    from ablation.config import digest
    from ablation.execute import mirror
    from ablation.execute.places import places
    from ablation.plan import declaration

    where = places(store)
    if not where.mirror_exists:
        return asked.title({}), {}
    storage = mirror.connect(where.storage, create=False)
    title = asked.title(mirror.labels_taken(storage))
    declared = declaration(asked.study, asked.encoded.fingerprint)
    return title, mirror.cells(storage, title, digest(declared))


def _report(home: object, reports: Path) -> None:
    from ablation.report import build, gather
    from ablation.tracking import Home

    assert isinstance(home, Home)
    _print(_text(f"Report: {build(gather(home), reports) / 'README.md'}"))


def _state(cells: Mapping[str, Cell], trial: Trial) -> str:
    return cells[trial.key].state if trial.key in cells else "WAITING"


def _shown(cell: Cell | None) -> str:
    """Returns a cell of the status matrix: the metric, the reason of a failure, or the state."""
    if cell is None or cell.state == "WAITING":
        return "."
    if cell.state == "RUNNING":
        return "running"
    return f"{cell.value:.3f}" if cell.value is not None else cell.reason or "failed"


def _estimate(asked: _Asked, cells: Mapping[str, Cell], missing: list[Trial], workers: int) -> str:
    """Returns a sentence: about how long the missing trials take."""
    from ablation.plan import seconds_guess

    timed = [cell.seconds for cell in cells.values() if cell.seconds is not None]
    train = asked.encoded.split("train")
    if timed:
        seconds, basis = len(missing) * sum(timed) / len(timed), "from the trials that are done"
    else:
        size = len(train.labels), len(train.tokens)
        seconds = sum(seconds_guess(trial.arm.config, *size) for trial in missing)
        basis = "a rough guess until a trial has run"
    minutes = seconds / workers / 60
    return f"About {minutes:.1f} minutes with {workers} workers ({basis})."


def _screening(study: Study) -> str:
    least = 5
    if study.seeds >= least:
        return ""
    seeds = "1 seed is" if study.seeds == 1 else f"{study.seeds} seeds are"
    return f"{seeds} a screening: {least} or more are needed for verdicts."


def _existing(uri: str) -> str:
    """Refuses an SQLite store that is not there, which connecting would create."""
    path = uri.removeprefix("sqlite:///")
    if path != uri and not Path(path).exists():
        raise Refused(f"Nothing is recorded in {path}.", "Run a study first: ablation list")
    return uri


def _terminate_like_interrupt() -> None:
    """Lets SIGTERM end a study as Ctrl-C does: workers ended, runs closed."""
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

    Console(highlight=False, soft_wrap=isinstance(what, str)).print(what)
