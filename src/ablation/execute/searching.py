"""Carries out the tunings or the search of a study: asks, trains, records, in any order.

A trial is asked once those up to four before it are told, on these alone, so that values depend
neither on the number of workers nor on timing nor on a restart.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import TYPE_CHECKING, Any

from ablation import mirror as mirrors
from ablation import tracking
from ablation.errors import Refused, public
from ablation.execute.ahead import AHEAD
from ablation.execute.crew import Stranded
from ablation.execute.holding import hold, recording
from ablation.execute.session import open_stores
from ablation.execute.stamp import stamp
from ablation.execute.try_point import Attempt, Tried, try_point
from ablation.execute.waiting import until_answered
from ablation.execute.worker import Job
from ablation.records.failure import FAILURES
from ablation.records.paths import replace_all
from ablation.records.told import Told
from ablation.search import WINDOW, ask, importance_key, importance_table
from ablation.search.ask import seen
from ablation.study.searched import Runs, Search, group_told, searches_of
from ablation.study.space import Recalled, at_edge, choose
from ablation.tracking import Ended, Home, Lease

if TYPE_CHECKING:
    from ablation.execute.crew import Crew
    from ablation.records.places import Places
    from ablation.study.plan import Plan

_Asked = tuple[Search, int, Mapping[str, Any]]
"""A trial of a search: its number, and where it looks."""


@dataclasses.dataclass(kw_only=True, slots=True)
class Searching:
    """The searches of a study with an open record, and what they were told so far."""

    plan: Plan
    searches: Sequence[Search]
    home: Home
    storage: Any
    lease: Lease
    """Makes this process the one that records the label."""
    told: dict[str, Runs]
    """Name of a search to its trials; grows as trials are recorded."""
    versions: Mapping[str, str]
    tell: Callable[[str], None]
    """Shows a line to the user."""

    @property
    def left(self) -> int:
        """Number of trials to come."""
        return sum(search.trials - len(self.told[search.name]) for search in self.searches)

    def record(self, search: Search, number: int, point: Mapping[str, Any], tried: Tried) -> Told:
        """Records a trial, shows it in the mirror and returns it; waits for a record that is away.

        Workers go on meanwhile with the trials that they have.
        """
        values = choose(search.space, Recalled(point))
        told = Told(
            number=number, arm=search.arm, replicate=search.replicate,
            edges=at_edge(search.space, values), point=dict(point), curve=tried.curve,
            value=tried.value,
            values={path: repr(value) for path, value in values.items()}, state=tried.state,
            seed=search.seed(number), seconds=tried.seconds, reason=tried.reason,
        )  # fmt: skip
        ended = Ended(
            search=search, told=told, config=replace_all(search.config, values),
            records=tried.records, began=tried.began, device=tried.device,
        )  # fmt: skip
        where = public(str(self.home.client.tracking_uri))
        run = until_answered(partial(self._write, ended), where, self.tell)
        self.told[search.name][number] = (told, run)
        self.show(search)
        return told

    def _write(self, ended: Ended, is_again: bool) -> str:
        """Records a trial; returns the id of its run."""
        self.lease.check()
        if is_again:
            tracking.close_unfinished(self.home, tracking.TUNING)
            if known := tracking.told_of(self.home).get(ended.search.key(ended.told.number)):
                return known[1]
        data = self.plan.data_by_arm[ended.search.arm]
        return tracking.record_told(self.home, ended, data, self.versions)

    def show(self, search: Search) -> None:
        """Brings a search's Optuna study up to date; the next call makes up for one that fails."""
        metric = self.plan.declaration.measure
        runs = self.told[search.name]
        with contextlib.suppress(Exception):
            mirrors.mirror_search(self.storage, self.home.label, search, runs, metric)


@contextlib.contextmanager
def searching(
    plan: Plan, places: Places, *, tell: Callable[[str], None] = lambda _: None
) -> Iterator[Searching]:
    """Opens the record of a study's searches, under the study's lock.

    Args:
        plan: The plan of the study before anything is tuned.
        places: Where it is recorded.
        tell: Shows a line to the user.

    Raises:
        Refused: If the record cannot be used, or another process is using it.
    """
    with recording(places), tracking.short_requests(), contextlib.ExitStack() as stack:
        stack.enter_context(hold(places, plan.study.name))
        home, storage, lease = open_stores(plan, places, stack)
        tracking.close_unfinished(home, tracking.TUNING)
        searches = searches_of(plan.study, plan.data.fingerprint)
        opened = Searching(
            plan=plan,
            searches=searches,
            home=home,
            storage=storage,
            lease=lease,
            told=group_told(searches, tracking.told_of(home)),
            versions=stamp(plan.study.task.libraries),
            tell=tell,
        )
        for search in searches:
            opened.show(search)
        yield opened
        for search in searches:
            opened.show(search)


