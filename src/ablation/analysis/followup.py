"""The follow-up study that a study's effects propose."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """The arms of a follow-up study beside the baseline, and its seeds."""

    arms: tuple[str, ...]
    seeds: int


def propose(arms: pd.DataFrame) -> Proposal | None:
    """Returns the follow-up of the arms that fresh seeds are likely to decide; None if none is.

    A study of which looks or runs are to come proposes nothing: it may decide them itself.

    Args:
        arms: One row per arm of an effects frame, without the baseline's.
    """
    rows = arms[np.isfinite(arms["seeds_likely"].astype(float))]
    if not len(rows) or (arms["stage"] != "final").any():
        return None
    return Proposal(arms=tuple(rows["arm"]), seeds=int(rows["seeds_likely"].max()))
