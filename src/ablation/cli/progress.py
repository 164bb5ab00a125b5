"""The progress bar of a running study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from ablation.execute import Crew, Session

LINES = 10
"""Number of progress lines if the output is not a terminal."""


def follow(opened: Session, crew: Crew, *, device: str) -> None:
    """Walks the plan of a session while showing finished trials, time left and failures."""
    from ablation.execute import walk

    console = Console()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("failed {task.fields[failed]}"),
    )
    done = len(opened.trials) - len(opened.missing)
    every = max(1, len(opened.missing) // LINES)
    failed = opened.failed
    quiet = not console.is_terminal
    with Progress(*columns, console=console, disable=quiet, refresh_per_second=2) as bar:
        task = bar.add_task(
            opened.home.label, total=len(opened.trials), completed=done, failed=failed
        )
        for finished in walk(opened, crew, device=device):
            done += 1
            failed += finished.result.status == "FAILED"
            bar.update(task, total=len(opened.trials), completed=done, failed=failed)
            if quiet and (done % every == 0 or done == len(opened.trials)):
                line = f"{opened.home.label}: {done} of {len(opened.trials)} trials done"
                console.print(f"{line}, {failed} failed", markup=False, highlight=False)
