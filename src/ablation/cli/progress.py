"""The progress bar of a running study."""

from __future__ import annotations

from collections.abc import Generator
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
    from ablation.execute.ahead import Handed

LINES = 10
"""Number of progress lines if the output is not a terminal."""


def follow(opened: Session, crew: Crew, handed: Handed | None, *, device: str) -> Generator[int]:
    """Walks the plan of a session and shows trials done, time left and failures.

    Args:
        opened: The session.
        crew: Trains the trials.
        handed: Trials that the crew has already.
        device: ``auto``, ``cpu`` or ``cuda``.

    Yields:
        The number of due trials that are left, after each that was recorded.
    """
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
        for finished in walk(opened, crew, device=device, handed=handed):
            done += 1
            failed += finished.result.status == "FAILED"
            bar.update(task, total=len(opened.trials), completed=done, failed=failed)
            if quiet and (done % every == 0 or done == len(opened.trials)):
                line = f"{opened.home.label}: {done} of {len(opened.trials)} trials done"
                console.print(f"{line}, {failed} failed", markup=False, highlight=False)
            yield len(opened.trials) - done
