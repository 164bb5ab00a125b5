"""Trials that were begun and have no outcome, and what ended them."""

from __future__ import annotations

from ablation.records.failure import FAILURES
from ablation.tracking.entities import KEY
from ablation.tracking.home import Home
from ablation.tracking.tags import TRIAL


def endings(home: Home) -> dict[str, str]:
    """Returns trial key to what ended its last training, such as ``raised: KeyError at a.py:7``.

    Trials that were trained again since, to an outcome, are among them.
    """
    found: dict[str, tuple[int, str]] = {}
    for status in ("FAILED", "KILLED"):
        for run in home.search(TRIAL, f"attributes.status = '{status}'"):
            said = _said(run.data.tags)
            known = found.get(run.data.tags.get(KEY, ""), (-1, ""))
            if said and run.info.start_time > known[0]:
                found[run.data.tags[KEY]] = (run.info.start_time, said)
    return {key: said for key, (_, said) in found.items()}


def _said(tags: dict[str, str]) -> str:
    """Returns how a training ended without an outcome; empty for others."""
    for kind, rule in FAILURES.items():
        if not rule.is_outcome and rule.tag in tags:
            return f"{kind}: {tags[rule.tag]}"
    return ""
