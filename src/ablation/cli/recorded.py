"""Finds recorded studies and writes their reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.cli.output import escaped, show
from ablation.errors import Refused, nearest

if TYPE_CHECKING:
    from ablation.tracking import Home


def existing(uri: str) -> str:
    """Returns the address of a store, unless it is a missing file.

    Raises:
        Refused: If the address is that of an SQLite file that does not exist. (Connecting would
            create the file.)
    """
    path = uri.removeprefix("sqlite:///")
    if path != uri and not Path(path).exists():
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


def page_of(uri: str, name: str) -> str:
    """Returns the MLflow page of a study's parent run."""
    home = find_home(uri, Path(name).stem if name.endswith(".py") else name)
    # Without the type, MLflow may show its pages for chatbots.
    return f"experiments/{home.experiment}/runs/{home.parent}?workflowType=machine_learning"


def write_report(home: Home, reports: Path, mapping: Callable[..., Iterable[Any]] = map) -> None:
    """Builds the report, and prints the verdicts and the report's path.

    Args:
        home: The study label.
        reports: Folder of the reports.
        mapping: ``map``, or the ``map`` of a crew, which draws the figures in parallel.
    """
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
        show(escaped(f"The report is missing from MLflow ({type(error).__name__}): {why}"))
    verdicts = brief(content)
    show(escaped(f"{home.label}: {verdicts.caption}"))
    table = Table(*verdicts.columns, box=None)
    for row in verdicts.rows:
        table.add_row(*(escaped(cell.text) for cell in row))
    show(table)
    show(escaped(answer(content.judged.effects, content.declaration)))
    show(escaped(f"Report: {folder / 'index.html'}"))
