"""The command ``sync``, and the lines about trials that are trained and not recorded yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ablation.cli.options import Store
from ablation.cli.output import show_line
from ablation.cli.process import say
from ablation.errors import Refused
from ablation.records.prose import joined

if TYPE_CHECKING:
    from ablation.execute import Session


def sync(
    name: Annotated[str | None, typer.Argument(help="A study; all of the store if unset.")] = None,
    *,
    store: Store = None,
) -> None:
    """Records trained trials that wait since a record was away; trains nothing."""
    from ablation.execute import sync
    from ablation.records.places import places
    from ablation.tracking import settled, studies_with_parcels

    where = places(store)
    waiting = studies_with_parcels(where)
    asked = [each for each in waiting if name in {None, each}]
    refused: list[Refused] = []
    with settled(where.tracking):
        for study in asked:
            try:
                sent = sync(where, study, waiting[study], show_line)
            except Refused as error:  # the other studies need not wait for it
                refused.append(error)
                continue
            show_line(f"{study}: {of_trials(sent)} recorded. Its report: ablation report {study}")
    if refused:
        for each in refused[:-1]:
            say(each)
        raise refused[-1]
    if not asked:
        of = "" if name is None else f" of {name}"
        others = f" Trials of {joined(list(waiting))} do." if waiting else ""
        show_line(f"No trial{of} waits to be recorded.{others}")


def show_left_by_earlier(opened: Session) -> None:
    """Says what an earlier start left in the outbox of a study."""
    if opened.resent:
        show_line(f"{of_trials(opened.resent)} recorded that an earlier start left.")
    if opened.damaged:
        where = opened.outbox.folder
        show_line(f"{of_trials(opened.damaged)} trained again: damaged files in {where}.")


def of_trials(number: int) -> str:
    """Returns a number of trials with its verb, such as ``1 trial is``."""
    return "1 trial is" if number == 1 else f"{number} trials are"
