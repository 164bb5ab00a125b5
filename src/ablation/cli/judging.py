"""The command that judges results from elsewhere."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablation.cli.asjson import Json, over_sets_of, show_json, verdicts_of
from ablation.cli.options import Reports, Store
from ablation.cli.output import show, show_line
from ablation.cli.recorded import brief_of, show_report
from ablation.errors import Refused
from ablation.records.digest import digest

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
Title = Annotated[str | None, typer.Option("--name", help="Name of the report.")]


def judge(
    source: Source, *, arm: Arm = None, seed: Seed = None, metric: Metric = None,
    baseline: Baseline = None, margin: Margin = None, lower: Lower = None,
    dataset: Dataset = None, status: Status = None, failed: Failed = None, chance: Chance = None,
    examples: Examples = None, where: Where = None, which: Take = None,
    unpaired: Unpaired = False, name: Title = None, store: Store = None,
    reports: Reports = Path("reports"), as_json: Json = False,
) -> None:  # fmt: skip
    """Judges a table of results from elsewhere, and writes its report; trains nothing."""
    if (Path(source) / "study.json").exists():
        from ablation import report

        _tell([("", report.read(Path(source)), Path(source))], None, as_json=as_json)
        return
    from ablation.report import build
    from ablation.results import Question, judge_table, read

    if arm is None or metric is None or baseline is None:
        read(source, store)  # a table that is not there is named first
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
    for content in contents.values():
        _refuse_recorded(reports / content.label)
    judged = [(of, each, build(each, reports)) for of, each in contents.items()]
    over = _write_over(judged, name or table.name, reports) if len(judged) > 1 else None
    _tell(judged, over, as_json=as_json)


Judged = tuple[str, "Content", Path]
"""Data set, content and folder of a report."""


def _tell(judged: Sequence[Judged], over: tuple[str, Path] | None, *, as_json: bool) -> None:
    """Prints the verdicts on each data set, and the answer and the page over all of them."""
    if as_json:
        rows = [verdicts_of(content, folder, dataset=of) for of, content, folder in judged]
        page = None if over is None else over_sets_of(over[1])
        show_json({"judged": rows, "over_sets": page})
        return
    for _, content, folder in judged:
        show_report(content.label, brief_of(content), folder.parent)
        for warning in content.wording.get("warnings", ()):
            show_line(warning)
    if over is not None:
        show_line(f"Over {len(judged)} data sets: {over[0]}")
        show_line(f"Report: {over[1] / 'index.html'}")
    elif len(judged) > 1:
        show("The data sets do not have the same arms, so there is no page over all of them.")


def _write_over(judged: Sequence[Judged], name: str, reports: Path) -> tuple[str, Path] | None:
    """Writes the page over all data sets; returns its answer and its folder.

    Returns:
        None where the data sets do not have the same arms.
    """
    from ablation.cli.sets import ENDING
    from ablation.report.sets import Wanted, build_over

    contents = [content for _, content, _ in judged]
    if len({frozenset(content.judged.effects["arm"]) for content in contents}) > 1:
        return None
    wanted = Wanted(
        study=name,
        title="",
        question=contents[0].wording["question"],
        folders={of: folder for of, _, folder in judged},
        command=_command(),
    )
    folder = reports / f"{contents[0].label.partition('@')[0]}{ENDING}"
    of = digest([content.declaration.hash for content in contents])
    return build_over(wanted, folder, of=of), folder


def _command() -> str:
    """Returns the command line as it was typed."""
    return shlex.join(["ablation", *sys.argv[1:]])


def _refuse_recorded(folder: Path) -> None:
    """Refuses a folder that has the report of a study.

    Raises:
        Refused: If it has.
    """
    from ablation.report import is_recorded

    if is_recorded(folder):
        raise Refused(
            f"{folder} is the report of a study that was run.",
            "Give the table's report another name: --name NAME.",
        )
