"""Reads the mirror with two plain queries on Optuna's tables.

A test compares the results with those of Optuna itself.
"""

# Loading Optuna and building a thousand trials takes seconds; `plan` and `status` need three
# columns.

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import statistics
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import quote

from ablation.errors import public
from ablation.records import addresses
from ablation.records.causes import refusal
from ablation.records.outcome import Outcome

LABEL, DATA, DECLARATION = "ablation.study", "ablation.data", "ablation.declaration"
"""Attributes of a mirrored study."""
PLANNED = "ablation.planned"
"""Another: arm to planned seeds, as the looks so far decided; absent before the first look."""
DEVIATION = "ablation.deviation"
"""Another: metric, and the median over the arms of a difference's standard deviation over test
examples; absent before the first verdict about new examples."""
KEY, RUN, OUTCOME, ARM, SEED = "key", "mlflow_run_id", "outcome", "arm", "seed"
"""Attributes of a mirrored trial; ``outcome`` holds reason, epoch, seconds and hashes."""

DONE = frozenset({"COMPLETE", "FAIL"})
"""States of a trial that has an outcome."""

_STUDIES = "SELECT study_id, key, value_json FROM study_{kind}_attributes"
_TRIALS = """
SELECT t.trial_id, t.state, v.value, a.key, a.value_json
FROM trials t
JOIN trial_user_attributes a ON a.trial_id = t.trial_id
LEFT JOIN trial_values v ON v.trial_id = t.trial_id
WHERE t.study_id IN ({studies})
ORDER BY t.study_id, t.trial_id
"""

Query = Callable[[str], list[tuple[Any, ...]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Mirrored:
    """The state of a planned trial in the mirror."""

    state: str
    """COMPLETE, FAIL, RUNNING or WAITING."""
    outcome: Outcome | None
    """The mirrored part of the outcome, or None if the trial has none."""


@contextlib.contextmanager
def reading(url: str) -> Iterator[Query]:
    """Opens an Optuna storage for reading; never creates a file.

    Raises:
        Refused: If the storage cannot be read.
    """
    path = addresses.file_of(url)
    try:
        if path is not None:
            # Reading a write-ahead log needs write access.
            address = f"file:{quote(str(path))}?mode=rw"
            with contextlib.closing(sqlite3.connect(address, timeout=60, uri=True)) as connection:
                yield lambda query: connection.execute(query).fetchall()
            return
        import sqlalchemy

        engine = sqlalchemy.create_engine(url)
        with contextlib.closing(engine.connect()) as link:
            yield lambda query: [tuple(row) for row in link.exec_driver_sql(query)]
    except Exception as error:
        if isinstance(error, sqlite3.Error | ImportError) or type(error).__module__.startswith(
            "sqlalchemy"
        ):
            raise refusal(
                error,
                f"The Optuna storage {public(url)} cannot be read",
                "Check ABLATION_STORAGE or --store; running the study creates missing tables.",
            ) from error
        raise


def labels_taken(query: Query) -> dict[str, str]:
    """Returns label to data fingerprint for every mirrored study.

    >>> rows = [(1, "ablation.study", '"init_std"'), (1, "ablation.data", '"0123456789ab"')]
    >>> labels_taken(lambda query: rows)
    {'init_std': '0123456789ab'}
    """
    every = attributes(query, "user").values()
    return {each[LABEL]: each[DATA] for each in every if {LABEL, DATA} <= each.keys()}


def planned_seeds(query: Query, label: str, declaration: str) -> dict[str, int]:
    """Returns arm to planned seeds under a declaration; nothing before its first look.

    Args:
        query: Reads the storage.
        label: Study label.
        declaration: The declaration's hash.
    """
    for each in attributes(query, "user").values():
        if each.get(LABEL) == label and each.get(DECLARATION) == declaration:
            found: dict[str, int] = each.get(PLANNED, {})
            return found
    return {}


def example_deviation(query: Query, label: str, data: str, metric: str) -> float | None:
    """Returns the spread over test examples that earlier runs showed, None if none did.

    Args:
        query: Reads the storage.
        label: Study label, whose own spread is taken if it is known.
        data: Fingerprint of the data, other studies on which are asked else.
        metric: The metric.
    """
    given = [each for each in attributes(query, "user").values() if each.get(DATA) == data]
    known = [(each[LABEL], each[DEVIATION][1]) for each in given
             if each.get(DEVIATION, [""])[0] == metric]  # fmt: skip
    own: list[float] = [value for of, value in known if of == label]
    if own:
        return own[-1]
    return statistics.median(value for _, value in known) if known else None


def trials(query: Query, label: str, metric: str) -> dict[str, Mirrored]:
    """Returns trial key to state in the mirror, over all declarations of a label.

    Keys are content-addressed, so a trial that finished under an earlier declaration counts. If
    a trial has outcomes under two declarations, the later declaration counts.

    Args:
        query: Function that runs a query on the storage.
        label: Study label.
        metric: The study's metric.

    >>> def query(sql):
    ...     if sql == _STUDIES.format(kind="user"):
    ...         return [(1, "ablation.study", '"init_std"')]
    ...     return [(7, "RUNNING", None, "key", '"init_std/0123456789ab/0"')]
    >>> trials(query, "init_std", "accuracy")["init_std/0123456789ab/0"].state
    'RUNNING'
    """
    studies = [id_ for id_, each in attributes(query, "user").items() if each.get(LABEL) == label]
    found: dict[str, Mirrored] = {}
    cells = (cell for study in reversed(studies) for cell in _cells(query, [study]))
    for state, value, facts in cells:
        key = facts.get(KEY, "")
        if key not in found or found[key].outcome is None:
            found[key] = Mirrored(state, _outcome(state, value, facts, metric))
    return found


def attributes(query: Query, kind: Literal["user", "system"]) -> dict[int, dict[str, Any]]:
    """Returns each study's attributes, in the order in which the studies were created."""
    found: dict[int, dict[str, Any]] = {}
    for study, key, value in sorted(query(_STUDIES.format(kind=kind))):
        found.setdefault(study, {})[key] = json.loads(value)
    return found


def _cells(
    query: Query, studies: Collection[int]
) -> Iterator[tuple[str, float | None, dict[str, Any]]]:
    """Yields state, value and attributes of every trial of some studies."""
    if not studies:
        return
    rows = query(_TRIALS.format(studies=", ".join(map(str, studies))))
    gathered: dict[int, tuple[str, float | None, dict[str, Any]]] = {}
    for trial, state, value, key, attribute in rows:
        gathered.setdefault(trial, (state, value, {}))[2][key] = json.loads(attribute)
    yield from gathered.values()


def _outcome(
    state: str, value: float | None, facts: Mapping[str, Any], metric: str
) -> Outcome | None:
    if state not in DONE or OUTCOME not in facts:
        return None
    failed = state == "FAIL" or value is None
    return Outcome(
        run_id=facts[RUN],
        status="FAILED" if failed else "FINISHED",
        reason=facts[OUTCOME].get("reason"),
        metrics={} if value is None or failed else {f"test/{metric}": value},
        epoch=facts[OUTCOME]["epoch"],
        seconds=facts[OUTCOME]["seconds"],
        tags=facts[OUTCOME]["hashes"],
    )
