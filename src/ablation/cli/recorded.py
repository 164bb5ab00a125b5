"""Finds recorded studies and writes their reports."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.cli.output import escaped, show, show_line
from ablation.errors import Refused, nearest
from ablation.records import addresses, causes

if TYPE_CHECKING:
    from ablation.execute import Crew
    from ablation.records.places import Places
    from ablation.report import Content
    from ablation.tracking import Home

DRAWING = (
    "ablation.report.drawing",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.backends.backend_pdf",
)
"""Modules that a worker needs to draw most figures. They take a second or more to load, so a
worker loads them once it has nothing left to train."""

REPORTING = ("ablation.report", "ablation.analysis.effects")
"""Modules that this process needs to write the report."""

LUCK = "The best trial of this page is the luckiest seed on test, and no answer."
"""Warning of a note in optuna-dashboard, which praises the best trial of any study."""


def existing(uri: str) -> str:
    """Returns the address of a store, unless it is a missing file.

    Raises:
        Refused: If the address is that of an SQLite file that does not exist. (Connecting would
            create the file.)
    """
    path = addresses.file_of(uri)
    if path is not None and not path.exists():
        raise Refused(f"Nothing is recorded in {path}.", "Run a study first: ablation list")
    return uri


def find_home(uri: str, title: str) -> Home:
    """Returns the home of a study's runs in the store.

    Raises:
        Refused: If no runs are recorded under that title.
    """
    from ablation import tracking
    from ablation.study.load import STUDIES, known_studies

    client, study = tracking.connect(uri), title.partition("@")[0]
    home = tracking.find_home(client, study, title)
    if home is not None:
        return home
    known = known_studies(STUDIES)
    recorded = sorted(tracking.labels_taken(client, study))
    raise Refused(
        f"No runs of {title!r} are recorded.{'' if study in known else nearest(study, known)}",
        f"Recorded are: {', '.join(recorded)}."
        if recorded
        else f"Run a study first; known are: {', '.join(known)}.",
    )


def page_of(uri: str, name: str | None) -> str:
    """Returns MLflow's page of a study's trials; of those that ran last if no study is named."""
    from ablation import tracking
    from ablation.tracking import landing

    if name is None:
        home = landing.latest(tracking.connect(uri))
    else:
        home = find_home(uri, Path(name).stem if name.endswith(".py") else name)
    return "" if home is None else landing.page_of(home)


def write_report(home: Home, where: Places, reports: Path, crew: Crew | None) -> Content:
    """Builds the report, prints the verdicts and the report's path, and returns the content.

    A report on more seeds of the very same study stays as it is.

    Args:
        home: The study label.
        where: Where it is recorded and mirrored.
        reports: Folder of the reports.
        crew: Draws the figures; None leaves that to this process.
    """
    from concurrent.futures import BrokenExecutor

    try:
        return _write_report(home, where, reports, map if crew is None else crew.map)
    except BrokenExecutor:  # all is recorded; drawing without workers takes a second longer
        return _write_report(home, where, reports, map)


def _write_report(
    home: Home, where: Places, reports: Path, mapping: Callable[..., Iterable[Any]]
) -> Content:
    """Builds and prints as :func:`write_report` does, with the figures drawn by a mapping."""
    from ablation import tracking
    from ablation.cli import settled
    from ablation.report import begin_index, build, gather, note

    content = gather(home)
    place, ours = reports / content.label, content.declaration.most_seeds
    if seeds := fuller(content, place):
        show_verdicts(home.label, brief_of(content))
        show_line(f"{place} stays: it rests on up to {seeds} seeds per arm, this on {ours}.")
        show("Write this report elsewhere with --reports FOLDER, or delete that folder first.")
        return content
    folder = build(content, reports, mapping)
    write_index = begin_index(reports, mapping)
    shown, noted = brief_of(content), note(content)  # while workers draw the overview
    write_index()
    try:
        rows = content.judged.effects.to_dict("records")
        tracking.publish(home, rows, noted, folder)
        keep_note(where, content, folder)
        settled.keep(home, reports, shown)
    except Exception as error:
        if not isinstance(error, (OSError, Refused, *tracking.failures())):
            raise
        why = causes.first_line(error)
        show_line(f"The stores do not show the report ({type(error).__name__}): {why}")
    show_report(home.label, shown, reports)
    return content


def fuller(content: Content, folder: Path) -> int:
    """Returns the seeds per arm of a report that a folder has and this one would be less than.

    That is one on more seeds and more runs, of a study that was the same in all else; 0 where the
    folder has none.
    """
    from ablation.records.declaration import Declaration
    from ablation.report.files import summary

    try:
        stored = summary(folder)
        then = Declaration.from_json(stored["declaration"])
    except (Refused, KeyError, TypeError, ValueError):
        return 0  # nothing to keep: it is replaced
    ours, runs = content.declaration, len(stored["runs"]["rows"])
    is_same = dataclasses.replace(then, looks=ours.looks) == ours
    is_more = then.most_seeds > ours.most_seeds and runs > len(content.details)
    return then.most_seeds if is_same and is_more else 0


def load_for_the_report(crew: Crew) -> None:
    """Loads what writes the report while the last trials train, and what draws it after them.

    A worker that has no trial left loads beside one that has.
    """
    from concurrent.futures import BrokenExecutor

    from ablation.execute import ProcessCrew
    from ablation.execute.pool import load

    with contextlib.suppress(BrokenExecutor):  # the walk tells which trial lost its worker
        for _ in range(crew.at_once if isinstance(crew, ProcessCrew) else 0):
            crew.submit(load, *DRAWING)
    load(*REPORTING)


def keep_note(where: Places, content: Content, folder: Path) -> None:
    """Shows the answer and the report's path in optuna-dashboard; keeps what plans start from."""
    from ablation import mirror
    from ablation.report import note
    from ablation.tracking.notes import text

    if where.mirror_exists:
        closing = f"{LUCK} The whole report: {text(folder.absolute() / 'index.html')}"
        said, facts = note(content, closing), {}
        deviation = content.judged.example_deviation
        if deviation is not None:
            facts[mirror.DEVIATION] = [content.declaration.metric, deviation]
        mirror.keep_note(where.storage, content.label, content.current, said, facts)


def brief_of(content: Content) -> dict[str, Any]:
    """Returns the verdicts and the answer of a report in plain values, to print or to keep."""
    from ablation.report import brief

    verdicts = brief(content)
    return {
        "trials": len(content.details),
        "caption": verdicts.caption,
        "columns": list(verdicts.columns),
        "rows": [[cell.text for cell in row] for row in verdicts.rows],
        "answer": " ".join(content.answer),
    }


def show_report(label: str, shown: Mapping[str, Any], reports: Path) -> None:
    """Prints the verdicts of a report and where it is.

    Args:
        label: The study label.
        shown: Its verdicts and answer, as :func:`brief_of` returns them.
        reports: Folder of the reports.
    """
    show_verdicts(label, shown)
    show_line(f"Report: {reports / label / 'index.html'}")


def show_verdicts(label: str, shown: Mapping[str, Any]) -> None:
    """Prints verdicts and answer, as :func:`show_report` does."""
    from rich.table import Table

    show_line(f"{label}: {shown['caption']}")
    table = Table(*shown["columns"], box=None)
    for row in shown["rows"]:
        table.add_row(*map(escaped, row))
    show(table)
    marked = any("†" in str(cell) for row in shown["rows"] for cell in row)
    if marked and "†" not in shown["answer"]:  # which else says it itself
        show("† Something weakens this verdict: the report says what, in words.")
    show_line(shown["answer"])
