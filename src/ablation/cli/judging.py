"""The command that judges results from elsewhere."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablation.cli.output import escaped, show
from ablation.errors import Refused

if TYPE_CHECKING:
    from ablation.report import Content
    from ablation.results import Question

Column = typer.Option(metavar="COLUMN")


def judge(
    source: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="CSV, Parquet or JSON lines, W&B's CSV, mlflow:EXPERIMENT, optuna:STUDY, or the "
            "folder of a report.",
        ),
    ],
    *,
    arm: Annotated[
        str | None,
        typer.Option(help="Column of the arm; or, if each arm has a column, A,B,C or '*'."),
    ] = None,
    seed: Annotated[str | None, typer.Option(help="Column of the seed, shared by a block.")] = None,
    metric: Annotated[str | None, typer.Option(help="Column of the metric.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The arm all others are compared with.")]
    = None,
    margin: Annotated[float | None, typer.Option(help="Smallest effect worth acting on.")] = None,
    lower: Annotated[
        bool | None, typer.Option("--lower/--higher", help="Which way is better.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Column of the data set: a report each.")]
    = None,
    status: Annotated[str | None, typer.Option(help="Column that says how a run ended.")] = None,
    failed: Annotated[
        str | None, typer.Option(help="Its values, with commas, that are outcomes of the arm.")
    ] = None,
    chance: Annotated[float | None, typer.Option(help="The metric's value for guessing.")] = None,
    examples: Annotated[int | None, typer.Option(help="Test examples, if it is a share.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Use these rows alone.")
    ] = None,
    which: Annotated[
        str | None, typer.Option(help="first or last, of several runs of an arm and seed.")
    ] = None,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="Compare means: the arms share no seeds.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the report.")] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder of mlflow.db and optuna.db.")
    ] = None,
    reports: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("reports"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:  # fmt: skip
    """Judges a table of results from elsewhere, and writes its report; trains nothing."""
    from ablation.cli.asjson import judged, show_json

    if (Path(source) / "study.json").exists():
        from ablation import report

        content = report.read(Path(source))
        if as_json:
            show_json({"judged": [judged(content, Path(source))]})
            return
        _show(content, Path(source))
        return
    from ablation.results import Question, judge_table, read

    for option, value in (("--arm", arm), ("--metric", metric), ("--baseline", baseline)):
        if value is None:
            raise Refused(f"A table is judged by an arm, a metric and a baseline; {option} is "
                          "missing.", f"Give {option}.")  # fmt: skip
    question = Question(
        arm=str(arm), seed=seed, metric=str(metric), baseline=str(baseline), margin=margin,
        lower_is_better=lower, status=status, failed=tuple(failed.split(",")) if failed else (),
        chance=chance, examples=examples, where=tuple(where or ()), which=which,  # type: ignore[arg-type]  # checked there
        unpaired=unpaired,
    )  # fmt: skip
    contents = judge_table(
        read(source, store), question, name=name, dataset=dataset, command=_command()
    )
    folders = [_write(content, reports) for content in contents.values()]
    pairs = list(zip(contents.items(), folders, strict=True))
    if as_json:
        show_json(
            {"judged": [judged(each, folder, dataset=of) for (of, each), folder in pairs]}
        )
        return
    for (_, content), folder in pairs:
        _show(content, folder)


def _command() -> str:
    """Returns the command line as it was typed."""
    return shlex.join(["ablation", *sys.argv[1:]])


def _write(content: Content, reports: Path) -> Path:
    """Writes a report, unless its folder has one of a study.

    Raises:
        Refused: If it has.
    """
    from ablation.report import build, holds_recorded

    if holds_recorded(reports / content.label):
        raise Refused(
            f"{reports / content.label} is the report of a study that was run.",
            "Give the table's report another name: --name NAME.",
        )
    return build(content, reports)


def _show(content: Content, folder: Path) -> None:
    from rich.table import Table

    from ablation.analysis import answer
    from ablation.report import brief

    verdicts = brief(content)
    show(escaped(f"{content.label}: {verdicts.caption}"))
    table = Table(*verdicts.columns, box=None)
    for row in verdicts.rows:
        table.add_row(*(escaped(cell.text) for cell in row))
    show(table)
    show(escaped(answer(content.judged.effects, content.declaration)))
    for warning in content.wording.get("warnings", ()):
        show(escaped(warning))
    show(escaped(f"Report: {folder / 'index.html'}"))
