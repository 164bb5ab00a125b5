"""Checks what a user's function yields and returns, and names it as the record does."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ablation.records.examples import CLOSE, pack
from ablation.records.metric import MOST_LETTERS, Metric

SPLITS = {"train": "train", "probe": "probe", "validation": "validation", "valid": "validation",
          "val": "validation", "dev": "validation"}  # fmt: skip
"""First part of a name to its split; any other name is of test, or of the epoch if yielded."""

HASHES = ("weights_hash", "logits_hash")
"""Names that hold text: with them, identical runs are recognised."""

CHOSEN = "best_epoch"
"""Name of the epoch whose weights were kept; without it none was chosen."""


def curves(yielded: Any) -> dict[str, float]:
    """Returns a mapping that was yielded, under the names of curves.

    Raises:
        TypeError: If it is no mapping, or a value is no number.
        ValueError: If two names with different values are one in the record.

    >>> curves({"train/loss": 0.5, "test/accuracy": 1, "val/accuracy": 0})
    {'train/loss': 0.5, 'epoch/accuracy': 1.0, 'validation/accuracy': 0.0}
    """
    numbers = {name: _number(name, value) for name, value in _mapping(yielded, "yielded").items()
               if name not in HASHES and _size(value) <= 1}  # fmt: skip
    return _recorded(numbers, "epoch")


def finals(returned: Any, metric: Metric) -> dict[str, float]:
    """Returns the numbers of the mapping that was returned, under the names of the record.

    Raises:
        TypeError: If it is no mapping, or a value is no number.
        ValueError: If it lacks the metric, a share is not in [0, 1], or two names with different
            values are one in the record.
    """
    given = _mapping(returned, "returned")
    arrays = {metric.examples, CHOSEN, *HASHES}
    numbers = {name: _number(name, value) for name, value in given.items() if name not in arrays}
    found = _recorded(numbers, "test")
    value = found.get(f"test/{metric.name}")
    if value is None:
        have = ", ".join(sorted(found)) or "none"
        raise ValueError(f"the function returned no metric {metric.name!r}; it returned: {have}")
    if metric.unit == "points" and metric.factor != 1 and (value < 0 or value > 1):
        raise ValueError(
            f"{metric.name} is a share, in [0, 1]; the function returned {value}. For another "
            f"scale give metric=Metric({metric.name!r}, unit='%')"
        )
    return found


def scores(returned: Mapping[str, Any], metric: Metric, value: float) -> bytes:
    """Returns the packed scores by example; nothing where the metric names none.

    Raises:
        ValueError: If they are not there, not one row of finite numbers, or their mean is not the
            metric.
    """
    if metric.examples is None:
        return b""
    if metric.examples not in returned:
        raise ValueError(f"the function returned no scores by example {metric.examples!r}")
    given = _array(returned[metric.examples])
    if given.ndim != 1 or not len(given) or given.dtype.kind not in "biuf":
        raise ValueError(f"{metric.examples!r} must be a number per example; got {given.shape}")
    mean = float(given.mean(dtype=np.float64))
    if not abs(mean - value) <= CLOSE * max(1.0, abs(value)):
        raise ValueError(
            f"the mean of {metric.examples!r} must be {metric.name}, {value}; it is {mean}"
        )
    return pack(given)


def chosen_epoch(returned: Mapping[str, Any]) -> int:
    """Returns the epoch whose weights were kept, 0 if none was chosen.

    Raises:
        TypeError: If it is no number.
    """
    return round(_number(CHOSEN, returned[CHOSEN])) if CHOSEN in returned else 0


def hash_in(returned: Mapping[str, Any], name: str) -> str | None:
    """Returns one of the :data:`HASHES`; None if it was not returned.

    Raises:
        TypeError: If it is no text.
    """
    value = returned.get(name)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} must be text, such as a hexdigest; got {type(value).__name__}")
    return value


def _mapping(given: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        is_forgotten = given is None and what == "returned"
        way_out = (
            ": return the last metrics, also where others are yielded" if is_forgotten else ""
        )
        kind = type(given).__name__
        raise TypeError(f"the function {what} no mapping of metrics but a {kind}{way_out}")
    for name in given:
        if not isinstance(name, str) or not name:
            raise TypeError(f"the name of a metric must be text; got {name!r}")
    return given


def _recorded(numbers: Mapping[str, float], split: str) -> dict[str, float]:
    """Returns numbers under their names in the record.

    Raises:
        ValueError: If two with different values have one name there.
    """
    found: dict[str, float] = {}
    for name, value in numbers.items():
        named = _named(name, split)
        if not np.array_equal(found.setdefault(named, value), value, equal_nan=True):
            raise ValueError(f"two metrics with different values are both {named!r} in the record")
    return found


def _named(name: str, split: str) -> str:
    """Returns a name with its split, as a record takes it.

    >>> _named("a//b", "test"), _named("../f1 (micro)", "epoch"), _named("test/", "test")
    ('test/a/b', 'epoch/f1 -micro-', 'test/-')
    >>> _named("a" * (MOST_LETTERS - 1) + "/b", "test")[-2:]  # no slash at the cut
    'aa'
    """
    first, slash, rest = name.partition("/")
    known = SPLITS.get(first) if slash and rest else None
    plain = re.sub(r"[^A-Za-z0-9_. :/-]", "-", rest if known else name.removeprefix("test/"))
    # A record takes no name that would be another path if it were one of a file.
    parts = plain[:MOST_LETTERS].split("/")
    kept = "/".join(part for part in parts if part.strip() not in {"", ".", ".."})
    return f"{known or split}/{kept or '-'}"


def _number(name: str, value: Any) -> float:
    """Returns a number, or the only one in an array, wherever that is."""
    try:
        if _size(value) == 1 and not isinstance(value, str | bytes):
            return float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError):
        pass
    is_array = _size(value) > 1
    way_out = f". Scores by example are named in metric=Metric(..., examples={name!r})"
    raise TypeError(
        f"the metric {name!r} must be a number; got a {type(value).__name__}"
        f"{way_out if is_array else ''}"
    )


def _size(value: Any) -> int:
    shape = getattr(value, "shape", ())
    return math.prod(shape) if isinstance(shape, tuple) else 1


def _array(value: Any) -> Any:
    """Returns an array in this process's memory; a tensor may be on a GPU."""
    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)
