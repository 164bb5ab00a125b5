"""Fills in what the tunings or the search of a study found, and carries them out first."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from ablation import tracking
from ablation.cli.asked import replan
from ablation.cli.output import show, show_line
from ablation.cli.process import INTERRUPTED, stop_if_asked
from ablation.errors import Refused
from ablation.records.places import places
from ablation.records.told import Told, best_of
from ablation.study.plan import Plan
from ablation.study.searched import Search, group_told, searches_of
from ablation.study.space import Recalled, choose

if TYPE_CHECKING:
    from pathlib import Path

    from ablation.execute import Crew
    from ablation.execute.walk import Orders
    from ablation.records.places import Places


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """The searches of a plan, with the trials that are recorded."""

    searches: list[Search]
    told: Mapping[str, Mapping[int, Told]]
    """Name of a search to its trials by number."""

    @property
    def left(self) -> int:
        """Number of trials to come."""
        return sum(search.trials - len(self.told[search.name]) for search in self.searches)

    @property
    def trials(self) -> int:
        """Number of trials in all."""
        return sum(search.trials for search in self.searches)


def look_up_searches(given: Plan, where: Places) -> Known:
    """Returns what is recorded of a plan's searches."""
    searches = searches_of(given.study, given.data.fingerprint)
    if not searches:
        return Known([], {})
    found = tracking.told_at(where.tracking, given.study.name, given.label)
    told = {
        name: {number: trial for number, (trial, _) in runs.items()}
        for name, runs in group_told(searches, found).items()
    }
    return Known(searches, told)


def filled_in(given: Plan, known: Known) -> Plan:
    """Returns the plan of the tuned arms, or of those that the search found.

    Args:
        given: The plan before.
        known: Its searches, all of them done.

    Raises:
        Refused: If no trial of a search was completed.
    """
    study, direction = given.study, given.declaration.measure.direction
    found: dict[str, Any] = {}
    blocks: dict[str, list[Any]] = {}
    for search in known.searches:
        best = best_of(known.told[search.name], direction, study.best if study.search else 1)
        if not best:
            raise Refused(
                f"No trial of the search for {search.arm!r} was completed.",
                "Give it more trials, a smaller space, or the pruner 'none'.",
            )
        values = [choose(search.space, Recalled(each.point)) for each in best]
        if study.search:
            found |= {f"best {place}": each for place, each in enumerate(values, start=1)}
        elif search.replicate is None:
            found[search.arm] = values[0]
        else:  # block by block, in their order
            blocks.setdefault(search.arm, []).append(values[0])
    return replan(given, dataclasses.replace(study, tuned=found, tuned_by_block=blocks))


def with_searches(given: Plan, store: Path | None) -> tuple[Plan, list[str]]:
    """Returns a plan with what its searches found, if they are done, and what is said of them."""
    known = look_up_searches(given, places(store))
    if not known.searches:
        return given, []
    arms = len({search.arm for search in known.searches})
    what = "the search" if given.study.search else f"the tuning of {arms} arms"
    budget = ", ".join(dict.fromkeys(str(search.trials) for search in known.searches))
    said = f"{known.trials - known.left} of {known.trials} trials of {what} are done"
    said += f", {budget} for each search; test has no part in them."
    if known.left:
        rest = "The rest is planned once they are done; the arms are shown untuned."
        return given, [said, rest]
    return filled_in(given, known), [said]


def search_first(given: Plan, crew: Crew, where: Places, orders: Orders) -> Plan:
    """Carries out what is missing of a plan's searches; returns the plan of what they found.

    Raises:
        Exit: After Ctrl-C.
    """
    known = look_up_searches(given, where)
    if not known.searches:
        return given
    if known.left:
        try:
            _carry_out(given, crew, where, orders)
        except KeyboardInterrupt:
            crew.end()
            show("\nStopped: tuning trials that are done are kept. Run the same command again.")
            raise typer.Exit(INTERRUPTED) from None
        known = look_up_searches(given, where)
    return filled_in(given, known)


def _carry_out(given: Plan, crew: Crew, where: Places, orders: Orders) -> None:
    from contextlib import closing

    from ablation.cli.progress import LINES
    from ablation.execute import ProcessCrew
    from ablation.execute.searching import carry_out, searching, weigh

    task = given.study.task
    crew.prepare(*task.preload, environment=task.environment)
    if isinstance(crew, ProcessCrew):
        crew.start()
    with searching(given, where, tell=show_line) as opened:
        total = sum(search.trials for search in opened.searches)
        every = max(1, opened.left // LINES)
        with closing(carry_out(opened, crew, device=orders.device)) as trials:
            for _ in trials:
                stop_if_asked()
                done = total - opened.left
                if done % every == 0 or not opened.left:
                    show_line(f"{opened.home.label}: {done} of {total} tuning trials done")
        if given.study.search:
            weigh(opened, crew.map)
