"""The workers of a running study, and its progress bar."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
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

from ablation.execute.workers import end_workers, pool

if TYPE_CHECKING:
    from ablation.execute.conductor import Session

LINES = 10
"""Where the output is no terminal: a line at each tenth of what is to do."""


@contextlib.contextmanager
def crew(workers: int, *, at_once: bool) -> Iterator[Callable[[], Executor]]:
    """Gives a function that returns the workers, and ends them afterwards.

    Args:
        workers: Their number.
        at_once: Whether they are certain to be needed, and can load while the record is opened.
    """
    # A thread, since a pool waits for its first processes to load what they need.
    with ThreadPoolExecutor(1) as aside:
        started: list[Future[ProcessPoolExecutor]] = []

        def begun() -> Executor:
            if not started:
                started.append(aside.submit(pool, workers))
            return started[0].result()

        try:
            if at_once:
                started.append(aside.submit(pool, workers))
            yield begun
        finally:
            for executor in started:
                end_workers(executor.result())


def follow(opened: Session, executor: Executor, *, ahead: int, device: str) -> None:
    """Walks the plan of a session and shows trials done, time left and failures."""
    from ablation.execute.conductor import walk

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
        for finished in walk(opened, executor, ahead=ahead, device=device):
            done += 1
            failed += finished.result.status == "FAILED"
            bar.update(task, total=len(opened.trials), completed=done, failed=failed)
            if quiet and (done % every == 0 or done == len(opened.trials)):
                line = f"{opened.home.label}: {done} of {len(opened.trials)} trials done"
                console.print(f"{line}, {failed} failed", markup=False, highlight=False)
