"""Writes the note that optuna-dashboard shows with a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablation.errors import public
from ablation.mirror.read import DECLARATION, LABEL
from ablation.mirror.write import close, connect, failures
from ablation.records.causes import refusal

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

VERSION, PART = "dashboard:note_ver", "dashboard:note_str:"
"""System attributes by which optuna-dashboard 0.21 keeps a study's note, in numbered parts."""
LONGEST = 2045
"""Characters of a part, by optuna-dashboard's own rule."""


def keep_note(url: str, label: str, declaration: str, note: str, facts: Mapping[str, Any]) -> None:
    """Shows a note with the Optuna study of a label and declaration, if there is one.

    Args:
        url: The Optuna storage.
        label: Study label.
        declaration: The declaration's hash.
        note: Markdown.
        facts: Attributes of the study to set beside it.

    Raises:
        Refused: If the storage cannot be used or written.
    """
    storage = connect(url)
    try:
        _keep(storage, label, declaration, note, facts)
    except failures() as error:
        raise refusal(error, f"The Optuna storage {public(url)} cannot be written") from error
    finally:
        close(storage)


def _keep(
    storage: RDBStorage, label: str, declaration: str, note: str, facts: Mapping[str, Any]
) -> None:
    for study in storage.get_all_studies():
        given = study.user_attrs
        if (given.get(LABEL), given.get(DECLARATION)) == (label, declaration):
            for name, value in facts.items():
                if given.get(name) != value:
                    storage.set_study_user_attr(study._study_id, name, value)
            known = study.system_attrs
            parts = [note[at : at + LONGEST] for at in range(0, len(note), LONGEST)]
            earlier = sum(name.startswith(PART) for name in known)
            parts += [""] * (earlier - len(parts))  # the dashboard joins all that are there
            if [known.get(f"{PART}{place}") for place in range(len(parts))] == parts:
                continue
            for place, part in enumerate(parts):
                storage.set_study_system_attr(study._study_id, f"{PART}{place}", part)
            version = known.get(VERSION, 0) + 1
            storage.set_study_system_attr(study._study_id, VERSION, version)
