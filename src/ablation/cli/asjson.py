"""What commands print with ``--json``: one object, described in docs/json.md."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.report import Content


def show_json(stated: Mapping[str, Any]) -> None:
    """Prints an object as JSON; numbers that JSON has not are null."""
    sys.stdout.write(json.dumps(_plain(stated), ensure_ascii=False, allow_nan=False, indent=1))
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.item() if hasattr(value, "item") else value


def verdicts_of(content: Content, folder: Path, *, dataset: str = "") -> dict[str, Any]:
    """Returns the verdicts of a report.

    Args:
        content: The content of the report.
        folder: The report.
        dataset: The data set, of a table with several.
    """
    from ablation.analysis import answer
    from ablation.report import Basis, compose

    declared, effects = content.declaration, content.judged.effects
    return {
        "label": content.label,
        "dataset": dataset,
        "question": content.wording["question"],
        "answer": answer(effects, declared, content.judged.contrasts),
        "warnings": list(compose(Basis(content)).warnings),
        "baseline": declared.baseline,
        "metric": declared.metric,
        "lower_is_better": declared.measure.lower_is_better,
        "margin": declared.margin,
        "paired": declared.paired,
        "effects": effects.to_dict("records"),
        "report": str(folder),
    }
