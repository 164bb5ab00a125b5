"""Sends trained trials that wait in an outbox, without a study file and without training."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ablation import mirror as mirrors
from ablation import tracking
from ablation.errors import Refused, public
from ablation.execute.holding import hold, recording
from ablation.records.declaration import Declaration

if TYPE_CHECKING:
    from collections.abc import Callable

    from ablation.records.outcome import Outcome
    from ablation.records.places import Places
    from ablation.tracking import Outbox, Parcel


def sync(
    places: Places, study: str, outbox: Outbox, tell: Callable[[str], None] = lambda _: None
) -> int:
    """Records what waits in a study's outbox, and shows it in the mirror.

    Args:
        places: Where the study is recorded.
        study: Name of the study.
        outbox: Its outbox.
        tell: Shows a line to the user.

    Returns:
        The number of trials that count from now on.

    Raises:
        Refused: If the record cannot be reached, the study is running, or it has no runs there.
    """
    with recording(places), tracking.short_requests(), hold(places, study):
        if damaged := outbox.set_damaged_aside():
            tell(f"{study}: damaged files in {outbox.folder}: {damaged}. Their trials are trained "
                 f"again by: ablation run {study}")  # fmt: skip
        tracking.reach(places.tracking, "MLFLOW_TRACKING_URI")
        client = tracking.connect(places.tracking, record=True)
        labels = sorted({parcel.label for _, parcel in outbox.parcels()})
        return sum(_sync(places, client, study, label, outbox) for label in labels)


def _sync(places: Places, client: Any, study: str, label: str, outbox: Outbox) -> int:
    home = tracking.find_home(client, study, label)
    if home is None:
        raise Refused(
            f"{label!r} has no runs in {public(places.tracking)}.",
            f"Run it, which records first what waits: ablation run {study}",
        )
    sent: dict[str, tuple[Outcome, Parcel]] = {}
    with tracking.leased(client, home.experiment, label) as lease:
        tracking.close_unfinished(home)
        tracking.send_left(home, outbox, lease.check, sent)
    if sent and places.mirror_exists:
        _, stored = tracking.current_declaration(home)
        declared = Declaration.from_json(stored["declaration"])
        ended = {key: (each, of.curve(declared.metric)) for key, (each, of) in sent.items()}
        faults: tuple[type[Exception], ...] = (Refused, *mirrors.failures())
        with contextlib.suppress(*faults):  # the next start restores it
            storage = mirrors.connect(places.storage)
            try:
                mirrors.finish_known(storage, label, declared, ended)
            finally:
                mirrors.close(storage)
    return len(sent)
