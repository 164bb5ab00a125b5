"""A report's folder: built from the frames of one study, and from nothing else."""

from __future__ import annotations

import dataclasses
import html
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from ablation import figures
from ablation.analysis import Judged, answer, differences, sentences


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """All that a report is made from."""

    label: str
    """The study label; also the name of the report's folder."""
    declaration: Mapping[str, Any]
    wording: Mapping[str, Any]
    declared: Mapping[str, Mapping[str, Any]]
    """Hash to date and number of runs seen, for every declaration, oldest first."""
    current: str
    """Hash of the declaration that the report is about."""
    judged: Judged
    runs: pd.DataFrame
    curves: pd.DataFrame
    provenance: Mapping[str, list[str]]
    """What was recorded with the runs, such as the commit: name to the values seen."""


def build(content: Content, reports: Path) -> Path:
    """Writes ``reports/<label>/`` and returns it.

    It holds ``README.md``, ``effects.csv``, ``runs.csv``, ``curves.csv`` and ``figures/``; two
    builds from the same content are equal byte for byte.
    """
    folder = reports / content.label
    folder.mkdir(parents=True, exist_ok=True)
    metric, baseline = content.declaration["metric"], content.declaration["baseline"]
    judged = content.judged
    paired = differences(content.runs, content.declaration, judged.seeds)
    judged.effects.to_csv(folder / "effects.csv", index=False, lineterminator="\n")
    content.runs.to_csv(folder / "runs.csv", index=False, lineterminator="\n")
    content.curves.to_csv(folder / "curves.csv", index=False, lineterminator="\n")
    figure = figures.forest(judged.effects, paired, content.declaration)
    figures.save(figure, folder / "figures", "differences")
    rows = judged.effects.to_dict("records")
    text = (
        _environment()
        .get_template("README.md.jinja")
        .render(
            content=content,
            metric=metric,
            baseline=baseline,
            answer=answer(judged.effects, content.declaration),
            sentences=sentences(judged.effects, content.declaration),
            rows=[row | {"differences": _of(paired, row["arm"])} for row in rows],
            failures=_failures(content.runs, content.declaration["floor"]),
            planned=sum(judged.seeds.values()),
            done=content.runs["run_id"].nunique(),
        )
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder


def markdown(text: object) -> str:
    """Escapes text so that Markdown, and HTML inside it, shows it as it is."""
    escaped = re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", html.escape(str(text), quote=False))
    return " ".join(escaped.split())


def _failures(runs: pd.DataFrame, floor: str | None) -> list[str]:
    """Returns a sentence per arm with FAILED runs: how many, why, and what they count as."""
    failed = runs[runs["status"] == "FAILED"].drop_duplicates(["arm", "seed"])
    counted = (
        "count as nothing, for no floor is declared" if floor is None else f"count as {floor}"
    )
    return [
        f"{arm}: {len(rows)} failed ({', '.join(sorted(set(rows['reason'])))}); they {counted}."
        for arm, rows in failed.groupby("arm", sort=False)
    ]


def _of(paired: pd.DataFrame, arm: str) -> dict[int, float]:
    rows = paired[paired["arm"] == arm]
    return dict(zip(rows["seed"].tolist(), rows["difference"].tolist(), strict=True))


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def _signed(value: float) -> str:
    return "" if math.isnan(value) else f"{value:+.4f}"


def _p(value: float) -> str:
    return "" if math.isnan(value) else "<0.0001" if value < 1e-4 else f"{value:.4f}"  # noqa: PLR2004 - shown to four places


def _interval(row: Mapping[str, Any]) -> str:
    return "" if math.isnan(row["low"]) else f"{row['low']:+.4f} to {row['high']:+.4f}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ablation.report"),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "md": markdown,
        "number": _number,
        "signed": _signed,
        "p": _p,
        "interval": _interval,
    }
    return environment
