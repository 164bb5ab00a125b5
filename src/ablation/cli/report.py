"""The commands ``report``, from a record, and ``rebuild``, from a report's own folder."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer

from ablation.cli import asjson
from ablation.cli.asjson import Json, show_json, verdicts_of
from ablation.cli.options import Data, Label, Reports, Store, Text
from ablation.cli.output import show, show_line
from ablation.cli.recorded import DRAWING, REPORTING, existing, find_home, write_report


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
        if as_json:
            show_json({"index": str(path)})
        else:
            show_line(f"All studies: {path}")
        return
    from ablation import tracking
    from ablation.cli.asked import cores
    from ablation.cli.sets import ENDING, plans_to_report, write_over_sets
    from ablation.execute.crew import ProcessCrew
    from ablation.execute.garbage import loading, seldom
    from ablation.execute.pool import load, prepare_pool
    from ablation.records.places import places
    from ablation.study.load import STUDIES
    from ablation.study.load import load as load_study
    from ablation.task import Redirection

    where = places(store)
    uri = existing(where.tracking)
    prepare_pool(*DRAWING)  # while this process loads pandas and reads the record
    study = load_study(name, STUDIES).name if name.endswith(".py") else name.partition("@")[0]
    title = study if name.endswith(".py") else name
    plans = plans_to_report(name, Redirection(data=data, text=text, label=label))
    taken = tracking.labels_taken(tracking.connect(uri), study) if plans else {}
    titles = [plan.label(taken) for plan in plans] or [title]
    with seldom(), _quiet(as_json), tracking.settled(uri), ProcessCrew(cores()) as crew:
        built = [title for title in titles if title in taken] or titles[:1]
        for each in built:
            with loading():
                home = find_home(uri, each)
                load(*REPORTING)
            crew.start()
            write_report(home, where, reports, crew)
        over = write_over_sets(plans, reports, crew.map, labels=titles) if plans else ""
    if as_json:
        from ablation.report import read

        folders = [reports / each for each in built]
        told = [verdicts_of(read(folder), folder) for folder in folders]
        page = asjson.over_sets_of(reports / f"{study}{ENDING}") if over else None
        show_json({"judged": told, "over_sets": page})
    elif over:
        show_line(over)


def _quiet(as_json: bool) -> contextlib.AbstractContextManager[Any]:
    """Leaves the standard output to one JSON object, if that is asked for."""
    return asjson.elsewhere() if as_json else contextlib.nullcontext()


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
        show_line(f"A rebuild would change {path}")
    if differing:
        raise typer.Exit(1)
    said = "1 report" if len(folders) == 1 else f"{len(folders)} reports"
    show(f"{said} checked: a rebuild changes nothing." if check else f"{said} rebuilt.")
