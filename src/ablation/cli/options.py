"""The arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ablation.cli.folder import folder_of

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
WorkersAt = Annotated[
    str | None,
    typer.Option(help="Train on the workers of this Dask scheduler, such as tcp://host:8786."),
]
WorkersFrom = Annotated[
    str | None,
    typer.Option(
        help="Train on WORKERS workers of the concurrent.futures.Executor that this function "
        "returns: package.module:name."
    ),
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
