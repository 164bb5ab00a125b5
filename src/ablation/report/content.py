"""The content of a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ablation.analysis.answers import answer_sentences
from ablation.analysis.effects import Judged
from ablation.records.declaration import Declaration
from ablation.records.taken import Taken

HASHES = ["arm", "seed", "weights", "logits"]
DETAILS = [*HASHES, "ended", "environment"]
"""Columns of :attr:`Content.details`."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """The content of a report; equal content makes equal bytes."""

    label: str
    """The study label; also the name of the report's folder."""
    declaration: Declaration
    wording: Mapping[str, Any]
    """Question, title, caveats, ``warnings``, sentences to read before the answer, and
    ``command``, the arguments of ``ablation run`` where they are not the study's name alone."""
    declared: Mapping[str, Mapping[str, Any]]
    """Hash to date and number of runs seen, for every declaration, oldest first."""
    current: str
    """Hash of the declaration that the report is about."""
    judged: Judged
    runs: pd.DataFrame
    """A runs frame: one row per run and metric."""
    curves: pd.DataFrame
    """A curves frame: one row per run, metric and epoch."""
    examples: pd.DataFrame
    """An examples frame: arm, seed, and a packed bit per example of test."""
    details: pd.DataFrame
    """One row per run: arm, seed, weights and logits (hashes), ended (UTC), and environment, the
    place of its commit, versions and device in :attr:`environments`."""
    environments: Sequence[Mapping[str, str]]
    record: Mapping[str, Any]
    """Where the runs are: ``address`` of MLflow's pages, ``experiment``; and
    ``test_evaluations``, how often this test split was evaluated up to the last run. ``kept``, if
    there are any: arm, hash then and hash now of results taken although sources changed. Of a
    table from elsewhere: what the page says of its origin, name to value."""
    tables: Mapping[str, pd.DataFrame] = dataclasses.field(default_factory=dict)
    """Name to a table of the study's own, such as ``numerics``; each has a section of that name
    and, in ``study.json``, a key."""
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Of the data, in JSON's types: ``facts``, pairs of name and value; ``texts``, on which arms
    attend most differently, see :func:`ablation.analysis.attention.disagreements`."""
    tests: pd.DataFrame | None = None
    """A row per test example: ``class``, and ``text`` where one may be quoted; None if unknown."""
    taken: Taken = dataclasses.field(default_factory=dict)
    """Looks that were taken although runs were missing."""
    fresh: pd.DataFrame | None = None
    """Estimates on fresh seeds, a row per arm that was decided."""

    @property
    def is_recorded(self) -> bool:
        """Returns whether MLflow has the runs; else :attr:`record` names their table."""
        return "address" in self.record

    @property
    def answer(self) -> tuple[str, ...]:
        """The answer in a few short sentences, the answer itself first."""
        judged, command = self.judged, self.wording.get("command")
        said = None if command is None else str(command)
        return tuple(
            answer_sentences(judged.effects, self.declaration, judged.contrasts, command=said)
        )

    @property
    def hashes(self) -> pd.DataFrame:
        """One row per run: arm, seed, weights, logits."""
        return self.details[HASHES]

    @property
    def provenance(self) -> dict[str, list[str]]:
        """The versions, commits and devices of the runs: name to the values that occur."""
        names = dict.fromkeys(name for each in self.environments for name in each)
        return {
            name: sorted({each[name] for each in self.environments if name in each})
            for name in names
        }
