"""A report's folder: built from the frames of one study, and from nothing else."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from ablation import figures
from ablation.analysis import differences, effects
from ablation.spec import DIRECTIONS


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
    runs: pd.DataFrame
    curves: pd.DataFrame
    provenance: Mapping[str, list[str]]
    """What was recorded with the runs, such as the commit: name to the values seen."""


def build(content: Content, reports: Path) -> Path:
    """Writes ``reports/<label>/`` and returns it.

    It holds ``README.md``, ``runs.csv``, ``curves.csv`` and ``figures/``; two builds from the
    same content are equal byte for byte.
    """
    folder = reports / content.label
    folder.mkdir(parents=True, exist_ok=True)
    metric, baseline = content.declaration["metric"], content.declaration["baseline"]
    paired = differences(content.runs, metric=metric, baseline=baseline)
    table = effects(content.runs, metric=metric, baseline=baseline, direction=DIRECTIONS[metric])
    content.runs.to_csv(folder / "runs.csv", index=False, lineterminator="\n")
    content.curves.to_csv(folder / "curves.csv", index=False, lineterminator="\n")
    figure = figures.forest(table, paired, metric=metric, baseline=baseline)
    figures.save(figure, folder / "figures", "differences")
    text = (
        _environment()
        .get_template("README.md.jinja")
        .render(
            content=content,
            metric=metric,
            baseline=baseline,
            rows=[
                row | {"differences": _of(paired, row["arm"])} for row in table.to_dict("records")
            ],
            planned=len(content.declaration["arms"]) * content.declaration["seeds"],
            done=content.runs["run_id"].nunique(),
        )
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder


def markdown(text: object) -> str:
    """Escapes text so that Markdown, and HTML inside it, shows it as it is."""
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", html.escape(str(text), quote=False))
    return " ".join(escaped.split())


def _of(paired: pd.DataFrame, arm: str) -> list[float]:
    return paired.loc[paired["arm"] == arm].sort_values("seed")["difference"].tolist()


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ablation.report"),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = markdown
    environment.filters["format_difference"] = "{:+.4f}".format
    return environment
