"""The checks of a study: what makes its comparison unfair or pointless."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ablation.analysis.checks import Facts, findings
from ablation.report.basis import Basis
from ablation.report.blocks import Block, Bullets
from ablation.report.parts.searched import at_edges


def section(basis: Basis) -> Iterator[Block]:
    """Yields what the checks found; nothing if all is well."""
    scores = basis.scores
    values = scores.loc[scores["arm"] == basis.declaration.baseline, "value"].dropna()
    found = findings(
        Facts(
            declaration=basis.declaration,
            noise=float(np.std(values, ddof=1)) if len(values) > 2 else None,  # noqa: PLR2004 - a spread from two is no spread
            sizes=basis.content.record.get("sizes", {}),
            edges=at_edges(basis),
            effects=basis.effects,
        )
    )
    if found:
        yield Bullets(found)
