"""Trials that were begun and have no outcome, and what ended them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ablation.records.failure import FAILURES
from ablation.tracking import tables
from ablation.tracking.entities import KEY
from ablation.tracking.home import Home
from ablation.tracking.late import LateClient
from ablation.tracking.tags import LABEL, TRIAL


def endings(home: Home) -> dict[str, str]:
    """Returns trial key to what ended its last training, such as ``raised: KeyError at a.py:7``.

    Trials that were trained again since, to an outcome, are among them.
    """
    found: dict[str, tuple[int, str]] = {}
    for status in ("FAILED", "KILLED"):
        for began, tags in _ended(home, status):
            said = _said(tags)
            known = found.get(tags.get(KEY, ""), (-1, ""))
            if said and began > known[0]:
                found[tags[KEY]] = (began, said)
    return {key: said for key, (_, said) in found.items()}


def _ended(home: Home, status: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yields when the label's trials of a status began, and their tags."""
    if isinstance(home.client, LateClient):
        with home.client.reading() as query:
            rows = tables.runs(query, [home.experiment], TRIAL)
        yield from (
            (row.start_time, row.tags)
            for row in rows
            if row.status == status and row.tags.get(LABEL) == home.label
        )
        return
    for run in home.search(TRIAL, f"attributes.status = '{status}'"):
        yield run.info.start_time, run.data.tags


def _said(tags: Mapping[str, str]) -> str:
    """Returns how a training ended without an outcome; empty for others."""
    for kind, rule in FAILURES.items():
        if not rule.is_outcome and rule.tag in tags:
            return f"{kind}: {tags[rule.tag]}"
    return ""
