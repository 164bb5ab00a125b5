"""The progress bar of a running study."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ablation.execute.conductor import Session, walk
from ablation.execute.workers import pool

LINES = 10
"""Where the output is no terminal: a line at each tenth of what is to do."""


def follow(opened: Session, *, workers: int, device: str) -> None:
    """Walks the plan of a session and shows trials done, time left and failures."""
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
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(
            opened.home.label, total=len(opened.trials), completed=done, failed=opened.failed
        )
        for _ in walk(opened, pool(workers), ahead=2 * workers, device=device):
            done += 1
            bar.update(task, completed=done, failed=opened.failed)
            if not console.is_terminal and done % every == 0:
                line = f"{opened.home.label}: {done} of {len(opened.trials)} trials done"
                console.print(f"{line}, {opened.failed} failed", markup=False, highlight=False)