def weigh(opened: Searching, mapping: Callable[..., Iterable[Any]]) -> None:
    """Computes the importances of a joint search once, and keeps them with the study.

    Args:
        opened: The search, all of its trials told.
        mapping: The ``map`` of a crew.
    """
    (search,) = opened.searches
    told = [each for _, (each, _) in sorted(opened.told[search.name].items())]
    key = importance_key(told)
    if not tracking.importances_are_of(opened.home, key):
        direction = opened.plan.declaration.measure.direction
        table = importance_table(search.space, told, direction, mapping)
        opened.lease.check()  # it may take a minute
        tracking.keep_importances(opened.home, table, of=key)


def carry_out(opened: Searching, crew: Crew, *, device: str) -> Generator[Told]:
    """Trains and records every missing trial; yields each when recorded.

    Args:
        opened: The searches.
        crew: Trains the trials; ended by an interrupt or an error.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        Refused: If user-defined code fails, or a worker dies; recorded trials are kept.
        LeaseLost: If another process has taken the study over.
    """
    running: dict[Future[Any], _Asked] = {}
    lost: Counter[tuple[str, int]] = Counter()
    try:
        while opened.left:
            _refill(opened, crew, running, device)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                search, number, point = running.pop(future)
                tried = _result(crew, future, search, number)
                if tried is not None:
                    yield opened.record(search, number, point, tried)
                    continue
                lost[search.name, number] += 1  # the crew has another worker by now
                if lost[search.name, number] >= FAILURES["lost"].tries:
                    raise _lost(search, number)
    except BaseException:
        crew.end()  # workers must not go on while the record is closed
        raise


def _refill(
    opened: Searching, crew: Crew, running: dict[Future[Any], _Asked], device: str
) -> None:
    busy = {(search.name, number) for search, number, _ in running.values()}
    while len(running) < AHEAD * crew.at_once:
        following = _next(opened, busy)
        if following is None:
            return
        search, number = following
        busy.add((search.name, number))
        point, attempt = _attempt(opened, search, number, device)
        try:
            running[crew.submit(try_point, attempt)] = (search, number, point)
        except Exception as error:
            if crew.is_broken(error):
                raise _lost(search, number) from error
            raise


def _next(opened: Searching, busy: set[tuple[str, int]]) -> tuple[Search, int] | None:
    """Returns the trial that can be asked now, of the search that is least far; None if none."""
    found: list[tuple[int, int]] = []
    for place, search in enumerate(opened.searches):
        told = opened.told[search.name]
        number = next(
            (each for each in range(search.trials)
             if each not in told and (search.name, each) not in busy),
            None,
        )  # fmt: skip
        if number is not None and all(each in told for each in range(number - WINDOW + 1)):
            found.append((number, place))
    if not found:
        return None
    number, place = min(found)
    return opened.searches[place], number


def _attempt(
    opened: Searching, search: Search, number: int, device: str
) -> tuple[Mapping[str, Any], Attempt]:
    """Returns where a trial looks, and the trial as it is sent to a worker."""
    declared, task = opened.plan.declaration.measure, opened.plan.study.task
    known = {each: told for each, (told, _) in opened.told[search.name].items()}
    point = ask(search.space, known, number, name=search.name, direction=declared.direction)
    config = replace_all(search.config, choose(search.space, Recalled(point)))
    job = Job(
        train=task.train,
        resolve_device=task.device,
        config=task.send(config),
        seed=search.seed(number),
        data=opened.plan.data_by_arm[search.arm],
        device=device,
        travel=task.travel,
    )
    epochs = None if task.epochs is None else task.epochs(config)
    return point, Attempt(
        job=job, metric=declared.name, direction=1 if declared.direction > 0 else -1,
        pruner=search.pruner, told=seen(known, number), epochs=epochs,
    )  # fmt: skip


def _result(crew: Crew, future: Future[Any], search: Search, number: int) -> Tried | None:
    """Returns how a trial ended; None if its worker was lost."""
    try:
        tried: Tried = future.result()
    except Stranded:
        raise
    except Refused as error:
        raise Refused(f"{_where(search, number)}: {error.rule}", error.way_out) from error
    except Exception as error:
        if crew.is_broken(error):
            return None
        raise
    return tried


def _lost(search: Search, number: int) -> Refused:
    return Refused(
        f"{_where(search, number)}: its worker process died, perhaps for lack of memory.",
        "Run the same command again to continue; WORKERS=1 needs less memory.",
    )


def _where(search: Search, number: int) -> str:
    return f"Trial {number} of the tuning of {search.arm!r}"
