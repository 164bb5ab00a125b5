"""Attention: the texts on which arms weigh the words most differently."""

from __future__ import annotations

from collections.abc import Iterator

from ablation.report.basis import Basis
from ablation.report.blocks import Block, Heat, HeatRow, Text


def section(basis: Basis) -> Iterator[Block]:
    """Yields the texts, the words of each shaded by every arm's mean weight."""
    texts = basis.content.about.get("texts", [])
    if not texts:
        return
    yield Text(
        "Of 64 test texts that are the same in all runs, those on which the arms disagree most. "
        "The stronger a word's colour, the larger its weight, as the mean over an arm's judged "
        "seeds; the colour is relative to the largest weight of the text. Point at a word for its "
        "weight and the standard deviation over seeds."
    )
    for text in texts:
        most = max((weight for row in text["arms"] for weight in row["weights"]), default=0.0)
        yield Heat(
            text["label"],
            text["words"],
            [
                HeatRow(
                    row["arm"],
                    f"right in {row['right']} of {row['n']}",
                    [weight / most if most else 0.0 for weight in row["weights"]],
                    [
                        f"{weight:.2f} ± {spread:.2f}"
                        for weight, spread in zip(row["weights"], row["spread"], strict=True)
                    ],
                )
                for row in text["arms"]
            ],
        )
