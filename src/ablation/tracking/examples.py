"""Reads from the runs' artifacts which test examples each run classified correctly."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.records.declaration import Declaration
from ablation.records.outcome import Outcome
from ablation.tracking import files
from ablation.tracking.away import is_away
from ablation.tracking.facts import commonest
from ablation.tracking.frames import planned
from ablation.tracking.home import Home
from ablation.tracking.late import LateClient, place_of, published_in
from ablation.tracking.parcel import ATTENTION, CORRECT
from ablation.tracking.store import failures

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = ("arm", "seed", "correct")
"""One row per finished run whose artifact is there: a packed bit per example of test. And one
row without an arm, whose seed is :data:`COMMONEST`: what always naming the commonest class of test
gets right, which is what a FAILED run scores at chance."""

COMMONEST = -1
"""Seed of the row that belongs to no run."""

REQUESTS = 8
"""Artifacts downloaded from a tracking server at a time."""


ATTENTIONS = ("arm", "seed", "weights")
"""One row per finished run whose artifact is there: the weights on the shown test texts, float16,
one text after the other."""


def attention_frame(
    home: Home, declaration: Declaration, outcomes: Mapping[str, Outcome]
) -> pd.DataFrame:
    """Returns the columns :data:`ATTENTIONS`; a run without the artifact has no row."""
    import pandas as pd

    found = _read_all(home, declaration, outcomes, ATTENTION)
    return pd.DataFrame(found, columns=list(ATTENTIONS))


def examples_frame(
    home: Home, declaration: Declaration, outcomes: Mapping[str, Outcome]
) -> pd.DataFrame:
    """Returns the columns :data:`EXAMPLES`; a run without the artifact has no row."""
    scores = scores_of(home, declaration, outcomes)
    return framed(declaration, outcomes, scores, commonest(home))


def scores_of(
    home: Home, declaration: Declaration, outcomes: Mapping[str, Outcome]
) -> dict[str, bytes]:
    """Returns key to packed scores by test example, of every finished run that has them."""
    keys = {(arm, seed): key for arm, seed, key, _ in planned(declaration, outcomes)}
    found = _read_all(home, declaration, outcomes, CORRECT)
    return {keys[arm, seed]: bits for arm, seed, bits in found}


def framed(
    declaration: Declaration,
    outcomes: Mapping[str, Outcome],
    scores: Mapping[str, bytes],
    naive: bytes,
) -> pd.DataFrame:
    """Returns the columns :data:`EXAMPLES` from scores that were read before.

    Args:
        declaration: Everything the study fixed.
        outcomes: Key to outcome.
        scores: Key to packed scores by test example.
        naive: The scores of always naming the commonest class of test; may be empty.
    """
    import pandas as pd

    rows = [
        (arm, seed, scores[key])
        for arm, seed, key, outcome in planned(declaration, outcomes)
        if outcome.status == "FINISHED" and scores.get(key)
    ]
    if naive:
        rows.append(("", COMMONEST, naive))
    return pd.DataFrame(rows, columns=list(EXAMPLES))


def _read_all(
    home: Home, declaration: Declaration, outcomes: Mapping[str, Outcome], name: str
) -> list[tuple[str, int, bytes]]:
    """Returns arm, seed and content of an artifact of every finished run that has it."""
    _, place = place_of(home.client, home.experiment)
    wanted = [
        (arm, seed, outcome.run_id)
        for arm, seed, _, outcome in planned(declaration, outcomes)
        if outcome.status == "FINISHED"
    ]
    runs = [run for _, _, run in wanted]
    if (folder := files.folder_of(place)) is not None:
        found = [_read(folder / run / "artifacts" / name) for run in runs]
    else:
        with ThreadPoolExecutor(REQUESTS) as threads:
            found = list(threads.map(lambda run: download(home, run, name), runs))
    return [(arm, seed, bits) for (arm, seed, _), bits in zip(wanted, found, strict=True) if bits]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the store was moved, and its artifacts were left behind
        return b""


def download(home: Home, run: str, name: str) -> bytes:
    """Returns the content of a run's artifact, nothing where the run has none.

    Raises:
        Exception: Of MLflow, if the record is away.
    """
    if isinstance(home.client, LateClient):
        _, place = published_in(home.client, run)
        if (near := files.folder_of(place)) is not None:
            return _read(near / name)
    with tempfile.TemporaryDirectory() as folder:
        try:
            return Path(home.client.download_artifacts(run, name, folder)).read_bytes()
        except Exception as error:
            faults: tuple[type[Exception], ...] = (OSError, *failures())
            if not isinstance(error, faults) or is_away(error):  # the run may have it
                raise
    return b""
