"""Reads the trials of any Optuna study, whoever ran it, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ablation.errors import Refused, nearest, public
from ablation.records.causes import refusal

if TYPE_CHECKING:
    import pandas as pd


def foreign_trials(url: str, study: str) -> pd.DataFrame:
    """Returns a row per trial, the oldest first, with columns as Optuna's own frame names them.

    They are ``number``, ``state``, ``value`` (``values_0``, ``values_1``, ... where there are
    several objectives), ``params_x``, ``user_attrs_x`` and ``system_attrs_x``.

    Args:
        url: Optuna storage URL.
        study: The study's name.

    Raises:
        Refused: If the storage cannot be read, or has no such study, or it has no trials.
    """
    import optuna

    from ablation.mirror.storage import failures

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        names = optuna.get_all_study_names(storage=url)
        if study not in names:
            raise Refused(
                f"{public(url)} has no study {study!r}.{nearest(study, names)}",
                f"Studies: {', '.join(names)}.",
            )
        frame = optuna.load_study(study_name=study, storage=url).trials_dataframe()
    except failures() as error:
        what, way_out = f"The storage {public(url)} cannot be used", "Check ABLATION_STORAGE."
        raise refusal(error, what, way_out) from error
    if frame.empty:
        raise Refused(f"The study {study!r} has no trials.", "Name a study that has trials.")
    return frame
