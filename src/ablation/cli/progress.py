"""The progress bar of a running study."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Mapping
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

    done = before = len(opened.trials) - len(opened.missing)
    every = max(1, len(opened.missing) // LINES)
    failed, began = opened.failed, time.monotonic()
    with _new_bar() as bar:

        def tell(line: str) -> None:
            bar.console.print(line, markup=False, highlight=False)

        seeds, outside = _seeds(opened), opened.sender.tell
        opened.sender.tell = tell
        task = bar.add_task(stage(opened), total=len(opened.trials), completed=done, failed=failed)
        steps = walk(opened, crew, device=orders.device, handed=handed, timeout=orders.timeout)
        try:
            for ended in steps:
                if (now := _seeds(opened)) != seeds:
                    tell(look_taken(seeds, now, opened.plan.declaration.baseline))
                    seeds = now
                    bar.update(task, description=stage(opened))
                if isinstance(ended, Unfinished):
                    where = f"Arm {ended.trial.arm.name!r} with seed {ended.trial.seed}"
                    tell(f"{where}: {ended.failure}")
                    if orders.fail_fast:
                        return
                else:
                    done += 1
                    failed += ended.result.status == "FAILED"
                    total = len(opened.trials)
                    bar.update(task, total=total, completed=done, failed=failed)
                    if bar.disable and (done % every == 0 or done == total):
                        left = (time.monotonic() - began) / (done - before) * (total - done)
                        told = f"{done}/{total} trials · {left:.0f} s left · {failed} failed"
                        tell(f"{stage(opened)} · {told}")
                yield len(opened.left)
        finally:
            opened.sender.tell = outside


def _new_bar() -> Progress:
    """Returns a progress bar, which shows nothing where the output is not a terminal."""
    console = Console()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("failed {task.fields[failed]}"),
        console=console,
        disable=not console.is_terminal,
        refresh_per_second=2,
    )


def stage(opened: Session) -> str:
    """Returns the label, and where a study has several looks, which one its trials lead to."""
    looks = [look.seeds for look in opened.plan.declaration.looks]
    most = max(_seeds(opened).values(), default=0)
    number = next((place for place, seeds in enumerate(looks, 1) if seeds >= most), len(looks))
    several = f" · look {number} of {len(looks)}" if len(looks) > 1 else ""
    return f"{opened.home.label}{several}"


def look_taken(before: Mapping[str, int], now: Mapping[str, int], baseline: str) -> str:
    """Returns what a look decided: arms that get no more seeds, and those that go on.

    >>> look_taken({"0.05": 5, "0.1": 5, "0.5": 5}, {"0.05": 8, "0.1": 8, "0.5": 5}, "0.05")
    'Look at 5 seeds: 1 of 2 arms is decided; 0.1 goes on to 8 seeds.'

    Args:
        before: Arm to its number of planned seeds, before the look.
        now: The same, after it.
        baseline: The baseline, which goes on with the arms.
    """
    on = [arm for arm in now if now[arm] > before.get(arm, 0) and arm != baseline]
    at = max((seeds for arm, seeds in before.items() if arm in on or not on), default=0)
    asked = sum(seeds == at for arm, seeds in before.items() if arm != baseline)
    decided = asked - len(on)
    goes = f"; {', '.join(on)} {'goes' if len(on) == 1 else 'go'} on to {max(now.values())} seeds"
    return (
        f"Look at {at} seeds: {decided} of {asked} arms {'is' if decided == 1 else 'are'} decided"
        f"{goes if on else ''}."
    )


def _seeds(opened: Session) -> dict[str, int]:
    """Returns arm to its number of due trials."""
    return dict(Counter(trial.arm.name for trial in opened.trials))
