"""Writes the note that optuna-dashboard shows with a study."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablation.errors import Refused, public
from ablation.mirror.read import DECLARATION, LABEL, attributes, reading
from ablation.mirror.storage import close, connect, failures
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
    with contextlib.suppress(Refused):  # what cannot be read is told by who writes
        if _is_kept(url, label, declaration, note, facts):
            return
    storage = connect(url)
    try:
        _keep(storage, label, declaration, note, facts)
    except failures() as error:
        raise refusal(error, f"The Optuna storage {public(url)} cannot be written") from error
    finally:
        close(storage)


def _is_kept(url: str, label: str, declaration: str, note: str, facts: Mapping[str, Any]) -> bool:
    """Returns whether all of it is there already; does not load Optuna, which takes 0.15 s."""
    with reading(url) as query:
        system = attributes(query, "system")
        return all(
            not _is_new(given, facts) and _new_parts(system.get(study, {}), note) is None
            for study, given in attributes(query, "user").items()
            if (given.get(LABEL), given.get(DECLARATION)) == (label, declaration)
        )


def _is_new(given: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    return any(given.get(name) != value for name, value in facts.items())


def _new_parts(known: Mapping[str, Any], note: str) -> list[str] | None:
    """Returns the parts of a note; None where a study's system attributes have them already."""
    parts = [note[at : at + LONGEST] for at in range(0, len(note), LONGEST)]
    earlier = sum(name.startswith(PART) for name in known)
    parts += [""] * (earlier - len(parts))  # the dashboard joins all that are there
    same = [known.get(f"{PART}{place}") for place in range(len(parts))] == parts
    return None if same else parts


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
            if (parts := _new_parts(known, note)) is None:
                continue
            for place, part in enumerate(parts):
                storage.set_study_system_attr(study._study_id, f"{PART}{place}", part)
            version = known.get(VERSION, 0) + 1
            storage.set_study_system_attr(study._study_id, VERSION, version)
