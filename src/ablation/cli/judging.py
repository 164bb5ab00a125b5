"""The command that judges results from elsewhere."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablation.cli.output import escaped, show
from ablation.errors import Refused

if TYPE_CHECKING:
    from ablation.report import Content

Source = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        help="CSV, Parquet or JSON lines, W&B's CSV, mlflow:EXPERIMENT, optuna:STUDY, or the "
        "folder of a report.",
    ),
]
Arm = Annotated[
    str | None,
    typer.Option(help="Column of the arm; where each arm has a column, A,B,C, or '*' for all."),
]
Seed = Annotated[str | None, typer.Option(help="Column of the seed that the arms share.")]
Metric = Annotated[
    str | None, typer.Option(help="Column of the metric; where each arm has one, its name.")
]
Baseline = Annotated[str | None, typer.Option(help="The arm that all others are compared with.")]
Margin = Annotated[float | None, typer.Option(help="Smallest effect worth acting on.")]
Lower = Annotated[bool | None, typer.Option("--lower/--higher", help="Which way is better.")]
Dataset = Annotated[str | None, typer.Option(help="Column of the data set; a report for each.")]
Status = Annotated[str | None, typer.Option(help="Column that says how a run ended.")]
Failed = Annotated[
    str | None, typer.Option(help="Statuses, with commas, that are an outcome of the arm.")
]
Chance = Annotated[float | None, typer.Option(help="Value for guessing; a failed run has it.")]
Examples = Annotated[int | None, typer.Option(help="Test examples that the metric is a share of.")]
Where = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Use only these rows.")
]
Take = Annotated[
    str | None, typer.Option(help="first or last, of several runs of one arm and seed.")
]
Unpaired = Annotated[
    bool, typer.Option("--unpaired", help="Compare means, for arms that share no seeds.")
]
Name = Annotated[str | None, typer.Option(help="Name of the report.")]
Store = Annotated[
    Path | None,
    typer.Option(help="Folder of mlflow.db and optuna.db; overrides the environment."),
]
Reports = Annotated[Path, typer.Option(help="Folder for the reports.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def judge(
    source: Source, *, arm: Arm = None, seed: Seed = None, metric: Metric = None,
    baseline: Baseline = None, margin: Margin = None, lower: Lower = None,
    dataset: Dataset = None, status: Status = None, failed: Failed = None, chance: Chance = None,
    examples: Examples = None, where: Where = None, which: Take = None,
    unpaired: Unpaired = False, name: Name = None, store: Store = None,
    reports: Reports = Path("reports"), as_json: Json = False,
) -> None:  # fmt: skip
    """Judges a table of results from elsewhere, and writes its report; trains nothing."""
    if (Path(source) / "study.json").exists():
        from ablation import report

        _tell([("", report.read(Path(source)), Path(source))], as_json=as_json)
        return
    from ablation.results import Question, judge_table, read

    if arm is None or metric is None or baseline is None:
        raise Refused(
            "A table is judged by its columns of arm and metric, and by a baseline.",
            "Give --arm COLUMN --seed COLUMN --metric COLUMN --baseline ARM --margin NUMBER.",
        )
    question = Question(
        arm=arm, seed=seed, metric=metric, baseline=baseline, margin=margin,
        lower_is_better=lower, status=status, failed=tuple(failed.split(",")) if failed else (),
        chance=chance, examples=examples, where=tuple(where or ()), which=which,
        unpaired=unpaired,
    )  # fmt: skip
    table = read(source, store)
    contents = judge_table(table, question, name=name, dataset=dataset, command=_command())
    judged = [(of, each, _write(each, reports)) for of, each in contents.items()]
    _tell(judged, as_json=as_json)


def _tell(judged: Sequence[tuple[str, Content, Path]], *, as_json: bool) -> None:
    """Prints data set, content and folder of each report."""
    if as_json:
        from ablation.cli.asjson import show_json, verdicts_of

        rows = [verdicts_of(content, folder, dataset=of) for of, content, folder in judged]
        show_json({"judged": rows})
        return
    for _, content, folder in judged:
        _show(content, folder)


def _command() -> str:
    """Returns the command line as it was typed."""
    return shlex.join(["ablation", *sys.argv[1:]])


def _write(content: Content, reports: Path) -> Path:
    """Writes a report, unless its folder has one of a study.

    Raises:
        Refused: If it has.
    """
    from ablation.report import build, is_recorded

    if is_recorded(reports / content.label):
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
    show(escaped(answer(content.judged.effects, content.declaration, content.judged.contrasts)))
    for warning in content.wording.get("warnings", ()):
        show(escaped(warning))
    show(escaped(f"Report: {folder / 'index.html'}"))
