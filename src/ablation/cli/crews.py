"""Which workers a command trains on: this machine's, or others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ablation.cli.output import show, show_line
from ablation.errors import Refused

if TYPE_CHECKING:
    from ablation.execute import Crew
    from ablation.study.spec import Study


@contextlib.contextmanager
def crew_of(
    study: Study, workers: int | None, *, at: str | None, made_by: str | None
) -> Iterator[Crew]:
    """Yields the crew that trains a study, and ends it.

    Args:
        study: The study.
        workers: Number of workers, or None.
        at: Address of a Dask scheduler, or None.
        made_by: ``package.module:function`` that returns an executor, or None.

    Raises:
        Refused: If the options exclude each other, or no such workers can be reached.
    """
    from ablation.cli.asked import cores
    from ablation.execute import ProcessCrew

    _refuse(workers, at, made_by)
    at_once = workers or max(1, cores() // study.task.threads)
    crew: Crew
    if at is None and made_by is None:
        crew = ProcessCrew(at_once)
    else:
        crew = _elsewhere(study, at_once, at, made_by)
    try:
        yield crew
    finally:
        crew.end()


def _elsewhere(study: Study, at_once: int, at: str | None, made_by: str | None) -> Crew:
    from ablation.execute.cluster.engine import DaskCrew
    from ablation.execute.cluster.executors import ElsewhereCrew, executor_of
    from ablation.execute.cluster.packing import Packing

    packing = Packing(study.task, None if study.memory is None else study.memory * 2**30)
    if at is not None:
        crew = DaskCrew(at, packing, show_line)
        if crew.roster.fit():
            show(f"Trains on {crew.roster}; others may join.")
        return crew
    assert made_by is not None
    return ElsewhereCrew(executor_of(made_by), at_once, packing)


def _refuse(workers: int | None, at: str | None, made_by: str | None) -> None:
    if at is not None and made_by is not None:
        raise Refused("--workers-at and --workers-from exclude each other.", "Give one of them.")
    if at is not None and workers is not None:
        raise Refused(
            "--workers is the number of processes here; a scheduler knows its own workers.",
            "Leave --workers out, or start `dask worker` so many times.",
        )
