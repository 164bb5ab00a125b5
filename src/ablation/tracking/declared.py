"""Keeps with the parent run everything that a study declared before its first run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablation.errors import Refused
from ablation.records.declaration import Declaration
from ablation.task import Prepared
from ablation.tracking import notes
from ablation.tracking.home import Home
from ablation.tracking.tags import DATA, in_parts, long_in, set_tags

CURRENT = "ablation.declaration"
"""Tag of the parent run: hash of the latest declaration."""
DECLARED = "ablation.declared."
"""Prefix of the tags that hold the date of each declaration."""
CONTENT = "ablation.content."
"""Prefix of the tags that hold the text of each declaration, in parts."""


def declare(
    home: Home,
    declaration: Declaration,
    wording: Mapping[str, Any],
    seen: int,
    at: float | None = None,
) -> None:
    """Records a declaration before its first run; one that is known keeps its first date.

    Args:
        home: The study label.
        declaration: Everything the study fixed.
        wording: Question, title and caveats, which may change at any time.
        seen: Number of outcomes that existed when the declaration was first made.
        at: When it was made, in seconds since the epoch; None is now.
    """
    hash_ = declaration.hash
    tags, wanted = home.tags(), dict[str, str]()
    if DECLARED + hash_ not in tags:
        date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        wanted[DECLARED + hash_] = json.dumps({"date": date, "runs_seen": seen})
    text = json.dumps({"declaration": declaration.to_json(), "wording": wording})
    wanted |= in_parts(CONTENT + hash_, text)
    wanted |= {CURRENT: hash_, DATA: declaration.data}  # data may have been changed in place
    if notes.NOTE not in tags:  # later replaced by the answer
        wanted[notes.NOTE] = notes.text(wording["question"])
    set_tags(home, {name: each for name, each in wanted.items() if tags.get(name) != each})
    home.client.update_run(home.parent, status="RUNNING")


def describe_data(home: Home, data: Prepared) -> None:
    """Adds the data to the parent run's inputs; trials name them by tag and parameter."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=data.name,
        digest=data.fingerprint,
        source_type="local" if Path(data.source).exists() else "named",
        source=data.source,
        profile=str(data.rows),
    )
    inputs = DatasetInput(dataset, [InputTag("mlflow.data.context", "all")])
    home.client.log_inputs(home.parent, [inputs])


def declarations(home: Home) -> dict[str, dict[str, Any]]:
    """Returns hash to ``date`` and ``runs_seen`` for every declaration, oldest first."""
    tags = home.tags()
    found = {
        name.removeprefix(DECLARED): json.loads(value)
        for name, value in tags.items()
        if name.startswith(DECLARED)
    }
    return dict(sorted(found.items(), key=lambda item: item[1]["date"]))


def current_declaration(home: Home) -> tuple[str, dict[str, Any]]:
    """Returns hash and content (``declaration``, ``wording``) of the latest declaration.

    Raises:
        Refused: If the study has no declaration.
    """
    found = declared_in(home.tags())
    if found is None:
        raise Refused(
            f"The study {home.label!r} was interrupted before it was declared.", "Run it again."
        )
    return found


def declared_in(tags: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
    """Returns hash and content of the latest declaration in a parent run's tags, or None."""
    if CURRENT not in tags:
        return None
    hash_ = tags[CURRENT]
    content: dict[str, Any] = json.loads(long_in(tags, CONTENT + hash_))
    return hash_, content
