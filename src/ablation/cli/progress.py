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
    from ablation.execute.walk import Orders

LINES = 10
"""Number of progress lines if the output is not a terminal."""


def follow(opened: Session, crew: Crew, handed: Handed | None, orders: Orders) -> Generator[int]:
    """Walks the plan of a session and shows trials done, time left and failures.

    Args:
        opened: The session.
        crew: Trains the trials.
        handed: Trials that the crew has already.
        orders: How to carry out the plan.

    Yields:
        The number of trials that are left to train, after each that ended.
    """
    from ablation.execute import walk
    from ablation.tracking import Unfinished

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
        steps = walk(opened, crew, device=orders.device, handed=handed, timeout=orders.timeout)
        for ended in steps:
            if isinstance(ended, Unfinished):
                where = f"Arm {ended.trial.arm.name!r} with seed {ended.trial.seed}"
                bar.console.print(f"{where}: {ended.failure}", markup=False, highlight=False)
                if orders.fail_fast:
                    return
            else:
                done += 1
                failed += ended.result.status == "FAILED"
                bar.update(task, total=len(opened.trials), completed=done, failed=failed)
                if quiet and (done % every == 0 or done == len(opened.trials)):
                    line = f"{opened.home.label}: {done} of {len(opened.trials)} trials done"
                    console.print(f"{line}, {failed} failed", markup=False, highlight=False)
            yield len(opened.left)
