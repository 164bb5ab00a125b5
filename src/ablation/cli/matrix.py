"""The matrix of a study by seed and arm, printed once or updated live."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ablation.cli.asked import Seen, estimate
from ablation.study.plan import Plan

EVERY = 2.0
"""Seconds between two updates."""


def matrix(seen: Seen, *, times: bool) -> Table:
    """Returns a table with a row per seed and a column per arm.

    A cell shows the metric, the reason of a failure, or the state.

    Args:
        seen: The state of the study.
        times: Whether to add the duration of each training, in seconds.
    """
    arms = list(dict.fromkeys(trial.arm.name for trial in seen.planned))
    cells = {
        (trial.seed, trial.arm.name): seen.shown(trial) + (seen.took(trial) if times else "")
        for trial in seen.planned
    }
    table = Table("seed", box=None)
    for arm in arms:
        table.add_column(Text(arm), overflow="fold")
    for seed in range(1 + max(trial.seed for trial in seen.planned)):
        table.add_row(str(seed), *(Text(cells.get((seed, arm), "")) for arm in arms))
    return table


def watch(
    plan: Plan,
    look: Callable[[], Seen],
    console: Console,
    *,
    workers: int,
    wait: Callable[[], None] = lambda: time.sleep(EVERY),
) -> bool:
    """Shows and updates the matrix until no trial is missing, or Ctrl-C.

    Args:
        plan: The plan.
        look: Returns the current state of the plan.
        console: Console to show the matrix on.
        workers: Number of training processes, for the estimate of the time left.
        wait: Returns when the next update is due.

    Returns:
        Whether no trial is missing.
    """
    with Live(console=console, auto_refresh=False) as shown:
        while True:
            seen = look()
            missing = seen.missing
            done = len(seen.planned) - len(missing)
            closing = f"{done} of {len(seen.planned)} planned trials are done. {seen.note}"
            if missing:
                closing += f" {estimate(plan, seen, missing, workers)}"
            title = f"{seen.heading}, and seconds, by seed and arm"
            shown.update(Group(Text(title), matrix(seen, times=True), Text(closing)), refresh=True)
            if not missing:
                return True
            try:
                wait()
            except KeyboardInterrupt:
                return False
